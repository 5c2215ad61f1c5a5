import type { TableUpdate } from '@moulin/core'
import { expectEqual } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other } from './check.ts'
import { expectConflict, expectOneOf, expectProperties, expectTable } from './expect.ts'
import {
  appendOf,
  ascending,
  byBucket,
  byCity,
  column,
  commitOf,
  createRequest,
  LAST,
  orders,
  useOrder,
  useSchema,
  useSpec,
  widened,
} from './fixtures.ts'

/** What becomes of schemas, partition specs, sort orders and the format version. */
export const evolutionChecks: readonly CatalogCheck[] = [
  {
    name: 'adds a column: the schema has the next id, and the last column id rises',
    async run(subject) {
      const made = await subject.catalog.createTable(orders, createRequest)
      const schema = widened(made.metadata, column(3, 'more', 'long'))
      await subject.catalog.commitTable(orders, commitOf(...useSchema(schema)))
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectEqual([metadata['current-schema-id'], metadata['last-column-id']], [1, 3], 'current schema and last column')
      expectEqual(
        metadata.schemas.map((one) => [one['schema-id'], one.fields.length]),
        [
          [0, 2],
          [1, 3],
        ],
        'schemas',
      )
      expectEqual(metadata.schemas[1]!.fields, schema.fields, 'fields')
    },
  },
  {
    name: 'takes a schema that the table had before for that one',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      await catalog.commitTable(orders, commitOf(...useSchema(widened(made.metadata, column(3, 'more')))))
      const [add] = useSchema(widened(made.metadata))
      const again = commitOf(add!, { action: 'set-current-schema', 'schema-id': 0 })
      const { metadata } = await catalog.commitTable(orders, again)
      expectEqual(
        [metadata['current-schema-id'], metadata.schemas.length],
        [0, 2],
        'current schema, and how many there are',
      )
      expectEqual(metadata['last-column-id'], 3, 'last column id')
    },
  },
  {
    name: 'keeps a schema that is added and not made the current one',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      const [add] = useSchema(widened(made.metadata, column(3, 'more')))
      const { metadata } = await catalog.commitTable(orders, commitOf(add!))
      expectEqual(
        [metadata['current-schema-id'], metadata.schemas.length],
        [0, 2],
        'current schema, and how many there are',
      )
    },
  },
  {
    name: 'fails to use what the same commit added when it added nothing',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const before = await catalog.loadTable(orders)
      const updates: TableUpdate[] = [
        { action: 'set-current-schema', 'schema-id': LAST },
        { action: 'set-default-spec', 'spec-id': LAST },
        { action: 'set-default-sort-order', 'sort-order-id': LAST },
      ]
      for (const update of updates)
        await expectOneOf(catalog.commitTable(orders, commitOf(update)), ['invalid'], `${update.action} ${LAST}`)
      expectTable(await catalog.loadTable(orders), before, 'the table')
    },
  },
  {
    name: 'refuses a current schema, spec or order that the table does not have',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const before = await catalog.loadTable(orders)
      const updates: TableUpdate[] = [
        { action: 'set-current-schema', 'schema-id': 77 },
        { action: 'set-default-spec', 'spec-id': 77 },
        { action: 'set-default-sort-order', 'sort-order-id': 77 },
      ]
      for (const update of updates)
        await expectOneOf(catalog.commitTable(orders, commitOf(update)), ['invalid'], `${update.action} 77`)
      expectTable(await catalog.loadTable(orders), before, 'the table')
    },
  },
  {
    name: 'fails a change of the schema that another overtook',
    async run({ catalog }) {
      const { metadata } = await catalog.createTable(orders, createRequest)
      const change = (name: string) => ({
        requirements: [
          { type: 'assert-current-schema-id' as const, 'current-schema-id': metadata['current-schema-id'] },
          { type: 'assert-last-assigned-field-id' as const, 'last-assigned-field-id': metadata['last-column-id'] },
        ],
        updates: useSchema(widened(metadata, column(3, name))),
      })
      const first = await catalog.commitTable(orders, change('first'))
      await expectConflict(catalog.commitTable(orders, change('second')), 'the later change')
      expectTable(await catalog.loadTable(orders), first, 'the table')
    },
  },
  {
    name: 'takes a change of the schema though another changed the spec, and the other way round',
    async run({ catalog }) {
      const { metadata } = await catalog.createTable(orders, createRequest)
      const schemaIs = { type: 'assert-current-schema-id' as const, 'current-schema-id': 0 }
      const specIs = { type: 'assert-default-spec-id' as const, 'default-spec-id': 0 }
      const schema = widened(metadata, column(3, 'more'))
      await catalog.commitTable(orders, { requirements: [specIs], updates: useSpec(byCity, byBucket) })
      await catalog.commitTable(orders, { requirements: [schemaIs], updates: useSchema(schema) })
      const { 'current-schema-id': schemaId, 'default-spec-id': specId } = (await catalog.loadTable(orders)).metadata
      expectEqual([schemaId, specId], [1, 1], 'schema and spec')
    },
  },
  {
    name: 'adds a partition field: the spec has the next id, and the last partition id rises',
    async run(subject) {
      await subject.catalog.createTable(orders, createRequest)
      await subject.catalog.commitTable(orders, commitOf(...useSpec(byCity, byBucket)))
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectEqual(
        [metadata['default-spec-id'], metadata['last-partition-id']],
        [1, 1001],
        'default spec and last field',
      )
      const specs = metadata['partition-specs'].map((spec) => [spec['spec-id'], spec.fields])
      expectEqual(
        specs,
        [
          [0, [byCity]],
          [1, [byCity, byBucket]],
        ],
        'specs',
      )
    },
  },
  {
    name: 'takes a partition spec that the table had before for that one',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      await catalog.commitTable(orders, commitOf(...useSpec(byCity, byBucket)))
      const [add] = useSpec(byCity)
      const again = commitOf(add!, { action: 'set-default-spec', 'spec-id': 0 })
      const { metadata } = await catalog.commitTable(orders, again)
      const { 'default-spec-id': specId, 'partition-specs': specs, 'last-partition-id': last } = metadata
      expectEqual([specId, specs.length, last], [0, 2, 1001], 'default spec, how many, and the last field')
    },
  },
  {
    name: 'makes a table unpartitioned, and keeps the spec that it had',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const { metadata } = await catalog.commitTable(orders, commitOf(...useSpec()))
      const current = metadata['partition-specs'].find((spec) => spec['spec-id'] === metadata['default-spec-id'])
      expectEqual([current?.fields, metadata['partition-specs'].length], [[], 2], 'default spec, and how many')
    },
  },
  {
    name: 'fails a change of the partition spec that another overtook',
    async run({ catalog }) {
      const { metadata } = await catalog.createTable(orders, createRequest)
      const { 'default-spec-id': specId, 'last-partition-id': last } = metadata
      const first = await catalog.commitTable(orders, commitOf(...useSpec(byCity, byBucket)))
      const requirements = [
        { type: 'assert-default-spec-id' as const, 'default-spec-id': specId },
        { type: 'assert-last-assigned-partition-id' as const, 'last-assigned-partition-id': last },
      ]
      for (const requirement of requirements) {
        const commit = { requirements: [requirement], updates: useSpec() }
        await expectConflict(catalog.commitTable(orders, commit), `the later change, by ${requirement.type}`)
      }
      expectTable(await catalog.loadTable(orders), first, 'the table')
    },
  },
  {
    name: 'sorts a table, sorts it otherwise, and not at all, and keeps the orders',
    async run(subject) {
      await subject.catalog.createTable(orders, createRequest)
      const orderOf = async (...fields: number[]): Promise<number> => {
        const commit = commitOf(...useOrder(...fields.map(ascending)))
        return (await subject.catalog.commitTable(orders, commit)).metadata['default-sort-order-id']
      }
      const back = async (id: number, ...fields: number[]): Promise<number> => {
        const [add] = useOrder(...fields.map(ascending))
        const commit = commitOf(add!, { action: 'set-default-sort-order', 'sort-order-id': id })
        return (await subject.catalog.commitTable(orders, commit)).metadata['default-sort-order-id']
      }
      const ids = [await orderOf(1), await orderOf(2, 1), await back(1, 1), await back(0)]
      expectEqual(ids, [1, 2, 1, 0], 'default sort orders, one after the other')
      const { metadata } = await (await other(subject)).loadTable(orders)
      const sizes = metadata['sort-orders'].map((order) => [order['order-id'], order.fields.length])
      expectEqual(
        sizes,
        [
          [0, 0],
          [1, 1],
          [2, 2],
        ],
        'orders, and how many fields they have',
      )
    },
  },
  {
    name: 'fails a change of the sort order that another overtook',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const first = await catalog.commitTable(orders, commitOf(...useOrder(ascending(1))))
      const requirements = [{ type: 'assert-default-sort-order-id' as const, 'default-sort-order-id': 0 }]
      await expectConflict(
        catalog.commitTable(orders, { requirements, updates: useOrder(ascending(2)) }),
        'the later change',
      )
      expectTable(await catalog.loadTable(orders), first, 'the table')
    },
  },
  {
    name: 'changes schema, spec, order and properties in one version',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      const { metadata } = await catalog.commitTable(
        orders,
        commitOf(
          ...useSchema(widened(made.metadata, column(3, 'more'))),
          ...useSpec(byCity, byBucket),
          ...useOrder(ascending(3)),
          { action: 'set-properties', updates: { a: '1' } },
        ),
      )
      const { 'current-schema-id': schemaId, 'default-spec-id': specId, 'default-sort-order-id': orderId } = metadata
      expectEqual([schemaId, specId, orderId], [1, 1, 1], 'schema, spec and order')
      expectProperties(metadata.properties, { owner: 'suite', a: '1' }, 'properties')
      expectEqual(metadata['metadata-log']?.length, 1, 'entries of the metadata log')
    },
  },
  {
    name: 'removes schemas and specs that nothing uses, and none that is in use',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      const wider = commitOf(...useSchema(widened(made.metadata, column(3, 'more'))), ...useSpec(byCity, byBucket))
      const grown = await catalog.commitTable(orders, wider)
      await expectOneOf(
        catalog.commitTable(orders, commitOf({ action: 'remove-schemas', 'schema-ids': [1] })),
        ['invalid'],
        'removing the current schema',
      )
      await expectOneOf(
        catalog.commitTable(orders, commitOf({ action: 'remove-partition-specs', 'spec-ids': [1] })),
        ['invalid'],
        'removing the default spec',
      )
      expectTable(await catalog.loadTable(orders), grown, 'the table')
      const { metadata } = await catalog.commitTable(
        orders,
        commitOf(
          { action: 'remove-schemas', 'schema-ids': [0] },
          { action: 'remove-partition-specs', 'spec-ids': [0] },
        ),
      )
      expectEqual(
        metadata.schemas.map((schema) => schema['schema-id']),
        [1],
        'schemas',
      )
      expectEqual(
        metadata['partition-specs'].map((spec) => spec['spec-id']),
        [1],
        'specs',
      )
    },
  },
  {
    name: 'upgrades a table to format version 3 with all that it has, and not back',
    async run({ catalog }) {
      const upgrade = (version: number) => commitOf({ action: 'upgrade-format-version', 'format-version': version })
      await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      const before = await catalog.loadTable(orders)
      await catalog.commitTable(orders, upgrade(2))
      const { metadata } = await catalog.commitTable(orders, upgrade(3))
      expectEqual([metadata['format-version'], metadata['next-row-id']], [3, 0], 'format version and next row id')
      expectEqual(metadata.snapshots, before.metadata.snapshots, 'snapshots')
      await expectOneOf(catalog.commitTable(orders, upgrade(2)), ['unsupported', 'invalid'], 'a way back')
      expectEqual((await catalog.loadTable(orders)).metadata, metadata, 'the table')
    },
  },
]
