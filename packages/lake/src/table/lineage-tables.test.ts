import { isKind } from '@moulin/core'
import type { Catalog, ColdTopic, Snapshot, TableStores, TableUpdate } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { change, foreignAppend, tableOf } from '../foreign.test-support.ts'
import type { ForeignRow } from '../foreign.test-support.ts'
import { checkTable, readAll, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { markerKey } from './marker.ts'

async function tieredLog(): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog()
  const topic = await log.attach()
  for (const text of ['a', 'b']) {
    for (const partition of [0, 1]) log.hot.send(partition, [{ value: utf8(text) }, { value: utf8(text) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  return { log, topic }
}

async function snapshots(log: TestLog): Promise<readonly Snapshot[]> {
  return (await tableOf(log)).metadata.snapshots!
}

const mainAt = (snapshot: Snapshot): TableUpdate => ({
  action: 'set-snapshot-ref',
  'ref-name': 'main',
  type: 'branch',
  'snapshot-id': snapshot['snapshot-id'],
})

async function markerText(log: TestLog): Promise<string> {
  return (await tableOf(log)).metadata.properties![markerKey(log.info.id)]!
}

async function editMarker(log: TestLog, edit: (text: string) => string): Promise<void> {
  const text = await markerText(log)
  const edited = edit(text)
  expect(edited).not.toBe(text)
  await change(log, [{ action: 'set-properties', updates: { [markerKey(log.info.id)]: edited } }])
}

async function expireToMain(log: TestLog): Promise<void> {
  const { metadata } = await tableOf(log)
  const main = String(metadata['current-snapshot-id'])
  const old = metadata.snapshots!.map((snapshot) => snapshot['snapshot-id']).filter((id) => String(id) !== main)
  await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': old }])
}

interface Case {
  readonly what: string
  readonly fault: string
  readonly harm: (log: TestLog) => Promise<void>
}

const cases: readonly Case[] = [
  {
    what: 'a rollback to the snapshot before',
    fault: 'left-main',
    harm: async (log) => change(log, [mainAt((await snapshots(log))[0]!)]),
  },
  {
    what: 'a replace without rows',
    fault: 'left-main',
    harm: (log) => change(log, [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }]),
  },
  {
    what: 'a replace with rows',
    fault: 'left-main',
    harm: async (log) => {
      await change(log, [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }])
      await foreignAppend(log, [{ partition: null, offset: null }])
    },
  },
  {
    what: 'a rollback below our last commit, two foreign appends and then expiry to one snapshot',
    fault: 'cut-chain',
    harm: async (log) => {
      await change(log, [mainAt((await snapshots(log))[0]!)])
      await foreignAppend(log, [{ partition: null, offset: null }])
      await foreignAppend(log, [{ partition: null, offset: null }])
      await expireToMain(log)
    },
  },
  {
    what: 'a marker with another number of rows',
    fault: 'unreadable-marker',
    harm: (log) => editMarker(log, (text) => text.replace('"0","4","3","4"', '"0","4","3","3"')),
  },
  {
    what: 'a marker whose frontier was raised',
    fault: 'edited-marker',
    harm: (log) =>
      editMarker(log, (text) => text.replace('"0","4","3","4","0","0","0"', '"0","9","3","4","0","0","5"')),
  },
  {
    what: 'a marker whose frontier was lowered',
    fault: 'edited-marker',
    harm: (log) => editMarker(log, (text) => text.replace('"0","4","3","4"', '"0","3","2","3"')),
  },
  {
    what: 'a marker of an empty table',
    fault: 'marker-behind-table',
    harm: async (log) => {
      const fresh = testLog()
      await fresh.attach()
      const text = await markerText(fresh)
      await editMarker(log, () => text)
    },
  },
  { what: 'a marker that is no JSON', fault: 'unreadable-marker', harm: (log) => editMarker(log, () => '{') },
  {
    what: 'a marker that is gone',
    fault: 'no-marker',
    harm: (log) => change(log, [{ action: 'remove-properties', removals: [markerKey(log.info.id)] }]),
  },
  {
    what: 'the marker of a second log',
    fault: 'other-log',
    harm: async (log) => {
      const text = (await markerText(log)).replaceAll('1111', '9999').replaceAll('2222', '8888')
      await change(log, [{ action: 'set-properties', updates: { [markerKey('another')]: text } }])
    },
  },
]

const strangeRows: readonly (readonly [what: string, rows: readonly ForeignRow[]])[] = [
  [
    'at the frontier',
    [
      { partition: 1, offset: 9n },
      { partition: 0, offset: 4n },
    ],
  ],
  ['of an incarnation to come', [{ partition: 0, offset: 0n, incarnation: 2 }]],
  ['of a partition that the log does not have', [{ partition: 7, offset: 0n }]],
]

async function consume(iterable: AsyncIterable<unknown>): Promise<void> {
  for await (const value of iterable) expect(value).toBeDefined()
}

describe('the verdict on a table that others changed', () => {
  it.each(cases)('names $what at every use, with the offsets in doubt', async ({ fault, harm }) => {
    const { log, topic } = await tieredLog()
    log.hot.release([3n, 0n])
    await harm(log)
    log.hot.send(0, [{ value: utf8('c') }])
    const uses: (() => Promise<unknown>)[] = [
      () => topic.tier({ upTo: log.hot.committedOffsets() }),
      () => consume(topic.read({ partition: 0, from: 0n, to: 4n })),
      () => consume(topic.readAt([{ partition: 0, offset: 1n }])),
      () => topic.scan({}).count(),
      () => topic.scan({}).toArray(),
      () => topic.audit(),
      () => topic.refresh(),
      () => topic.releasable({ upTo: [4n, 4n] }),
      () => log.reopen().attach(),
      () => log.reopen({ access: 'read-only' }).attach(),
    ]
    for (const use of uses) {
      const error: unknown = await use().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(isKind(error, 'conflict', 'LINEAGE_BROKEN'), String(error)).toBe(true)
      expect((error as { context: object }).context).toMatchObject({ fault, table: 'shop.orders' })
      expect((error as { context: { lost: string } }).context.lost).toBe('partition 0 [0, 3)')
    }
    expect(log.hot.pins).toBe(0)
  })

  it.each(strangeRows)('stops tiering only beside foreign rows %s', async (_what, rows) => {
    const { log, topic } = await tieredLog()
    log.hot.send(0, [{ value: utf8('c') }])
    await foreignAppend(log, rows)
    await expect(topic.tier({ upTo: log.hot.committedOffsets() })).rejects.toMatchObject({
      code: 'LINEAGE_BROKEN',
      context: { fault: 'foreign-rows' },
    })
    for (const at of [topic, await log.reopen().attach()]) {
      expect(at.frontier()).toEqual([4n, 4n])
      expect((await readAll(at, 0)).map(({ offset }) => offset)).toEqual([0n, 1n, 2n, 3n])
      expect(await at.scan({}).count()).toBe(9)
      expect(await at.scan({ columns: ['_kafka_offset'] }).toArray()).toHaveLength(9)
      expect(await at.releasable({ upTo: [9n, 4n] })).toEqual([4n, 4n])
    }
  })

  it('takes foreign snapshots without rows of ours on top of it for granted', async () => {
    const { log, topic } = await tieredLog()
    await foreignAppend(log)
    await foreignAppend(log, [
      { partition: null, offset: null },
      { partition: 0, offset: null },
    ])
    await change(log, [{ action: 'set-properties', updates: { comment: 'mine' } }])
    log.hot.send(0, [{ value: utf8('c') }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    await checkTable(await log.reopen().attach(), log)
  })

  it('says that nothing is lost while the write-ahead tier holds all of it, and what to do', async () => {
    const { log, topic } = await tieredLog()
    await change(log, [mainAt((await snapshots(log))[0]!)])
    await expect(topic.refresh()).rejects.toThrow(/Nothing is lost.*topic\.adoptTable\(\) and onBroken/)
  })

  it('names a dropped table, and one that was made anew under its name', async () => {
    const { log, topic } = await tieredLog()
    const table = await tableOf(log)
    log.hot.release([4n, 1n])
    await log.catalog.dropTable(table.identifier)
    await expect(topic.refresh()).rejects.toMatchObject({
      code: 'LINEAGE_BROKEN',
      context: { fault: 'replaced-table' },
    })
    await expect(log.reopen().attach()).rejects.toMatchObject({
      code: 'LINEAGE_BROKEN',
      context: { lost: 'partition 0 [0, 4), partition 1 [0, 1)' },
    })
    await log.catalog.createTable(table.identifier, { schema: table.metadata.schemas[0]! })
    await expect(topic.refresh()).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
    await expect(log.reopen().attach()).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
  })

  it('goes on with what is under way by the credentials of its own table, not of one that was made anew under its name', async () => {
    const store = hookedStore()
    const plain = plainCatalog(store, virtualRuntime({ seed: 1 }))
    const loadTable: Catalog['loadTable'] = async (...asked) => {
      const table = await plain.loadTable(...asked)
      return { ...table, config: { of: table.metadata['table-uuid']! } }
    }
    const seen: (string | undefined)[] = []
    const stores: TableStores = (_location, config) => {
      seen.push(config['of'])
      return store
    }
    const log = testLog({ store, catalog: { ...plain, loadTable }, tier: { stores } })
    const writer = await log.attach()
    for (let n = 0; n < 6; n++) {
      log.hot.send(0, [{ value: utf8(`${n}`) }])
      await writer.tier({ upTo: log.hot.committedOffsets() })
    }
    const { identifier, metadata } = await tableOf(log)
    const topic = await log.reopen().attach()
    const scan = topic.scan({}).batches()[Symbol.asyncIterator]()
    const rows = [...(await scan.next()).value!]
    await log.catalog.dropTable(identifier)
    await log.catalog.createTable(identifier, { schema: metadata.schemas[0]! })
    await expect(topic.refresh()).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
    for (let next = await scan.next(); next.done !== true; next = await scan.next()) rows.push(...next.value)
    expect(rows).toHaveLength(6)
    expect(seen).toContain(metadata['table-uuid'])
    expect(seen.filter((uuid) => uuid !== undefined && uuid !== metadata['table-uuid'])).toEqual([])
  })

  it('starts anew where a table was dropped before the log let go of anything', async () => {
    const { log } = await tieredLog()
    await log.catalog.dropTable((await tableOf(log)).identifier)
    const topic = await log.reopen().attach()
    expect(topic.frontier()).toEqual([0n, 0n])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
  })

  it('refuses a table that knows more than its log', async () => {
    const { log, topic } = await tieredLog()
    log.hot.forget(1, 2n)
    const broken = { code: 'LINEAGE_BROKEN', context: { fault: 'table-ahead-of-log' } }
    await expect(topic.refresh()).rejects.toMatchObject(broken)
    await expect(log.reopen().attach()).rejects.toMatchObject({ code: 'LOG_BEHIND_TABLE' })
  })

  it('refuses a log that is older than its table whatever its epoch, also when the log has gone past the table', async () => {
    const { log } = await tieredLog()
    log.hot.forget(1, 2n)
    for (const epoch of [1n, 7n]) {
      const older = log.reopen({ epoch })
      older.hot.send(1, [{ value: utf8('x') }, { value: utf8('y') }, { value: utf8('z') }])
      await expect(older.attach()).rejects.toMatchObject({
        kind: 'conflict',
        code: 'LOG_BEHIND_TABLE',
        context: { ranges: 'partition 1 [2, 4)' },
      })
      log.hot.forget(1, 2n)
    }
  })

  it('refuses a table that is behind what the log let go of, naming the range', async () => {
    const log = testLog()
    const topic = await log.attach()
    log.hot.send(0, [{ value: null }, { value: null }, { value: null }])
    await topic.tier({ upTo: [1n, 0n] })
    log.hot.release([3n, 0n])
    const broken = { context: { fault: 'table-behind-log', lost: 'partition 0 [1, 3)' } }
    await expect(topic.refresh()).rejects.toMatchObject(broken)
    await expect(log.reopen().attach()).rejects.toMatchObject(broken)
  })
})

describe('attach', () => {
  it('refuses the table of another log and of another topic', async () => {
    const { log } = await tieredLog()
    const id = '33333333-3333-4333-8333-333333333333'
    for (const info of [
      { logId: id, id },
      { id, name: 'payments' },
    ]) {
      const other = testLog({ store: log.store, info })
      await expect(other.attach()).rejects.toMatchObject({ kind: 'exists', code: 'TABLE_OF_ANOTHER' })
    }
  })

  it('refuses a table that is nobody’s', async () => {
    const log = testLog()
    const schema = { type: 'struct', fields: [{ id: 1, name: 'x', type: 'int', required: false }] } as const
    await log.catalog.createTable({ namespace: ['shop'], name: 'orders' }, { schema })
    await expect(log.attach()).rejects.toMatchObject({ kind: 'exists', code: 'TABLE_EXISTS' })
  })

  it('creates nothing for a read-only log', async () => {
    const log = testLog({ access: 'read-only' })
    await expect(log.attach()).rejects.toMatchObject({ kind: 'not-found', code: 'TABLE_MISSING' })
    for await (const { key } of log.store.list()) expect(key).toBe('nothing')
  })
})
