import { sameInt64 } from '@moulin/core'
import type { LoadedTable, TableUpdate } from '@moulin/core'
import { errorOf, expectEqual, expectTrue } from '../assertions.ts'
import type { CatalogCheck, CatalogUnderTest } from './check.ts'
import { other } from './check.ts'
import { expectConflict, expectOneOf, expectSnapshots, expectTable } from './expect.ts'
import {
  ADDED_ROWS,
  appendOf,
  commitOf,
  createRequest,
  idOf,
  orders,
  partitionStatisticsOf,
  setBranch,
  setMain,
  snapshotOf,
  statisticsOf,
} from './fixtures.ts'

async function withSnapshots({ catalog }: CatalogUnderTest, count: number): Promise<LoadedTable> {
  let table = await catalog.createTable(orders, createRequest)
  for (let number = 1; number <= count; number++) table = await catalog.commitTable(orders, appendOf(number, table))
  return table
}

/** What becomes of snapshots, and of branches and tags. */
export const snapshotChecks: readonly CatalogCheck[] = [
  {
    name: 'appends one snapshot after the other, each with the next sequence number and its parent',
    async run(subject) {
      await withSnapshots(subject, 3)
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectSnapshots(metadata, [idOf(1), idOf(2), idOf(3)], idOf(3))
      const facts = metadata.snapshots!.map((one) => [one['sequence-number'], BigInt(one['parent-snapshot-id'] ?? 0)])
      expectEqual(
        facts,
        [
          [1, 0n],
          [2, idOf(1)],
          [3, idOf(2)],
        ],
        'sequence numbers and parents',
      )
      expectEqual(metadata['last-sequence-number'], 3, 'last sequence number')
    },
  },
  {
    name: 'logs each snapshot that became current, in the order of their times',
    async run(subject) {
      const { metadata } = await withSnapshots(subject, 3)
      const log = metadata['snapshot-log']!
      expectEqual(
        log.map((entry) => BigInt(entry['snapshot-id'])),
        [idOf(1), idOf(2), idOf(3)],
        'snapshot log',
      )
      const times = log.map((entry) => Number(entry['timestamp-ms']))
      expectEqual(
        times,
        times.toSorted((a, b) => a - b),
        'times of the snapshot log',
      )
    },
  },
  {
    name: 'lets an append that lost go on from the newer table',
    async run(subject) {
      const { catalog } = subject
      const old = await withSnapshots(subject, 1)
      const rival = await other(subject)
      await rival.commitTable(orders, appendOf(2, await rival.loadTable(orders)))
      await expectConflict(catalog.commitTable(orders, appendOf(3, old)), 'an append on the older table')
      await catalog.commitTable(orders, appendOf(3, await catalog.loadTable(orders)))
      expectSnapshots((await rival.loadTable(orders)).metadata, [idOf(1), idOf(2), idOf(3)], idOf(3))
    },
  },
  {
    name: 'keeps a snapshot that no branch names, and the current one as it is',
    async run(subject) {
      const { metadata } = await withSnapshots(subject, 1)
      const snapshot = snapshotOf(2, metadata)
      const after = await subject.catalog.commitTable(orders, commitOf({ action: 'add-snapshot', snapshot }))
      expectSnapshots(after.metadata, [idOf(1), idOf(2)], idOf(1))
      expectEqual(after.metadata['snapshot-log']?.length, 1, 'entries of the snapshot log')
    },
  },
  {
    name: 'keeps branches and tags beside main, and how long they are to last',
    async run(subject) {
      await withSnapshots(subject, 2)
      const audit: TableUpdate = {
        ...setBranch('audit', idOf(1)),
        'min-snapshots-to-keep': 3,
        'max-snapshot-age-ms': 86_400_000,
        'max-ref-age-ms': 604_800_000,
      } as TableUpdate
      const tag: TableUpdate = { action: 'set-snapshot-ref', 'ref-name': 'v1', type: 'tag', 'snapshot-id': idOf(1) }
      await subject.catalog.commitTable(orders, commitOf(audit, tag))
      const { metadata } = await (await other(subject)).loadTable(orders)
      const refs = metadata.refs!
      expectEqual(Object.keys(refs).sort(), ['audit', 'main', 'v1'], 'branches and tags')
      const { 'snapshot-id': at, ...rest } = refs['audit']!
      const { action: _, 'ref-name': __, 'snapshot-id': ___, ...wanted } = audit as Record<string, unknown>
      expectEqual([BigInt(at), rest], [idOf(1), wanted], 'the branch')
      expectEqual([refs['v1']!.type, BigInt(refs['v1']!['snapshot-id'])], ['tag', idOf(1)], 'the tag')
      expectSnapshots(metadata, [idOf(1), idOf(2)], idOf(2))
    },
  },
  {
    name: 'commits to a branch, and leaves main where it is',
    async run(subject) {
      const { metadata } = await withSnapshots(subject, 1)
      await subject.catalog.commitTable(orders, commitOf(setBranch('audit', idOf(1))))
      const snapshot = snapshotOf(2, metadata)
      const requirements = [{ type: 'assert-ref-snapshot-id' as const, ref: 'audit', 'snapshot-id': idOf(1) }]
      const commit = {
        requirements,
        updates: [{ action: 'add-snapshot' as const, snapshot }, setBranch('audit', idOf(2))],
      }
      const after = await subject.catalog.commitTable(orders, commit)
      expectSnapshots(after.metadata, [idOf(1), idOf(2)], idOf(1))
      expectTrue(sameInt64(after.metadata.refs!['audit']!['snapshot-id'], idOf(2)), 'the branch is at the new snapshot')
      await expectConflict(
        subject.catalog.commitTable(orders, { requirements, updates: [setBranch('audit', idOf(1))] }),
        'a commit to where the branch was',
      )
    },
  },
  {
    name: 'removes a branch and a tag, and their snapshot stays',
    async run(subject) {
      await withSnapshots(subject, 2)
      const tag: TableUpdate = { action: 'set-snapshot-ref', 'ref-name': 'v1', type: 'tag', 'snapshot-id': idOf(1) }
      await subject.catalog.commitTable(orders, commitOf(tag, setBranch('audit', idOf(1))))
      const remove = (name: string): TableUpdate => ({ action: 'remove-snapshot-ref', 'ref-name': name })
      const { metadata } = await subject.catalog.commitTable(orders, commitOf(remove('v1'), remove('audit')))
      expectEqual(Object.keys(metadata.refs!), ['main'], 'branches and tags')
      expectSnapshots(metadata, [idOf(1), idOf(2)], idOf(2))
    },
  },
  {
    name: 'refuses a branch or tag of a snapshot that is not there',
    async run(subject) {
      const before = await withSnapshots(subject, 1)
      const { catalog } = subject
      for (const name of ['audit', 'main'])
        await expectOneOf(catalog.commitTable(orders, commitOf(setBranch(name, idOf(9)))), ['invalid'], name)
      expectTable(await catalog.loadTable(orders), before, 'the table')
    },
  },
  {
    name: 'rolls main back to an older snapshot, and keeps the newer one',
    async run(subject) {
      await withSnapshots(subject, 3)
      await subject.catalog.commitTable(orders, commitOf(setMain(idOf(1))))
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectSnapshots(metadata, [idOf(1), idOf(2), idOf(3)], idOf(1))
      const next = await subject.catalog.commitTable(orders, appendOf(4, await subject.catalog.loadTable(orders)))
      expectEqual(next.metadata.snapshots!.at(-1)!['sequence-number'], 4, 'sequence number of the next snapshot')
    },
  },
  {
    name: 'expires snapshots: they go from the table and from its log',
    async run(subject) {
      await withSnapshots(subject, 4)
      const expire: TableUpdate = { action: 'remove-snapshots', 'snapshot-ids': [idOf(1), idOf(2)] }
      await subject.catalog.commitTable(orders, commitOf(expire))
      const { metadata } = await (await other(subject)).loadTable(orders)
      expectSnapshots(metadata, [idOf(3), idOf(4)], idOf(4))
      const logged = metadata['snapshot-log']!.map((entry) => BigInt(entry['snapshot-id']))
      expectEqual(logged, [idOf(3), idOf(4)], 'snapshot log')
      expectEqual(metadata['last-sequence-number'], 4, 'last sequence number')
    },
  },
  {
    name: 'leaves no branch or tag at a snapshot that was removed',
    async run(subject) {
      await withSnapshots(subject, 2)
      await subject.catalog.commitTable(orders, commitOf(setBranch('audit', idOf(1))))
      const expire: TableUpdate = { action: 'remove-snapshots', 'snapshot-ids': [idOf(1)] }
      const refused = await errorOf(subject.catalog.commitTable(orders, commitOf(expire)))
      if (refused !== undefined) await expectOneOf(Promise.reject(refused), ['invalid'], 'removing it')
      const { metadata } = await subject.catalog.loadTable(orders)
      const isThere = metadata.snapshots!.some((snapshot) => sameInt64(snapshot['snapshot-id'], idOf(1)))
      expectEqual(isThere, refused !== undefined, 'whether the snapshot is there')
      expectEqual(Object.hasOwn(metadata.refs!, 'audit'), isThere, 'whether the branch is there')
    },
  },
  {
    name: 'keeps the statistics of two snapshots apart, and forgets those of one that is removed',
    async run(subject) {
      const { metadata: made } = await withSnapshots(subject, 2)
      const updates = [1, 2].flatMap((number): TableUpdate[] => [
        { action: 'set-statistics', statistics: statisticsOf(number, made) },
        { action: 'set-partition-statistics', 'partition-statistics': partitionStatisticsOf(number, made) },
      ])
      await subject.catalog.commitTable(orders, commitOf(...updates))
      const expire: TableUpdate = { action: 'remove-snapshots', 'snapshot-ids': [idOf(1)] }
      await subject.catalog.commitTable(orders, commitOf(expire))
      const { metadata } = await subject.catalog.loadTable(orders)
      expectEqual(metadata.statistics, [statisticsOf(2, made)], 'statistics')
      expectEqual(metadata['partition-statistics'], [partitionStatisticsOf(2, made)], 'partition statistics')
    },
  },
  {
    name: 'replaces the statistics of a snapshot by later ones',
    async run(subject) {
      const { metadata: made } = await withSnapshots(subject, 1)
      const [first, second] = [statisticsOf(1, made), { ...statisticsOf(1, made), 'file-size-in-bytes': 999 }]
      for (const statistics of [first, second])
        await subject.catalog.commitTable(orders, commitOf({ action: 'set-statistics', statistics }))
      expectEqual((await subject.catalog.loadTable(orders)).metadata.statistics, [second], 'statistics')
    },
  },
  {
    name: 'gives the snapshots of format version 3 their row ids, and none twice',
    async run({ catalog }) {
      const properties = { 'format-version': '3' }
      const first = await catalog.createTable(orders, { ...createRequest, properties })
      const { metadata } = await catalog.commitTable(orders, appendOf(1, first))
      expectEqual(metadata['next-row-id'], ADDED_ROWS, 'next row id')
      const snapshot = { ...snapshotOf(2, metadata), 'first-row-id': ADDED_ROWS - 1 }
      await expectOneOf(
        catalog.commitTable(orders, commitOf({ action: 'add-snapshot', snapshot }, setMain(idOf(2)))),
        ['invalid', 'conflict'],
        'row ids that are taken',
      )
      const next = await catalog.commitTable(orders, appendOf(2, await catalog.loadTable(orders)))
      expectEqual(next.metadata['next-row-id'], 2 * ADDED_ROWS, 'next row id after the second')
      expectEqual(
        next.metadata.snapshots!.map((one) => one['first-row-id']),
        [0, ADDED_ROWS],
        'first row ids',
      )
    },
  },
]
