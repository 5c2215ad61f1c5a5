import type { Operation, Outcome, Scene } from './operation.ts'
import type { Args } from './predicates.ts'
import { hasEqualityDeletes } from './refusals.ts'

const all = "options => map('rewrite-all', 'true')"

const compact = ({ stranger }: Scene, ...args: string[]): Promise<void> =>
  stranger.call('rewrite_data_files', [...args, all])

/** Snapshots but the newest, in whichever way. */
const expire = ({ stranger }: Scene, ...args: string[]): Promise<void> =>
  stranger.call('expire_snapshots', ["older_than => TIMESTAMP '2099-01-01 00:00:00'", 'retain_last => 1', ...args])

function sortColumn({ model: { columns } }: Scene, [a]: Args): string {
  const there = (['city', 'note', 'level', 'paid', 'id'] as const).filter((path) => columns.isThere(path))
  return columns.sql(there[a % there.length]!)
}

/** Changes no row. */
export const housekeeping: readonly Operation[] = [
  { name: 'binpack', work: (scene) => compact(scene) },
  {
    name: 'sort by a user column',
    work: (scene, args) => {
      const order = `${sortColumn(scene, args)} ${args[1] % 2 === 0 ? 'DESC' : 'ASC'} NULLS LAST`
      return compact(scene, "strategy => 'sort'", `sort_order => '${order}'`)
    },
  },
  {
    name: 'z-order',
    work: (scene) =>
      compact(scene, "strategy => 'sort'", `sort_order => 'zorder(id, ${scene.model.columns.sql('city')})'`),
  },
  { name: 'rewrite manifests', work: ({ stranger }) => stranger.call('rewrite_manifests', []) },
  { name: 'expire all but one', work: (scene) => expire(scene) },
  {
    name: 'compaction, then expire',
    async work(scene) {
      await compact(scene)
      await expire(scene)
    },
  },
  {
    name: 'expire and clean expired metadata',
    async work(scene): Promise<Outcome> {
      // Spark forgets the column that deletes by value still name, and can then read the table no more itself.
      if (hasEqualityDeletes(scene) && !scene.model.columns.isThere('level')) return 'nothing'
      await expire(scene, 'clean_expired_metadata => true')
      return 'done'
    },
  },
  { name: 'remove orphans', work: ({ stranger, now }) => stranger.removeOrphans(now()) },
  {
    name: 'rewrite position deletes',
    needs: 'row-level deletes',
    work: ({ stranger }) => stranger.call('rewrite_position_delete_files', [all]),
  },
  {
    name: 'strip metrics',
    async work(scene, [a]) {
      const { stranger } = scene
      const mode = a % 3 === 0 ? 'none' : 'counts'
      const columns = ['_kafka_partition', '_kafka_offset', '_kafka_incarnation']
      const properties = ['default', ...columns.map((name) => `column.${name}`)]
      const settings = (to: string): string =>
        properties.map((name) => `'write.metadata.metrics.${name}' = '${to}'`).join(', ')
      await stranger.sql(`ALTER TABLE ${stranger.table} SET TBLPROPERTIES (${settings(mode)})`)
      await compact(scene)
      await stranger.sql(`ALTER TABLE ${stranger.table} SET TBLPROPERTIES (${settings('full')})`)
    },
  },
  {
    name: 'partition evolution',
    work({ stranger }, [a]) {
      const { 'partition-specs': specs, 'default-spec-id': present } = stranger.metadata
      const names = specs.find((spec) => spec['spec-id'] === present)!.fields.map(({ name }) => name)
      const change = (text: string): Promise<void> => stranger.sql(`ALTER TABLE ${stranger.table} ${text}`)
      if (names.length > 1) return change(`DROP PARTITION FIELD ${names[a % names.length]}`)
      const fields = ['bucket(3, id)', 'truncate(10, id)', '_kafka_partition', 'hours(_kafka_timestamp)']
      return change(`ADD PARTITION FIELD ${fields[a % fields.length]} AS f_${a}`)
    },
    // The same transform under another name.
    refusals: [
      {
        says: /Cannot add duplicate partition field|Cannot add redundant partition field/,
        when: ({ stranger }) => stranger.metadata['partition-specs'].some(({ fields }) => fields.length > 0),
      },
    ],
  },
  {
    name: 'write order',
    work: (scene, args) =>
      scene.stranger.sql(`ALTER TABLE ${scene.stranger.table} WRITE ORDERED BY ${sortColumn(scene, args)}`),
  },
]
