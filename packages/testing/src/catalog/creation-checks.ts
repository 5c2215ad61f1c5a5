import type { CreateTableRequest, IcebergSchema } from '@moulin/core'
import { errorOf, expectEqual, expectError, expectTrue } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other } from './check.ts'
import { expectOneOf, expectProperties, expectTable } from './expect.ts'
import { ascending, column, createRequest, orders, returns } from './fixtures.ts'

/** Numbered as Iceberg numbers anew: all fields of a level, then what lies in them. */
const nested: IcebergSchema = {
  type: 'struct',
  'identifier-field-ids': [1],
  fields: [
    { id: 1, name: 'id', required: true, type: 'long', doc: 'unique, „ü“ 🤪' },
    {
      id: 2,
      name: 'address',
      required: false,
      type: { type: 'struct', fields: [column(5, 'street'), { ...column(6, 'zip', 'int'), required: true }] },
    },
    {
      id: 3,
      name: 'tags',
      required: false,
      type: { type: 'list', 'element-id': 7, element: 'string', 'element-required': false },
    },
    {
      id: 4,
      name: 'prices',
      required: false,
      type: {
        type: 'map',
        'key-id': 8,
        key: 'string',
        'value-id': 9,
        value: 'double',
        'value-required': false,
      },
    },
  ],
}

const firstSchema = ({ metadata }: { readonly metadata: { readonly schemas: readonly IcebergSchema[] } }): unknown =>
  metadata.schemas[0]!.fields

/** What a new table is. */
export const creationChecks: readonly CatalogCheck[] = [
  {
    name: 'gives a new table its first ids, no snapshot and a place of its own',
    async run({ catalog }) {
      const { metadata, metadataLocation } = await catalog.createTable(orders, { schema: createRequest.schema })
      const { 'current-schema-id': schema, 'default-spec-id': spec, 'default-sort-order-id': order } = metadata
      expectEqual([schema, spec, order], [0, 0, 0], 'schema, spec and sort order')
      expectEqual(metadata['partition-specs'], [{ 'spec-id': 0, fields: [] }], 'partition specs')
      expectEqual(metadata['sort-orders'], [{ 'order-id': 0, fields: [] }], 'sort orders')
      expectEqual([metadata['last-column-id'], metadata['last-partition-id']], [2, 999], 'last ids')
      expectEqual([metadata['format-version'], metadata['last-sequence-number']], [2, 0], 'format and sequence number')
      expectEqual([metadata.snapshots ?? [], metadata['current-snapshot-id'] ?? -1], [[], -1], 'snapshots')
      expectEqual(metadata['metadata-log'] ?? [], [], 'metadata log')
      expectTrue(metadata.location !== '' && !metadata.location.endsWith('/'), 'the table has a location')
      expectTrue(metadataLocation.length > 0, 'the metadata has a location')
    },
  },
  {
    name: 'creates a table with the sort order that is asked for',
    async run(subject) {
      const sortOrder = { 'order-id': 1, fields: [ascending(2), ascending(1)] }
      await subject.catalog.createTable(orders, { ...createRequest, sortOrder })
      const { metadata } = await (await other(subject)).loadTable(orders)
      const order = metadata['sort-orders'].find((one) => one['order-id'] === metadata['default-sort-order-id'])
      expectEqual(order, sortOrder, 'sort order')
    },
  },
  {
    name: 'creates a table of format version 3 where it is asked for, and keeps no property of that name',
    async run(subject) {
      const properties = { owner: 'suite', 'format-version': '3' }
      await subject.catalog.createTable(orders, { ...createRequest, properties })
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectEqual([metadata['format-version'], metadata['next-row-id']], [3, 0], 'format version and next row id')
      expectProperties(metadata.properties, { owner: 'suite' }, 'properties', 'format-version')
    },
  },
  {
    name: 'refuses a format version that there is not',
    async run({ catalog }) {
      const call = catalog.createTable(orders, { ...createRequest, properties: { 'format-version': '77' } })
      await expectOneOf(call, ['unsupported', 'invalid'], 'format version 77')
      await expectError(catalog.loadTable(orders), 'not-found', 'load of it')
    },
  },
  {
    name: 'keeps nested types, required columns, documentation and identifier fields of a schema',
    async run(subject) {
      await subject.catalog.createTable(orders, { schema: nested })
      const loaded = await (await other(subject)).loadTable(orders)
      expectEqual(firstSchema(loaded), nested.fields, 'fields')
      expectEqual(loaded.metadata.schemas[0]!['identifier-field-ids'], [1], 'identifier fields')
      expectEqual(loaded.metadata['last-column-id'], 9, 'last column id')
    },
  },
  {
    name: 'keeps the defaults of columns of format version 3',
    async run(subject) {
      const schema: IcebergSchema = {
        type: 'struct',
        fields: [{ id: 1, name: 'n', required: true, type: 'int', 'initial-default': 12, 'write-default': 10 }],
      }
      await subject.catalog.createTable(orders, { schema, properties: { 'format-version': '3' } })
      expectEqual(firstSchema(await (await other(subject)).loadTable(orders)), schema.fields, 'fields')
    },
  },
  {
    name: 'refuses a schema that has a name twice, and creates nothing',
    async run({ catalog }) {
      const schema: IcebergSchema = { type: 'struct', fields: [column(1, 'a'), column(2, 'a', 'int')] }
      await expectOneOf(catalog.createTable(orders, { schema }), ['invalid'], 'a repeated name')
      await expectError(catalog.loadTable(orders), 'not-found', 'load of it')
    },
  },
  {
    name: 'refuses a partition spec of a column that is not there, and creates nothing',
    async run({ catalog }) {
      const partitionSpec = { fields: [{ 'source-id': 77, 'field-id': 1000, name: 'x', transform: 'identity' }] }
      await expectOneOf(
        catalog.createTable(orders, { ...createRequest, partitionSpec }),
        ['invalid'],
        'an unknown source',
      )
      await expectError(catalog.loadTable(orders), 'not-found', 'load of it')
    },
  },
  {
    name: 'puts a table where it is asked to, or says that it cannot and creates nothing',
    async run({ catalog }) {
      const location = 's3://a-place-of-somebody-else/orders'
      const error = await errorOf(catalog.createTable(orders, { ...createRequest, location }))
      if (error === undefined) {
        expectEqual((await catalog.loadTable(orders)).metadata.location, location, 'location')
        return
      }
      // What a server that is far away says of it has no code.
      await expectOneOf(Promise.reject(error), ['unsupported', 'invalid'], 'a location that cannot be given')
      await expectError(catalog.loadTable(orders), 'not-found', 'load of it')
    },
  },
  {
    name: 'takes the location that it would give by itself',
    async run({ catalog }) {
      const { metadata } = await catalog.stageTable(orders, createRequest)
      const made = await catalog.createTable(orders, { ...createRequest, location: metadata.location })
      expectEqual(made.metadata.location, metadata.location, 'location')
    },
  },
  {
    name: 'puts no two tables in one place, nor one in the other',
    async run({ catalog }) {
      const tables = [
        orders,
        returns,
        { namespace: ['shop'], name: 'orders2' },
        { namespace: ['shop2'], name: 'orders' },
      ]
      const places: string[] = []
      for (const table of tables) places.push(`${(await catalog.createTable(table, createRequest)).metadata.location}/`)
      for (const place of places)
        expectEqual(places.filter((one) => one.startsWith(place)).length, 1, `tables at or below ${place}`)
    },
  },
  {
    name: 'says not-found for a table in a namespace that is not there',
    async run({ catalog }) {
      await expectError(catalog.loadTable({ namespace: ['nowhere'], name: 'x' }), 'not-found', 'load')
      await expectError(catalog.dropTable({ namespace: ['nowhere'], name: 'x' }), 'not-found', 'drop')
    },
  },
  {
    name: 'tells tables of one name in two namespaces apart',
    async run({ catalog }) {
      const twin = { namespace: ['shop', 'eu'], name: 'orders' }
      const [one, two] = [
        await catalog.createTable(orders, createRequest),
        await catalog.createTable(twin, createRequest),
      ]
      expectTrue(one.metadata['table-uuid'] !== two.metadata['table-uuid'], 'each has a UUID of its own')
      await catalog.dropTable(orders)
      expectTable(await catalog.loadTable(twin), two, 'the other one')
    },
  },
  {
    name: 'shows a table that one client made to others at once, and its drop',
    async run(subject) {
      const reader = await other(subject)
      await expectError(reader.loadTable(orders), 'not-found', 'load before')
      const made = await subject.catalog.createTable(orders, createRequest)
      expectTable(await reader.loadTable(orders), made, 'what the other client loads')
      await subject.catalog.dropTable(orders)
      await expectError(reader.loadTable(orders), 'not-found', 'load by the other client after the drop')
      const again = await reader.createTable(orders, createRequest satisfies CreateTableRequest)
      expectTable(await subject.catalog.loadTable(orders), again, 'what the first client loads')
    },
  },
  {
    name: 'drops a table once, of many who try',
    async run(subject) {
      await subject.catalog.createTable(orders, createRequest)
      const clients = [subject.catalog, await other(subject), await other(subject), await other(subject)]
      const errors = await Promise.all(clients.map((catalog) => errorOf(catalog.dropTable(orders))))
      const lost = errors.filter((error) => error !== undefined)
      expectEqual(lost.length, clients.length - 1, 'drops that were refused')
      for (const error of lost) await expectOneOf(Promise.reject(error), ['not-found', 'conflict'], 'a drop that lost')
      await expectError(subject.catalog.loadTable(orders), 'not-found', 'load')
    },
  },
  {
    name: 'says before a table is made whether a file has room below it, where it knows its place, and makes nothing',
    async run({ catalog }) {
      if (catalog.checkRoom === undefined) return
      await catalog.checkRoom(orders, 'metadata/snap-1-1-commit.avro')
      const longer = 'data/'.repeat(2_000)
      await expectError(catalog.checkRoom(orders, `${longer}x`), 'invalid', 'room for a path of 10 kB', 'KEY_ROOM')
      await expectError(catalog.loadTable(orders), 'not-found', 'load of a table that was only asked about')
    },
  },
]
