import { rowOfOthers } from './model.ts'
import type { Operation, Outcome } from './operation.ts'
import { anyRows, assignment, byId, and } from './predicates.ts'
import { history } from './stranger.ts'

/** Goes other ways than straight on. */
export const histories: readonly Operation[] = [
  {
    name: 'branch and fast-forward',
    // Main goes where the branch is, and nowhere else.
    wants: 'no commits',
    async work({ stranger, model }, args) {
      const branch = `b_${args[0]}`
      const gone = anyRows(model, args)
      const { sql, apply, isFor } = assignment(model, args)
      const where = and(byId(args), isFor)
      const { table } = stranger
      if (stranger.metadata['current-snapshot-id'] === null) return 'nothing'
      await stranger.sql(`ALTER TABLE ${table} CREATE BRANCH ${branch}`)
      await stranger.sql(`DELETE FROM ${table}.branch_${branch} WHERE ${gone.sql}`)
      await stranger.sql(`UPDATE ${table}.branch_${branch} SET ${sql} WHERE ${where.sql}`)
      await stranger.call('fast_forward', [`branch => 'main'`, `to => '${branch}'`], () => {
        const left = model.rows.filter((row) => !gone.test(row))
        model.replace(left.map((row) => (where.test(row) ? apply(row) : row)))
      })
      await stranger.sql(`ALTER TABLE ${table} DROP BRANCH ${branch}`)
      return 'done'
    },
  },
  {
    name: 'write, audit, cherry-pick',
    async work({ stranger, model }, [a, b]): Promise<Outcome> {
      const { table, engines } = stranger
      if (stranger.metadata['current-snapshot-id'] === null) return 'nothing'
      const [id, wap] = [1_000_000 + (a % 1000), `w_${a}_${b}`]
      const insert = (of: number, city: string): string =>
        `INSERT INTO ${table} (id, ${model.columns.sql('city')}) VALUES (${of}, '${city}')`
      await stranger.sql(`ALTER TABLE ${table} SET TBLPROPERTIES ('write.wap.enabled' = 'true')`)
      await engines.spark.sql(`SET spark.wap.id = ${wap}`)
      await stranger.sql(insert(id, 'staged'))
      await engines.spark.sql('RESET spark.wap.id')
      if (b % 2 === 0) {
        // So that what was staged is not simply the next snapshot.
        await stranger.sql(insert(id + 1, 'ahead'), () => model.replace([...model.rows, rowOfOthers(id + 1, 'ahead')]))
      }
      const staged = stranger.metadata.snapshots.find(({ summary }) => summary['wap.id'] === wap)!
      await stranger.call('cherrypick_snapshot', [`snapshot_id => ${staged['snapshot-id']}`], () =>
        model.replace([...model.rows, rowOfOthers(id, 'staged')]),
      )
      return 'done'
    },
  },
  {
    name: 'rollback',
    async work({ stranger, model }, [a]): Promise<Outcome> {
      const earlier = history(stranger.metadata)
        .slice(1, 9)
        .filter((id) => model.knows(id))
      if (earlier.length === 0) return 'nothing'
      const target = earlier[a % earlier.length]!
      let isBroken = false
      await stranger.call('rollback_to_snapshot', [`snapshot_id => ${target}`], () => {
        isBroken = model.rolledBack(target)
      })
      return isBroken ? 'broken' : 'done'
    },
  },
  {
    name: 'CREATE OR REPLACE',
    // What is committed between its read and its end would be nobody's.
    wants: 'no commits',
    async work({ stranger, model }): Promise<Outcome> {
      const { table } = stranger
      await stranger.sql(`CREATE OR REPLACE TABLE ${table} USING iceberg AS SELECT * FROM ${table}`, () =>
        // The columns are new ones of the same ids: none has a default any more.
        model.settleDefaults(),
      )
      return 'broken'
    },
  },
]
