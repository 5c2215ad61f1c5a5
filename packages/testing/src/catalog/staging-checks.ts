import { sameInt64 } from '@moulin/core'
import { errorOf, expectEqual, expectError, expectTrue } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other, race, RACERS, rejection } from './check.ts'
import { expectConflict, expectOneOf, expectProperties, expectSnapshots, expectTable } from './expect.ts'
import {
  ascending,
  byBucket,
  byCity,
  column,
  createRequest,
  creationOf,
  idOf,
  orders,
  returns,
  setMain,
  setProperty,
  snapshotOf,
  tablesOf,
  useOrder,
  useSchema,
  useSpec,
  widened,
} from './fixtures.ts'

/** Tables that come to be by a commit. */
export const stagingChecks: readonly CatalogCheck[] = [
  {
    name: 'stages what it would create, and creates nothing',
    async run(subject) {
      const sortOrder = { 'order-id': 1, fields: [ascending(1)] }
      const { identifier, metadata } = await subject.catalog.stageTable(orders, { ...createRequest, sortOrder })
      expectEqual(identifier, orders, 'identifier')
      expectEqual(metadata.schemas[0]!.fields, createRequest.schema.fields, 'fields')
      expectEqual(metadata['partition-specs'][0]!.fields, createRequest.partitionSpec!.fields, 'partition fields')
      expectEqual(metadata['sort-orders'].at(-1), sortOrder, 'sort order')
      expectProperties(metadata.properties, { owner: 'suite' }, 'properties')
      expectTrue(metadata['table-uuid'].length === 36 && metadata.location !== '', 'it has a UUID and a location')
      const reader = await other(subject)
      await expectError(reader.loadTable(orders), 'not-found', 'load')
      expectEqual(await tablesOf(reader), [], 'tables')
      await reader.createTable(orders, createRequest)
    },
  },
  {
    name: 'does not stage a table that exists',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      await expectError(catalog.stageTable(orders, createRequest), 'exists', 'stage')
      expectTable(await catalog.loadTable(orders), made, 'the table')
    },
  },
  {
    name: 'creates a staged table by a commit, with its first snapshot',
    async run(subject) {
      const staged = await subject.catalog.stageTable(orders, createRequest)
      const snapshot = snapshotOf(1, staged.metadata)
      const commit = creationOf(staged, { action: 'add-snapshot', snapshot }, setMain(idOf(1)))
      const made = await subject.catalog.commitTable(orders, commit)
      const loaded = await (await other(subject)).loadTable(orders)
      expectTable(loaded, made, 'loaded table')
      const { metadata } = loaded
      expectEqual(metadata['table-uuid'], staged.metadata['table-uuid'], 'UUID')
      expectEqual(metadata.location, staged.metadata.location, 'location')
      expectSnapshots(metadata, [idOf(1)], idOf(1))
      expectEqual(metadata['last-sequence-number'], 1, 'last sequence number')
      expectEqual(metadata['metadata-log'] ?? [], [], 'metadata log')
      expectProperties(metadata.properties, { owner: 'suite' }, 'properties')
      expectEqual(await tablesOf(subject.catalog), ['shop.orders'], 'tables')
    },
  },
  {
    name: 'creates a table by a commit whose schema, spec and order changed since it was staged',
    async run({ catalog }) {
      const staged = await catalog.stageTable(orders, {
        ...createRequest,
        sortOrder: { 'order-id': 1, fields: [ascending(1)] },
      })
      const schema = widened(staged.metadata, column(3, 'more'))
      const more = [...useSchema(schema), ...useSpec(byCity, byBucket), ...useOrder(ascending(3))]
      const { metadata } = await catalog.commitTable(orders, creationOf(staged, ...more))
      const { 'current-schema-id': schemaId, 'default-spec-id': specId, 'default-sort-order-id': orderId } = metadata
      expectEqual([schemaId, specId, orderId], [1, 1, 2], 'ids of schema, spec and order')
      expectEqual([metadata['last-column-id'], metadata['last-partition-id']], [3, 1001], 'last ids')
      expectEqual(
        metadata.schemas.map(({ fields }) => fields.length),
        [2, 3],
        'columns of the schemas',
      )
    },
  },
  {
    name: 'creates a table by a commit only where there is none',
    async run({ catalog }) {
      const staged = await catalog.stageTable(orders, createRequest)
      const made = await catalog.createTable(orders, createRequest)
      await expectConflict(catalog.commitTable(orders, creationOf(staged)), 'a creation that came late')
      expectTable(await catalog.loadTable(orders), made, 'the table')
    },
  },
  {
    name: 'lets exactly one of many racing commits create the table',
    async run(subject) {
      const { made, lost } = await race(subject, async (catalog) =>
        catalog.commitTable(orders, creationOf(await catalog.stageTable(orders, createRequest))),
      )
      expectTrue(made.length === 1, `${made.length} of ${RACERS} were told that they made the table`)
      for (const error of lost) await expectOneOf(rejection(error), ['conflict', 'exists'], 'a creation that lost')
      expectTable(await subject.catalog.loadTable(orders), made[0]!, 'the table')
    },
  },
  {
    name: 'creates nothing by a commit that makes no whole table',
    async run({ catalog }) {
      const staged = await catalog.stageTable(orders, createRequest)
      const { requirements, updates } = creationOf(staged)
      const partial = updates.filter(({ action }) => !action.endsWith('-schema'))
      const error = await errorOf(catalog.commitTable(orders, { requirements, updates: partial }))
      expectTrue(error !== undefined, 'a table without a schema was created')
      await expectError(catalog.loadTable(orders), 'not-found', 'load')
    },
  },
  {
    name: 'creates nothing by a commit that also requires something of the table',
    async run({ catalog }) {
      const { updates } = creationOf(await catalog.stageTable(orders, createRequest))
      const uuid = '00000000-0000-4000-8000-000000000000'
      const requirements = [{ type: 'assert-create' as const }, { type: 'assert-table-uuid' as const, uuid }]
      await expectOneOf(catalog.commitTable(orders, { requirements, updates }), ['invalid', 'conflict'], 'the commit')
      await expectError(catalog.loadTable(orders), 'not-found', 'load')
    },
  },
  {
    name: 'does not create a table by a commit that does not ask for it',
    async run({ catalog }) {
      const { updates } = creationOf(await catalog.stageTable(orders, createRequest))
      await expectError(catalog.commitTable(orders, { requirements: [], updates }), 'not-found', 'the commit')
      await expectError(catalog.loadTable(orders), 'not-found', 'load')
    },
  },
  {
    name: 'creates a table anew after a drop, by a commit',
    async run({ catalog }) {
      const first = await catalog.createTable(orders, createRequest)
      await catalog.commitTable(orders, setProperty('a', '1'))
      await catalog.dropTable(orders)
      const staged = await catalog.stageTable(orders, createRequest)
      const { metadata } = await catalog.commitTable(orders, creationOf(staged))
      expectTrue(metadata['table-uuid'] !== first.metadata['table-uuid'], 'it has a UUID of its own')
      expectProperties(metadata.properties, { owner: 'suite' }, 'properties', 'a')
      expectTrue(sameInt64(metadata['last-sequence-number'], 0), 'it begins at sequence number 0')
    },
  },
  {
    name: 'goes on with a table that a commit created, like with any other',
    async run(subject) {
      await subject.catalog.commitTable(orders, creationOf(await subject.catalog.stageTable(orders, createRequest)))
      const writer = await other(subject)
      await writer.commitTable(orders, setProperty('a', '1'))
      const { metadata } = await subject.catalog.loadTable(orders)
      expectProperties(metadata.properties, { owner: 'suite', a: '1' }, 'properties')
      expectEqual(metadata['metadata-log']?.length, 1, 'entries of the metadata log')
      await subject.catalog.createTable(returns, createRequest)
      await subject.catalog.dropTable(orders)
      expectEqual(await tablesOf(writer), ['shop.eu.returns'], 'tables')
    },
  },
]
