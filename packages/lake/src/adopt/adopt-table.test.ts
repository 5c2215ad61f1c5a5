import { exists } from '@moulin/core'
import type { Catalog, ColdAdoption, ColdTopic, TableGuard, TableUpdate } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import {
  allRows,
  change,
  foreignAppend,
  numbersOf,
  pick,
  replaceRows,
  tableOf,
  withNumbers,
} from '../foreign.test-support.ts'
import { checkTable, readAll, settled, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'
import { markerKey } from '../table/marker.ts'

/** Three commits of three records in each of two partitions. */
async function tieredLog(options: TestLogOptions = {}): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog(options)
  const topic = await log.attach()
  for (const text of ['a', 'b', 'c']) {
    for (const partition of [0, 1]) send(log, partition, `${text}0`, `${text}1`, `${text}2`)
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  return { log, topic }
}

function send(log: TestLog, partition: number, ...texts: readonly string[]): void {
  log.hot.send(
    partition,
    texts.map((text) => ({ value: utf8(text) })),
  )
}

/** Main goes back to the snapshot of our commit number `at`, from 0. */
async function rollBack(log: TestLog, at: number): Promise<void> {
  const { metadata } = await tableOf(log)
  const update: TableUpdate = {
    action: 'set-snapshot-ref',
    'ref-name': 'main',
    type: 'branch',
    'snapshot-id': metadata.snapshots![at]!['snapshot-id'],
  }
  await change(log, [update])
}

const textsOf = async (topic: ColdTopic, partition: number): Promise<string[]> =>
  (await readAll(topic, partition)).map(({ offset, bytes }) => `${offset}:${new TextDecoder().decode(bytes!)}`)

const removeMarker = (log: TestLog): Promise<void> =>
  change(log, [{ action: 'remove-properties', removals: [markerKey(log.info.id)] }])

const rangesOf = ({ skipped }: ColdAdoption): string[] =>
  skipped.map(({ incarnation, partition, from, to }) => `${incarnation}.${partition} [${from}, ${to})`)

/** Whatever is pushed runs before a commit is sent. */
function raced(): { options: TestLogOptions; races: (() => Promise<void>)[] } {
  const store = hookedStore()
  const runtime = virtualRuntime({ seed: 4 })
  const inner = plainCatalog(store, runtime)
  const races: (() => Promise<void>)[] = []
  const catalog: Catalog = {
    ...inner,
    async commitTable(table, commit, call) {
      await races.shift()?.()
      return inner.commitTable(table, commit, call)
    },
  }
  return { options: { store, runtime, catalog }, races }
}

const broken = { kind: 'conflict', code: 'LINEAGE_BROKEN' }

describe('a broken table', () => {
  it('stays as it is where the signal fires while other work on the table goes on', async () => {
    const stop = new AbortController()
    const guard: TableGuard = {
      run(_table, work) {
        stop.abort()
        return work()
      },
    }
    const { log } = await tieredLog()
    await rollBack(log, 1)
    const next = log.reopen({ tier: { guard } })
    const before = (await tableOf(log)).metadataLocation
    await expect(next.adopt('gap', { signal: stop.signal })).rejects.toMatchObject({ kind: 'aborted' })
    expect((await tableOf(log)).metadataLocation).toBe(before)
    expect(await next.adopt('gap')).toMatchObject({ outcome: 'recounted' })
  })

  it('is adopted at the snapshot that was expected and at no other, whatever comes between', async () => {
    const { options, races } = raced()
    const { log } = await tieredLog(options)
    const { metadata } = await tableOf(log)
    const ids = metadata.snapshots!.map((snapshot) => BigInt(snapshot['snapshot-id']))
    await rollBack(log, 1)
    const next = log.reopen()
    const before = (await tableOf(log)).metadataLocation
    const moved = { kind: 'conflict', code: 'TABLE_MOVED', context: { snapshot: ids[1], expected: ids[2] } }
    await expect(next.adopt('by-hand', { expectedSnapshotId: ids[2]! })).rejects.toMatchObject(moved)
    await expect(next.adopt('by-hand', { expectedSnapshotId: null })).rejects.toMatchObject({ code: 'TABLE_MOVED' })
    expect((await tableOf(log)).metadataLocation).toBe(before)
    // Somebody comes between the look and the commit.
    races.push(async () => foreignAppend(log))
    const late = next.adopt('by-hand', { expectedSnapshotId: ids[1]! })
    await expect(settled(log.runtime, late)).rejects.toMatchObject({ code: 'TABLE_MOVED' })
    await expect(next.attach()).rejects.toMatchObject(broken)
    const { 'current-snapshot-id': present } = (await tableOf(log)).metadata
    const done = await next.adopt('by-hand', { expectedSnapshotId: BigInt(present!) })
    expect(done).toMatchObject({ outcome: 'recounted', rows: 12n })
    for await (const { key } of log.store.list({ prefix: 'log/staged/' })) expect(key).toBe('nothing')
    // What is fine is left as it is, and not called what it is not.
    const fine = next.adopt('by-hand', { expectedSnapshotId: ids[0]! })
    await expect(fine).rejects.toMatchObject({ code: 'TABLE_MOVED' })
  })

  it('that is gone is not made anew for whoever expected it, nor adopted where it is there again', async () => {
    const { log } = await tieredLog()
    log.hot.release([9n, 9n])
    const expectedSnapshotId = BigInt((await tableOf(log)).metadata['current-snapshot-id']!)
    await log.catalog.dropTable({ namespace: ['shop'], name: 'orders' })
    const next = log.reopen()
    await expect(next.adopt('by-hand', { expectedSnapshotId })).rejects.toMatchObject({ code: 'TABLE_MOVED' })
    await expect(tableOf(log)).rejects.toMatchObject({ kind: 'not-found' })
    expect(await next.adopt('by-hand', { expectedSnapshotId: null })).toMatchObject({ outcome: 'recounted', rows: 0n })
  })

  it('is adopted by hand: what nobody holds is a gap, what is still hot is tiered again, and the audit is clean', async () => {
    const { log } = await tieredLog()
    send(log, 0, 'd0')
    log.hot.release([7n, 2n])
    await rollBack(log, 0)
    const next = log.reopen()
    await expect(next.attach()).rejects.toMatchObject(broken)
    const done = await next.adopt('by-hand')
    expect(done).toMatchObject({
      outcome: 'recounted',
      incarnation: 1,
      frontier: [7n, 3n],
      rows: 6n,
      skippedOffsets: 4n,
    })
    expect(rangesOf(done)).toEqual(['1.0 [3, 7)'])
    const topic = await next.attach()
    expect(topic.lineage()).toEqual({ verdict: 'intact', evidence: null })
    expect(await topic.audit()).toMatchObject({
      clean: true,
      gaps: [{ partition: 0, from: 3n, to: 7n, reason: 'skipped' }],
    })
    expect((await topic.tier({ upTo: log.hot.committedOffsets() })).rows).toBe(9)
    expect((await topic.audit({ deep: true })).clean).toBe(true)
    expect(await textsOf(topic, 0)).toEqual(['0:a0', '1:a1', '2:a2', '7:c1', '8:c2', '9:d0'])
    expect(await textsOf(topic, 1)).toEqual(
      ['a', 'b', 'c'].flatMap((c, at) => [0, 1, 2].map((n) => `${at * 3 + n}:${c}${n}`)),
    )
    expect(await topic.scan({}).count()).toBe(15)
    expect(await next.adopt('by-hand')).toMatchObject({ outcome: 'none', rows: 15n, skippedOffsets: 4n })
  })

  it('is restored from what the write-ahead tier holds, and refused, unchanged, where that is not all', async () => {
    const { log } = await tieredLog()
    log.hot.release([6n, 5n])
    await rollBack(log, 1)
    const next = log.reopen()
    const before = (await tableOf(log)).metadataLocation
    log.hot.release([6n, 8n])
    await expect(next.adopt('restore')).rejects.toMatchObject({
      ...broken,
      message: expect.stringMatching(/partition 1 .*\[6, 8\)/),
    })
    expect((await tableOf(log)).metadataLocation).toBe(before)
    log.hot.release([6n, 5n])
    expect(await next.adopt('restore')).toMatchObject({ outcome: 'recounted', frontier: [6n, 6n], skippedOffsets: 0n })
    const topic = await next.attach()
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
  })

  it('keeps the rows that it has when its marker is gone', async () => {
    const { log } = await tieredLog()
    log.hot.release([2n, 9n])
    await removeMarker(log)
    const next = log.reopen()
    expect(await next.adopt('restore')).toMatchObject({ frontier: [9n, 9n], rows: 18n, skippedOffsets: 0n })
    await checkTable(await next.attach(), log)
  })

  it('counts a doubled place once, by the row that reads give', async () => {
    const { log } = await tieredLog()
    log.hot.release([9n, 9n])
    const rows = await allRows(log)
    const crcs = numbersOf(rows, '_kafka_crc')
    const copy = withNumbers(
      rows,
      '_kafka_crc',
      crcs.map((crc) => (crc as number) ^ 1),
    )
    // The copies come first, in name and in order.
    await replaceRows(log, [pick(copy, [0, 1, 12]), pick(rows, [...crcs.keys()])])
    await removeMarker(log)
    const next = log.reopen()
    expect(await next.adopt('gap')).toMatchObject({ rows: 18n, frontier: [9n, 9n], skippedOffsets: 0n })
    const topic = await next.attach()
    const counted = (await topic.audit()).partitions.reduce((sum, { ledgerChecksum }) => sum + ledgerChecksum!, 0n)
    const places = await topic.scan({ columns: ['_kafka_offset'] }).count()
    const read = [...(await readAll(topic, 0)), ...(await readAll(topic, 1))]
    expect(places).toBe(18)
    expect(read.filter(({ fidelity }) => fidelity !== 'exact')).toHaveLength(0)
    expect(counted).toBe(crcs.reduce<bigint>((sum, crc) => sum + BigInt(crc!), 0n))
  })

  it('is left alone beside rows that a commit would double, named', async () => {
    const { log } = await tieredLog()
    send(log, 0, 'd0', 'd1')
    await rollBack(log, 1)
    await foreignAppend(log, [{ partition: 0, offset: 10n }])
    for (const how of ['gap', 'by-hand'] as const) {
      await expect(log.reopen().adopt(how)).rejects.toMatchObject({
        ...broken,
        context: { fault: 'foreign-rows' },
        message: expect.stringMatching(/partition 0 offset 10, at or above 6/),
      })
    }
  })

  it('is counted again when another commit came first', async () => {
    const { options, races } = raced()
    const { log } = await tieredLog(options)
    log.hot.release([9n, 9n])
    await rollBack(log, 1)
    const next = log.reopen()
    races.push(async () => {
      const rows = await allRows(log)
      await replaceRows(log, [pick(rows, [...Array(rows.length).keys()].slice(2))])
    })
    const done = await settled(log.runtime, next.adopt('gap'))
    expect(done).toMatchObject({ frontier: [9n, 9n], rows: 10n, skippedOffsets: 8n })
    const topic = await next.attach()
    expect((await topic.audit()).clean).toBe(true)
    for await (const { key } of log.store.list({ prefix: 'log/staged/' })) expect(key).toBe('settled')
  })

  it('is left to a newer writer by every policy', async () => {
    const { log } = await tieredLog()
    const newer = log.reopen({ epoch: 8n })
    send(log, 0, 'd0')
    await (await newer.attach()).tier({ upTo: log.hot.committedOffsets() })
    await rollBack(log, 1)
    await expect(log.adopt('gap')).rejects.toMatchObject({ kind: 'fenced' })
    await expect(log.adopt('restore')).rejects.toMatchObject({ kind: 'fenced' })
    expect(await newer.adopt('restore')).toMatchObject({ outcome: 'recounted', frontier: [6n, 6n] })
  })

  it('is not made anew where something else is in its place, which is what is said', async () => {
    const store = hookedStore()
    const plain = plainCatalog(store, virtualRuntime({ seed: 1 }))
    let isOccupied = false
    const catalog: Catalog = {
      ...plain,
      createTable: (...request) =>
        isOccupied
          ? Promise.reject(exists('FOLDER_OCCUPIED', 'data/1.parquet is there.'))
          : plain.createTable(...request),
    }
    const { log } = await tieredLog({ store, catalog })
    log.hot.release([9n, 9n])
    await catalog.dropTable((await tableOf(log)).identifier)
    isOccupied = true
    await expect(log.reopen().adopt('by-hand')).rejects.toMatchObject({ kind: 'exists', code: 'FOLDER_OCCUPIED' })
  })

  it('is made anew when it is gone', async () => {
    const { log } = await tieredLog()
    log.hot.release([4n, 0n])
    await log.catalog.dropTable((await tableOf(log)).identifier)
    const next = log.reopen()
    await expect(next.adopt('restore')).rejects.toMatchObject(broken)
    const done = await next.adopt('gap')
    expect(done).toMatchObject({ frontier: [4n, 0n], rows: 0n })
    expect(rangesOf(done)).toEqual(['1.0 [0, 4)'])
    const topic = await next.attach()
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect((await topic.audit()).clean).toBe(true)
    expect(await textsOf(topic, 0)).toEqual(['4:b1', '5:b2', '6:c0', '7:c1', '8:c2'])
  })

  it('is not adopted from another log', async () => {
    const { log } = await tieredLog()
    const other = testLog({ store: log.store, info: { logId: '99999999-9999-4999-8999-999999999999' } })
    await expect(other.adopt('by-hand')).rejects.toMatchObject({ code: 'TABLE_OF_ANOTHER' })
  })
})

describe('a table that is newer than its log', () => {
  async function older(): Promise<TestLog> {
    const { log } = await tieredLog()
    log.hot.forget(0, 6n)
    return log.reopen()
  }

  it('is not adopted by any policy', async () => {
    const log = await older()
    for (const how of ['restore', 'gap'] as const)
      await expect(log.adopt(how)).rejects.toMatchObject({
        code: 'LOG_BEHIND_TABLE',
        message: expect.stringMatching(/adoptTable/),
      })
  })

  it('gives the topic its next incarnation, above all that either knows, and keeps its rows', async () => {
    const log = await older()
    const done = await log.adopt('by-hand')
    const starts = [9n + 2n ** 20n, 9n + 2n ** 20n]
    expect(done).toMatchObject({ outcome: 'next-incarnation', incarnation: 2, frontier: starts, rows: 18n })
    expect(rangesOf(done)).toEqual(['2.0 [9, 1048585)', '2.1 [9, 1048585)'])
    await expect(log.attach()).rejects.toMatchObject({ code: 'LOG_BEHIND_TABLE' })
    const next = testLog({ store: log.store, epoch: 5n, info: { incarnation: 2, startOffsets: starts } })
    next.hot.begin(starts)
    const topic = await next.attach()
    expect(topic.frontier()).toEqual(starts)
    send(next, 0, 'z')
    await topic.tier({ upTo: next.hot.committedOffsets() })
    const report = await topic.audit()
    expect(report.clean).toBe(true)
    expect(report.gaps.map(({ incarnation, reason }) => [incarnation, reason])).toEqual([
      [2, 'unknown'],
      [2, 'unknown'],
    ])
    expect((await textsOf(topic, 0)).slice(-2)).toEqual(['8:c2', `${starts[0]}:z`])
    expect(await topic.scan({}).count()).toBe(19)
  })

  it('is not adopted beside a copy of the log that still writes to it', async () => {
    const { options, races } = raced()
    const { log } = await tieredLog(options)
    // The copy has its records by itself.
    const copy = testLog({ store: log.store, epoch: 2n })
    copy.hot.begin([9n, 9n])
    const topic = await copy.attach()
    log.hot.forget(1, 3n)
    const older = log.reopen()
    races.push(async () => {
      send(copy, 0, 'w')
      await topic.tier({ upTo: copy.hot.committedOffsets() })
    })
    await expect(settled(log.runtime, older.adopt('by-hand'))).rejects.toMatchObject({
      kind: 'conflict',
      code: 'TABLE_IN_USE',
    })
    expect(await settled(log.runtime, older.adopt('by-hand'))).toMatchObject({
      frontier: [10n + 2n ** 20n, 9n + 2n ** 20n],
    })
  })

  it('keeps the rows of every incarnation when the marker of the last is gone', async () => {
    const log = await older()
    const { frontier } = await log.adopt('by-hand')
    const life = { store: log.store, info: { incarnation: 2, startOffsets: frontier } }
    const next = testLog({ ...life, epoch: 5n })
    next.hot.begin(frontier)
    send(next, 1, 'y', 'z')
    await (await next.attach()).tier({ upTo: next.hot.committedOffsets() })
    next.hot.release([frontier[0]!, frontier[1]! + 2n])
    await removeMarker(log)
    expect(await next.adopt('restore')).toMatchObject({
      outcome: 'recounted',
      incarnation: 2,
      rows: 20n,
      skippedOffsets: 0n,
    })
    const topic = await next.attach()
    expect((await topic.audit()).clean).toBe(true)
    expect(await textsOf(topic, 1)).toHaveLength(11)
    expect(await topic.scan({}).count()).toBe(20)
  })
})
