import { rowOfOthers } from './model.ts'
import type { Operation, Outcome, Scene } from './operation.ts'
import { and, anyRows, assignment, byId } from './predicates.ts'
import type { Args } from './predicates.ts'
import {
  hasPositionDeletes,
  idOf,
  noPartition,
  ofDuckdb,
  ofDuckdbDeletes,
  ofPyiceberg,
  ofPyicebergDeletes,
} from './refusals.ts'

/** Ids that no record has. */
const FIRST_OF_OTHERS = 1_000_000

/** Sets how Spark writes a kind of change: files anew, or what is deleted beside them. Says which. */
async function mode(
  { stranger, features }: Scene,
  kind: 'delete' | 'update' | 'merge',
  [, , , d]: Args,
): Promise<void> {
  const name = `write.${kind}.mode`
  const wanted = d % 2 === 0 && features.has('row-level deletes') ? 'merge-on-read' : 'copy-on-write'
  if ((stranger.metadata.properties[name] ?? 'copy-on-write') === wanted) return
  await stranger.sql(`ALTER TABLE ${stranger.table} SET TBLPROPERTIES ('${name}' = '${wanted}')`)
}

/** Rows that have one of the values in the column, written as the values. */
export function equalityDelete(
  { stranger, model }: Scene,
  path: 'id' | 'city' | 'level',
  values: readonly (number | string | null)[],
): Promise<void> {
  const name = model.columns.sql(path)
  const rows = values.map((value) => ({ [name]: value }))
  return stranger.iceberg({ do: 'equalityDelete', columns: [name], rows }, () =>
    model.change((row) => (values.includes(row.values[path]) ? undefined : row)),
  )
}

/** Whether the table has deletes by another column than those of which {@link changes} deletes ids and nulls. */
async function isLevelCompared({ stranger, model: { columns } }: Scene): Promise<boolean> {
  const others = (['id', 'city'] as const).map((path) => idOf(stranger.metadata, columns.sql(path)))
  const where = others.map((id) => `NOT array_contains(equality_ids, ${id})`).join(' AND ')
  const found = await stranger.engines.spark.sql(
    `SELECT count(*) FROM ${stranger.table}.delete_files WHERE content = 2 AND ${where}`,
  )
  return found[0]![0] !== '0'
}

/** Changes rows. */
export const changes: readonly Operation[] = [
  {
    name: 'DELETE',
    times: 2,
    async work(scene, args) {
      const { stranger, model } = scene
      await mode(scene, 'delete', args)
      const gone = anyRows(model, args)
      await stranger.sql(`DELETE FROM ${stranger.table} WHERE ${gone.sql}`, () =>
        model.change((row) => (gone.test(row) ? undefined : row)),
      )
    },
  },
  {
    name: 'UPDATE',
    times: 2,
    async work(scene, args) {
      const { stranger, model } = scene
      await mode(scene, 'update', args)
      const { sql, apply, isFor } = assignment(model, args)
      const where = and(byId(args), isFor)
      await stranger.sql(`UPDATE ${stranger.table} SET ${sql} WHERE ${where.sql}`, () =>
        model.change((row) => (where.test(row) ? apply(row) : row)),
      )
    },
  },
  {
    name: 'MERGE',
    async work(scene, args) {
      const { stranger, model } = scene
      await mode(scene, 'merge', args)
      const { sql, apply, isFor } = assignment(model, args)
      const [a, b, c] = args
      const ids = [a % 60, 60 + (b % 60), FIRST_OF_OTHERS + (c % 1000)]
      const values = ids.map((id) => `(${id})`).join(', ')
      const condition = isFor === undefined ? '' : ` AND ${isFor.sql}`
      const gone = ids[0]!
      const city = model.columns.sql('city')
      const statement =
        `MERGE INTO ${stranger.table} t USING (SELECT * FROM VALUES ${values} AS s(sid)) s ON t.id = s.sid ` +
        `WHEN MATCHED AND s.sid = ${gone} THEN DELETE ` +
        `WHEN MATCHED${condition} THEN UPDATE SET ${sql} ` +
        `WHEN NOT MATCHED THEN INSERT (id, ${city}) VALUES (s.sid, 'merged in')`
      await stranger.sql(statement, () => {
        const met = new Set(model.rows.flatMap(({ values: { id } }) => (id !== null && ids.includes(id) ? [id] : [])))
        const missing = ids.filter((id) => !met.has(id)).map((id) => rowOfOthers(id, 'merged in'))
        const kept = model.rows.flatMap((row) => {
          if (row.values.id === gone) return []
          const isMeant = row.values.id !== null && ids.includes(row.values.id) && (isFor?.test(row) ?? true)
          return [isMeant ? apply(row) : row]
        })
        model.replace([...kept, ...missing])
      })
    },
  },
  {
    name: 'TRUNCATE',
    work: ({ stranger, model }, [a]) =>
      stranger.sql(a % 2 === 0 ? `TRUNCATE TABLE ${stranger.table}` : `DELETE FROM ${stranger.table} WHERE true`, () =>
        model.replace([]),
      ),
  },
  {
    name: 'INSERT of rows without our columns',
    work: ({ stranger, model }, [a, b]) => {
      const ids = [FIRST_OF_OTHERS + (a % 1000), FIRST_OF_OTHERS + (b % 1000)]
      const values = ids.map((id) => `(${id}, 'city 1')`).join(', ')
      return stranger.sql(`INSERT INTO ${stranger.table} (id, ${model.columns.sql('city')}) VALUES ${values}`, () =>
        model.replace([...model.rows, ...ids.map((id) => rowOfOthers(id, 'city 1'))]),
      )
    },
  },
  {
    name: 'INSERT of copied rows',
    // It copies what it has read, and adds that to whatever the table is by then.
    wants: 'no commits',
    async work({ stranger, model }, args) {
      const [, , c] = args
      const copied = byId(args)
      const isAltered = c % 2 === 0
      const city = model.columns.sql('city')
      const names = await stranger.engines.spark.sql(`DESCRIBE ${stranger.table}`)
      const end = names.findIndex(([name]) => name === '' || name!.startsWith('#'))
      const columns = names
        .slice(0, end < 0 ? undefined : end)
        .map(([name]) => (isAltered && name === city ? `'copy' AS ${city}` : name!))
      const statement = `INSERT INTO ${stranger.table} SELECT ${columns.join(', ')} FROM ${stranger.table} WHERE ${copied.sql}`
      await stranger.sql(statement, () => {
        const copies = model.rows.filter((row) => copied.test(row))
        const altered = copies.map((row) => (isAltered ? { ...row, values: { ...row.values, city: 'copy' } } : row))
        model.replace([...model.rows, ...altered])
      })
    },
  },
  {
    name: 'equality delete of ids',
    needs: 'row-level deletes',
    work: (scene, [a]) => equalityDelete(scene, 'id', [a % 80, (a % 80) + 7]),
    refusals: noPartition,
  },
  {
    name: 'equality delete of nulls',
    needs: 'row-level deletes',
    work: (scene) => equalityDelete(scene, 'city', [null]),
    refusals: noPartition,
  },
  {
    name: 'equality delete by a column that may be wider by now',
    needs: 'row-level deletes',
    async work(scene, [a]): Promise<Outcome> {
      const { columns, rows } = scene.model
      const levels = rows.flatMap(({ values: { level } }) => level ?? [])
      if (!columns.isThere('level') || levels.length === 0) return 'nothing'
      await equalityDelete(scene, 'level', [levels[a % levels.length]!])
      return 'done'
    },
    refusals: noPartition,
  },
  {
    name: 'DuckDB: INSERT',
    work: ({ stranger, model }, [a]) => {
      const id = FIRST_OF_OTHERS + (a % 1000)
      return stranger.duckdb(
        `INSERT INTO ${stranger.table} (id, ${model.columns.sql('city')}) VALUES (${id}, 'duck')`,
        () => model.replace([...model.rows, rowOfOthers(id, 'duck')]),
      )
    },
    refusals: ofDuckdb,
  },
  {
    name: 'DuckDB: DELETE',
    needs: 'row-level deletes',
    async work(scene, args): Promise<Outcome> {
      const { stranger, model } = scene
      const { 'format-version': version, 'partition-specs': specs } = stranger.metadata
      // Its vector for a file of an earlier spec lacks what was deleted there before: those rows are back, for Spark too.
      if (version >= 3 && specs.length > 1 && hasPositionDeletes(scene)) return 'nothing'
      const gone = byId(args)
      // It sees no row without a level where one of a level was deleted by value before.
      if (model.rows.some((row) => gone.test(row) && row.values.level === null) && (await isLevelCompared(scene)))
        return 'nothing'
      await stranger.duckdb(`DELETE FROM ${stranger.table} WHERE ${gone.sql}`, () =>
        model.change((row) => (gone.test(row) ? undefined : row)),
      )
      return 'done'
    },
    refusals: ofDuckdbDeletes,
  },
  {
    name: 'PyIceberg: append',
    work: ({ stranger, model }, [a]) => {
      const id = FIRST_OF_OTHERS + (a % 1000)
      return stranger.pyiceberg({ append: [{ id, [model.columns.sql('city')]: 'snake' }] }, () =>
        model.replace([...model.rows, rowOfOthers(id, 'snake')]),
      )
    },
    refusals: ofPyiceberg,
  },
  {
    name: 'PyIceberg: delete',
    work: ({ stranger, model }, [a]) => {
      const first = a % 80
      return stranger.pyiceberg({ delete: `id >= ${first} and id < ${first + 4}` }, () =>
        model.change((row) => {
          const { id } = row.values
          return id !== null && id >= first && id < first + 4 ? undefined : row
        }),
      )
    },
    refusals: ofPyicebergDeletes,
  },
]
