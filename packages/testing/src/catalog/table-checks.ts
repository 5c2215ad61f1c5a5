import { sameInt64 } from '@moulin/core'
import type { TableRequirement, TableUpdate } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other, race, RACERS, rejection } from './check.ts'
import { copyOf, expectConflict, expectOneOf, expectProperties, expectTable } from './expect.ts'
import {
  appendOf,
  BIG_ID,
  brokenRequirements,
  createRequest,
  orders,
  partitionStatisticsOf,
  returns,
  setMain,
  setProperty,
  snapshotOf,
  statisticsOf,
  tablesOf,
} from './fixtures.ts'

const requirementKinds = [
  'assert-create',
  'assert-table-uuid',
  'assert-ref-snapshot-id',
  'assert-last-assigned-field-id',
  'assert-current-schema-id',
  'assert-last-assigned-partition-id',
  'assert-default-spec-id',
  'assert-default-sort-order-id',
] as const satisfies readonly TableRequirement['type'][]

function failsOn(kind: TableRequirement['type']): CatalogCheck {
  return {
    name: `fails a commit whose requirement does not hold, and leaves the table as it was: ${kind}`,
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      await catalog.commitTable(orders, appendOf(1, made))
      const before = await catalog.loadTable(orders)
      const requirement = brokenRequirements(before).find(({ type }) => type === kind)!
      const commit = { ...setProperty('a', kind), requirements: [requirement] }
      await expectConflict(catalog.commitTable(orders, commit), kind)
      expectTable(await catalog.loadTable(orders), before, 'the table')
    },
  }
}

/** What every catalog promises of its tables, first of all. */
export const tableChecks: readonly CatalogCheck[] = [
  {
    name: 'creates a table and loads it again',
    async run(subject) {
      const made = await subject.catalog.createTable(orders, createRequest)
      expectEqual(made.identifier, orders, 'identifier')
      expectTrue(made.metadata['table-uuid'].length === 36, 'the table has a UUID')
      expectEqual(made.metadata.schemas[0]!.fields, createRequest.schema.fields, 'fields')
      expectEqual(made.metadata['partition-specs'][0]!.fields, createRequest.partitionSpec!.fields, 'partition fields')
      expectEqual(made.metadata.properties?.['owner'], 'suite', 'property')
      expectTable(await (await other(subject)).loadTable(orders), made, 'loaded table')
    },
  },
  {
    name: 'refuses a table that exists and leaves it as it was',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      await expectError(catalog.createTable(orders, { ...createRequest, properties: {} }), 'exists', 'second create')
      expectTable(await catalog.loadTable(orders), made, 'the first table')
    },
  },
  {
    name: 'lets exactly one of many racing creates win',
    async run(subject) {
      const { made, lost } = await race(subject, (catalog) => catalog.createTable(orders, createRequest))
      expectTrue(made.length === 1, `${made.length} creates were told that they made the table`)
      for (const error of lost) await expectError(rejection(error), 'exists', 'losing create')
      expectTable(await subject.catalog.loadTable(orders), made[0]!, 'the table')
    },
  },
  {
    name: 'says not-found for a table that is not there',
    async run({ catalog }) {
      await expectError(catalog.loadTable(orders), 'not-found', 'load')
      await expectError(catalog.commitTable(orders, setProperty('a', '1')), 'not-found', 'commit')
      await expectError(catalog.dropTable(orders), 'not-found', 'drop')
    },
  },
  {
    name: 'lists every table once',
    async run({ catalog }) {
      expectEqual(await tablesOf(catalog), [], 'tables of an empty catalog')
      await catalog.createTable(orders, createRequest)
      await catalog.createTable(returns, createRequest)
      await catalog.commitTable(orders, setProperty('a', '1'))
      expectEqual(await tablesOf(catalog), ['shop.eu.returns', 'shop.orders'], 'tables')
    },
  },
  {
    name: 'drops a table, and makes another one of its name',
    async run({ catalog }) {
      const first = await catalog.createTable(orders, createRequest)
      await catalog.commitTable(orders, setProperty('a', '1'))
      await catalog.createTable(returns, createRequest)
      await catalog.dropTable(orders)
      await expectError(catalog.loadTable(orders), 'not-found', 'load after drop')
      await expectError(catalog.commitTable(orders, setProperty('b', '1')), 'not-found', 'commit after drop')
      expectEqual(await tablesOf(catalog), ['shop.eu.returns'], 'tables after drop')
      const second = await catalog.createTable(orders, createRequest)
      expectTrue(second.metadata['table-uuid'] !== first.metadata['table-uuid'], 'the new table has a UUID of its own')
      expectProperties(second.metadata.properties, { owner: 'suite' }, 'properties of the new table', 'a')
      expectTable(await catalog.loadTable(orders), second, 'the new table')
    },
  },
  {
    name: 'applies all updates of a commit, and shows them to others at once',
    async run(subject) {
      const table = await subject.catalog.createTable(orders, createRequest)
      const reader = await other(subject)
      await reader.loadTable(orders)
      const { requirements, updates } = appendOf(1, table)
      const properties: TableUpdate = { action: 'set-properties', updates: { a: '1' } }
      const made = await subject.catalog.commitTable(orders, { requirements, updates: [...updates, properties] })
      const seen = await reader.loadTable(orders)
      expectTable(seen, made, 'what another client loads, having loaded before')
      expectTrue(sameInt64(seen.metadata['current-snapshot-id'], BIG_ID + 1n), 'the snapshot is current')
      expectProperties(seen.metadata.properties, { owner: 'suite', a: '1' }, 'properties')
    },
  },
  {
    name: 'applies no update of a commit when one is invalid',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const before = await catalog.loadTable(orders)
      const updates: TableUpdate[] = [{ action: 'set-properties', updates: { a: '1' } }, setMain(BIG_ID + 77n)]
      await expectError(catalog.commitTable(orders, { requirements: [], updates }), 'invalid', 'unknown snapshot')
      expectTable(await catalog.loadTable(orders), before, 'the table')
    },
  },
  {
    name: 'refuses an update that it does not know',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const before = await catalog.loadTable(orders)
      const updates = [
        { action: 'set-properties', updates: { a: '1' } },
        { action: 'add-mood', mood: 'good' },
      ]
      const commit = { requirements: [], updates: updates as unknown as TableUpdate[] }
      await expectOneOf(catalog.commitTable(orders, commit), ['unsupported', 'invalid'], 'unknown update')
      expectTable(await catalog.loadTable(orders), before, 'the table')
    },
  },
  {
    name: 'refuses an update of a later format version',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const before = await catalog.loadTable(orders)
      const key = { 'key-id': 'k', 'encrypted-key-metadata': 'AA==' }
      const later: TableUpdate[] = [
        { action: 'enable-row-lineage' },
        { action: 'add-encryption-key', 'encryption-key': key },
        { action: 'remove-encryption-key', 'key-id': 'k' },
      ]
      for (const update of later) {
        const commit = { requirements: [], updates: [...setProperty('a', '1').updates, update] }
        await expectOneOf(catalog.commitTable(orders, commit), ['unsupported', 'invalid'], update.action)
        expectTable(await catalog.loadTable(orders), before, `the table after ${update.action}`)
      }
    },
  },
  {
    name: 'keeps the statistics of a snapshot until they are removed',
    async run(subject) {
      const made = await subject.catalog.createTable(orders, createRequest)
      await subject.catalog.commitTable(orders, appendOf(1, made))
      const file = statisticsOf(1, made.metadata)
      const reader = await other(subject)
      const commit = async (...updates: TableUpdate[]): Promise<unknown> =>
        subject.catalog.commitTable(orders, { requirements: [], updates })
      await commit(
        { action: 'set-statistics', statistics: file },
        { action: 'set-partition-statistics', 'partition-statistics': partitionStatisticsOf(1, made.metadata) },
      )
      const { metadata: set } = await reader.loadTable(orders)
      expectEqual(set.statistics, [file], 'statistics')
      expectEqual(set['partition-statistics'], [partitionStatisticsOf(1, made.metadata)], 'partition statistics')
      await commit({ action: 'remove-statistics', 'snapshot-id': BIG_ID + 1n })
      const { metadata: left } = await reader.loadTable(orders)
      expectEqual(left.statistics ?? [], [], 'statistics that were removed')
      expectEqual(left['partition-statistics'], set['partition-statistics'], 'partition statistics, which were not')
    },
  },
  ...requirementKinds.map(failsOn),
  {
    name: 'keeps 64-bit ids exact',
    async run(subject) {
      await subject.catalog.createTable(orders, createRequest)
      for (let number = 1; number <= 3; number++)
        await subject.catalog.commitTable(orders, appendOf(number, await subject.catalog.loadTable(orders)))
      const { metadata } = await (await other(subject)).loadTable(orders)
      const ids = metadata.snapshots!.map((snapshot) => BigInt(snapshot['snapshot-id']))
      expectEqual(ids, [BIG_ID + 1n, BIG_ID + 2n, BIG_ID + 3n], 'snapshot ids')
      expectTrue(sameInt64(metadata['current-snapshot-id'], BIG_ID + 3n), 'current snapshot id')
    },
  },
  {
    name: 'keeps properties and summaries that it does not know',
    async run(subject) {
      const properties = { owner: 'suite', 'x.unknown': 'kept', 'moulin.marker.x': '{"a":"1"}' }
      const made = await subject.catalog.createTable(orders, { ...createRequest, properties })
      await subject.catalog.commitTable(orders, appendOf(1, made))
      await subject.catalog.commitTable(orders, setProperty('a', '1'))
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectProperties(metadata.properties, { ...properties, a: '1' }, 'properties')
      expectEqual(metadata.snapshots![0]!.summary['x-number'], '1', 'summary')
    },
  },
  {
    name: 'lets exactly one of many racing appends win',
    async run(subject) {
      const table = await subject.catalog.createTable(orders, createRequest)
      const { made, lost } = await race(subject, (catalog, racer) =>
        catalog.commitTable(orders, appendOf(racer, table)),
      )
      expectTrue(made.length === 1, `${made.length} of ${RACERS} appends on one snapshot were acknowledged`)
      for (const error of lost) {
        const { outcome } = await expectError(rejection(error), 'conflict', 'losing append')
        expectTrue(outcome === 'rejected', 'a lost race is a rejection')
      }
      const { metadata } = await subject.catalog.loadTable(orders)
      expectTrue(metadata.snapshots!.length === 1, 'the table has one snapshot')
      expectEqual(metadata['current-snapshot-id'], made[0]!.metadata['current-snapshot-id'], 'the winner is current')
    },
  },
  {
    name: 'loses no acknowledged commit of many that race',
    async run(subject) {
      await subject.catalog.createTable(orders, createRequest)
      const wanted: Record<string, string> = { owner: 'suite' }
      for (let round = 0; round < 4; round++) {
        await race(subject, async (catalog, racer) => {
          await catalog.commitTable(orders, setProperty(`p${round}-${racer}`, 'x'))
          wanted[`p${round}-${racer}`] = 'x'
        })
      }
      expectProperties((await subject.catalog.loadTable(orders)).metadata.properties, wanted, 'acknowledged properties')
    },
  },
  {
    name: 'moves the metadata location with every commit and names the earlier one in the metadata log',
    async run({ catalog }) {
      const locations = [(await catalog.createTable(orders, createRequest)).metadataLocation]
      for (let number = 1; number <= 3; number++) {
        const made = await catalog.commitTable(orders, setProperty('n', String(number)))
        const files = made.metadata['metadata-log']?.map((entry) => entry['metadata-file'])
        expectEqual(files, locations, 'metadata log')
        expectTrue(!locations.includes(made.metadataLocation), 'each commit has a metadata location of its own')
        locations.push(made.metadataLocation)
      }
    },
  },
  {
    name: 'gives answers that later commits do not change',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      const loaded = await catalog.loadTable(orders)
      const copies = [copyOf(made), copyOf(loaded)]
      await catalog.commitTable(orders, appendOf(1, loaded))
      expectEqual(made, copies[0], 'the answer of create')
      expectEqual(loaded, copies[1], 'the answer of load')
    },
  },
  {
    name: 'refuses a snapshot id or sequence number that was there before',
    async run({ catalog }) {
      const first = await catalog.commitTable(orders, appendOf(1, await catalog.createTable(orders, createRequest)))
      // Of a manifest list of its own: the very same may be taken for a second arrival of the commit that was made.
      const again = {
        ...snapshotOf(1, first.metadata),
        'manifest-list': `${first.metadata.location}/metadata/again.avro`,
      }
      const low = { ...snapshotOf(2, first.metadata), 'sequence-number': first.metadata['last-sequence-number'] }
      for (const snapshot of [again, low]) {
        const commit = { requirements: [], updates: [{ action: 'add-snapshot' as const, snapshot }] }
        await expectOneOf(catalog.commitTable(orders, commit), ['invalid', 'conflict'], 'repeated snapshot')
      }
      expectEqual((await catalog.loadTable(orders)).metadata, first.metadata, 'the table')
    },
  },
  {
    name: 'does nothing when its signal has fired before the call',
    async run({ catalog }) {
      const before = await catalog.createTable(orders, createRequest)
      const options = { signal: AbortSignal.abort() }
      await expectError(catalog.createTable(returns, createRequest, options), 'aborted', 'create')
      await expectError(catalog.stageTable(returns, createRequest, options), 'aborted', 'stage')
      await expectError(catalog.commitTable(orders, setProperty('a', '1'), options), 'aborted', 'commit')
      await expectError(catalog.dropTable(orders, options), 'aborted', 'drop')
      expectTable(await catalog.loadTable(orders), before, 'the table')
      expectEqual(await tablesOf(catalog), ['shop.orders'], 'tables')
    },
  },
]
