/** Files of the table that go while the write-ahead tier still has what was in them. */
import { byValue, gte, keyOf, unavailable } from '@moulin/core'
import type { StoredRecord } from '@moulin/core'
import { currentSnapshot } from '@moulin/iceberg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allRows, change, numbersOf, pick, replaceRows, tableOf, withNumbers } from '../foreign.test-support.ts'
import { checkTable, readAll } from '../lake.test-support.ts'
import {
  allAt,
  checkReads,
  commit,
  everything,
  isCommit,
  keysBelow,
  orphans,
  sendTo,
  settledScan,
  world,
} from './missing-files.test-support.ts'

describe('an orphan removal that listed files before our commit, and deletes after it', () => {
  const moments = [
    { what: 'after the commit was read back', lists: 'data', deletes: 'later' },
    { what: 'before it is read back', lists: 'data', deletes: 'at once' },
    { what: 'manifest and manifest list too', lists: 'all', deletes: 'later' },
    { what: 'manifest and manifest list too, at once', lists: 'all', deletes: 'at once' },
  ]

  it.each(moments)('loses nothing: $what', async ({ lists, deletes }) => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 4)
    sendTo(log, 2, 3)
    await commit(made)
    log.hot.release(await topic.releasable({ upTo: everything(topic) }))
    expect(log.hot.releasedOffsets()).toEqual([4n, 0n, 3n])
    sendTo(log, 0, 5, 2)
    sendTo(log, 1, 7)
    let listed: string[] = []
    const remove = async (): Promise<void> => {
      for (const key of listed) await store.delete(key)
    }
    store.hooks.before = async (call) => {
      if (!isCommit(call)) return
      delete store.hooks.before
      listed = (await orphans(log)).filter((key) => lists === 'all' || key.includes('/data/'))
    }
    if (deletes === 'at once') {
      store.hooks.after = async (call) => {
        if (!isCommit(call)) return
        delete store.hooks.after
        await remove()
      }
    }
    const result = await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(result).toMatchObject({ rows: 17, frontier: [14n, 7n, 3n] })
    expect(listed.length).toBe(lists === 'all' ? 3 : 1)
    if (deletes === 'later') await remove()

    expect(await topic.releasable({ upTo: result.frontier })).toEqual([4n, 0n, 3n])
    const [name] = topic.missingFiles!()
    expect(listed.map((key) => log.store.root + key)).toContain(name)
    if (lists === 'data') await checkReads(topic, log)
    // And in the next process, which has looked at nothing yet.
    const next = await log.reopen().attach()
    if (lists === 'data') {
      await settledScan(next)
      await checkReads(next, log)
      expect(next.missingFiles!()).toEqual(topic.missingFiles!())
    }
    expect(await next.releasable({ upTo: result.frontier })).toEqual([4n, 0n, 3n])
    // What is below is lost to nobody: with its manifest, all else that the write-ahead tier has let go of is not known.
    if (lists === 'all') {
      for (const { partition, from } of [
        { partition: 0, from: 4n },
        { partition: 1, from: 0n },
      ]) {
        const sent = log.hot.records(partition).filter(({ offset }) => offset >= from)
        expect(await readAll(topic, partition, from)).toEqual(sent)
        expect(await readAll(next, partition, from)).toEqual(sent)
      }
      await expect(readAll(topic, 0)).rejects.toMatchObject({ code: 'FILE_MISSING' })
    }
  })
})

describe('a file that is missing', () => {
  it('holds back its own offsets alone, and gives them from the write-ahead tier until it is back', async () => {
    const made = await world({ info: { partitions: 2 } })
    const { log, store, topic } = made
    const commits: string[][] = []
    for (let round = 0; round < 4; round++) {
      sendTo(log, 0, 3, 2)
      if (round > 0) sendTo(log, 1, round)
      commits.push(await commit(made))
    }
    const [key] = commits[2]!
    const { bytes } = await store.get(key!)
    await store.delete(key!)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([12n, 1n])
    // No further than asked for, and not beyond the first hole.
    expect(await topic.releasable({ upTo: [5n, 0n] })).toEqual([5n, 0n])
    expect(topic.missingFiles!()).toEqual([log.store.root + key])
    log.hot.release([12n, 1n])
    await checkReads(topic, log)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([12n, 1n])
    await store.put(key!, bytes)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([24n, 6n])
    expect(topic.missingFiles!()).toEqual([])
    log.hot.release([24n, 6n])
    await checkReads(topic, log)
  })

  it('is no more once the table does not name it, whose rows are gaps then', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 4)
    await commit(made)
    const rows = await allRows(log)
    sendTo(log, 0, 2)
    const [key] = await commit(made)
    await store.delete(key!)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([4n, 0n, 0n])
    expect(await topic.scan({}).count()).toBe(6)
    await replaceRows(log, [pick(rows, [0, 1, 3])])
    expect((await readAll(topic, 0)).map(({ offset }) => offset)).toEqual([0n, 1n, 3n])
    expect(await topic.scan({}).count()).toBe(3)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([6n, 0n, 0n])
    expect(topic.missingFiles!()).toEqual([])
  })

  it('gives from the write-ahead tier only what no other file has: what SQL changed or deleted there stays so', async () => {
    const made = await world({ info: { partitions: 2 } })
    const { log, store, topic } = made
    for (let round = 0; round < 3; round++) {
      sendTo(log, 0, 6)
      sendTo(log, 1, 2)
      await commit(made)
    }
    const rows = await allRows(log)
    const [partitions, offsets] = ['_kafka_partition', '_kafka_offset'].map((name) => numbersOf(rows, name))
    const at = (partition: number, offset: number): number =>
      partitions!.findIndex((found, row) => found === partition && offsets![row] === BigInt(offset))
    // One file has every other row of partition 0 with other values, and one row less; the other one, the rest, is lost.
    const changed = withNumbers(
      rows,
      'id',
      numbersOf(rows, 'id').map((id) => 1_000_000n + BigInt(id!)),
    )
    const kept = Array.from({ length: 18 }, (_, offset) => offset).filter((offset) => offset % 2 === 0 && offset !== 8)
    const lost = [...Array.from({ length: 18 }, (_, offset) => offset).filter((offset) => offset % 2 === 1)]
    await replaceRows(log, [
      pick(changed, [...kept.map((offset) => at(0, offset)), ...[0, 1, 2].map((offset) => at(1, offset))]),
      pick(rows, [...lost.map((offset) => at(0, offset)), ...[3, 4, 5].map((offset) => at(1, offset))]),
    ])
    const gone = (await keysBelow(log, 'data/')).find((key) => key.endsWith('-1.parquet') && key.includes('foreign'))!
    await store.delete(gone)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([1n, 3n])
    const read = await readAll(topic, 0)
    const sent = log.hot.records(0)
    // Offset 8 is a row of the lost file for all that is known.
    expect(read.map(({ offset }) => offset)).toEqual(sent.map(({ offset }) => offset))
    for (const record of read) {
      const isKept = kept.includes(Number(record.offset))
      expect(record.fidelity, String(record.offset)).toBe(isKept ? 'rewritten' : 'exact')
      if (!isKept) expect(record).toEqual(sent[Number(record.offset)])
    }
    expect(await allAt(topic, log, 0)).toEqual(read)
    const ids = (await topic.scan({ where: gte('id', 1_000_000), columns: ['_kafka_offset'] }).toArray()).length
    expect(ids).toBe(kept.length + 3)
    expect(await topic.scan({}).count()).toBe(24)
    expect(await topic.scan({ columns: ['id'] }).toArray()).toHaveLength(24)
  })

  it('is an error as ever where the write-ahead tier has let go of it', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 1, 5)
    const [key] = await commit(made)
    log.hot.release([0n, 3n, 0n])
    await store.delete(key!)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([0n, 3n, 0n])
    expect(topic.missingFiles!()).toHaveLength(1)
    await expect(readAll(topic, 1)).rejects.toMatchObject({ kind: 'corrupt', code: 'FILE_MISSING' })
    await expect(allAt(topic, log, 1)).rejects.toMatchObject({ kind: 'corrupt', code: 'FILE_MISSING' })
    for (const scan of [topic.scan({}).toArray(), topic.scan({}).count()])
      await expect(scan).rejects.toMatchObject({ kind: 'corrupt', code: 'FILE_MISSING' })
    expect(await readAll(topic, 1, 3n)).toEqual(log.hot.records(1).slice(3))
    expect(log.hot.pins).toBe(0)
  })

  it('stays known at every look, also where nothing that is held is in its manifest, until it is back', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 2, 6)
    const [key] = await commit(made)
    sendTo(log, 0, 2)
    await commit(made)
    const { bytes } = await store.get(key!)
    await store.delete(key!)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([2n, 0n, 0n])
    log.hot.release([0n, 0n, 6n])
    for (let look = 0; look < 3; look++) {
      expect(await topic.releasable({ upTo: everything(topic) })).toEqual([2n, 0n, 6n])
      expect(topic.missingFiles!()).toEqual([log.store.root + key])
    }
    await store.put(key!, bytes)
    await topic.releasable({ upTo: everything(topic) })
    expect(topic.missingFiles!()).toEqual([])
  })

  it('is found by a read too, beside a writer as well, and missed no more when it is back and released', async () => {
    const made = await world()
    const { log, store } = made
    sendTo(log, 0, 5)
    const [key] = await commit(made)
    const reader = await log.reopen({ access: 'read-only' }).attach()
    const { bytes } = await store.get(key!)
    await store.delete(key!)
    expect(await readAll(reader, 0)).toEqual(log.hot.records(0))
    expect(reader.missingFiles!()).toEqual([log.store.root + key])
    await store.put(key!, bytes)
    log.hot.release([5n, 0n, 0n])
    expect(await readAll(reader, 0)).toEqual(log.hot.records(0))
    expect(reader.missingFiles!()).toEqual([])
  })

  it('is found by a read also where nothing of it is held, and keeps back no row of another file', async () => {
    const made = await world({ info: { partitionBy: [byValue('city')] } })
    const { log, store, topic } = made
    sendTo(log, 0, 12)
    const [key] = await commit(made)
    sendTo(log, 1, 4)
    await commit(made)
    log.hot.release([12n, 0n, 0n])
    // Of the first commit's manifest, too, nothing is held.
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([12n, 4n, 0n])
    const { bytes } = await store.get(key!)
    await store.delete(key!)
    // By its bounds it may have any of these: only its rows tell.
    const read = (offset: bigint): Promise<StoredRecord[] | Error> =>
      readAll(topic, 0, offset, offset + 1n).catch((error: Error) => error)
    const found = []
    for (const sent of log.hot.records(0)) found.push([sent, await read(sent.offset)] as const)
    const refused = found.filter(([, record]) => record instanceof Error)
    expect(refused).toHaveLength(3)
    for (const [{ offset }, error] of refused) {
      expect(error).toMatchObject({ kind: 'corrupt', code: 'FILE_MISSING' })
      expect((error as Error).message).toContain(`Offsets [${offset}, ${offset + 1n}) of partition 0`)
    }
    for (const [sent, record] of found) if (!(record instanceof Error)) expect(record).toEqual([sent])
    expect(topic.missingFiles!()).toEqual([log.store.root + key])
    await expect(topic.scan({}).count()).rejects.toMatchObject({ code: 'FILE_MISSING' })
    await store.put(key!, bytes)
    expect(await topic.scan({}).count()).toBe(16)
    expect(topic.missingFiles!()).toEqual([])
    await checkReads(topic, log)
  })

  it('is missed no more once it is back, without anybody who reads', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 5)
    const [key] = await commit(made)
    log.hot.release([5n, 0n, 0n])
    const { bytes } = await store.get(key!)
    await store.delete(key!)
    await expect(readAll(topic, 0)).rejects.toMatchObject({ code: 'FILE_MISSING' })
    expect(topic.missingFiles!()).toEqual([log.store.root + key])
    expect(await topic.repair!()).toBe(false)
    expect(topic.repairDueMs!()).toBeGreaterThan(log.runtime.clock.now())
    await store.put(key!, bytes)
    expect(await topic.repair!()).toBe(false)
    expect([topic.missingFiles!(), topic.repairDueMs!()]).toEqual([[], undefined])
  })

  it('is tiered again once the table is rolled back before its commit, and adopted', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 4)
    await commit(made)
    log.hot.release(await topic.releasable({ upTo: everything(topic) }))
    const before = (await tableOf(log)).metadata['current-snapshot-id']!
    sendTo(log, 0, 3)
    sendTo(log, 1, 5)
    const keys = await commit(made)
    // Its manifest list as well, so that nothing can be appended either.
    keys.push(keyOf(log.store, currentSnapshot((await tableOf(log)).metadata)!['manifest-list']))
    for (const key of keys) await store.delete(key)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([4n, 0n, 0n])
    await change(log, [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': before }])
    expect(await log.adopt('restore')).toMatchObject({
      outcome: 'recounted',
      frontier: [4n, 0n, 0n],
      skippedOffsets: 0n,
    })
    const next = await log.reopen().attach()
    await next.tier({ upTo: log.hot.committedOffsets() })
    expect(await next.releasable({ upTo: everything(next) })).toEqual([7n, 5n, 0n])
    await checkTable(next, log)
  })

  it('is found by a scan, which begins anew while nobody has seen a row of it', async () => {
    const made = await world()
    const { log, store, topic } = made
    for (const count of [2, 3]) {
      sendTo(log, 0, count)
      const [key] = await commit(made)
      if (count === 3) await store.delete(key!)
    }
    const rows = await topic.scan({ columns: ['_kafka_offset'] }).toArray()
    expect(rows.map((row) => row['_kafka_offset']).sort()).toEqual([0n, 1n, 2n, 3n, 4n])
    expect(topic.missingFiles!()).toHaveLength(1)
    expect(log.hot.pins).toBe(0)
  })

  it('is none where the snapshot was replaced while it was looked at', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 5)
    const [key] = await commit(made)
    store.hooks.before = async ({ op }) => {
      if (op !== 'head') return
      delete store.hooks.before
      await replaceRows(log, [await allRows(log)])
      await store.delete(key!)
    }
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([5n, 0n, 0n])
    expect(topic.missingFiles!()).toEqual([])
  })

  it('is none because a store does not answer: then nothing is released', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 5)
    await commit(made)
    store.hooks.before = ({ op }) => {
      if (op === 'head') throw unavailable('DOWN', 'The store is down.')
    }
    await expect(topic.releasable({ upTo: everything(topic) })).rejects.toMatchObject({ kind: 'unavailable' })
    expect(topic.missingFiles!()).toEqual([])
    delete store.hooks.before
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([5n, 0n, 0n])
  })
})

describe('any files of any commits that go', () => {
  const commits = fc.array(
    fc.record({
      sizes: fc.tuple(fc.nat(5), fc.nat(5), fc.nat(5)),
      batches: fc.integer({ min: 1, max: 3 }),
      isGone: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  )

  it('hold back what was in them and behind, no less and no more, and lose nothing of what is held', async () => {
    await fc.assert(
      fc.asyncProperty(commits, fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)), async (rounds, shares) => {
        const made = await world()
        const { log, store, topic } = made
        // First offset of each partition that went with a file.
        const holes: (bigint | undefined)[] = [undefined, undefined, undefined]
        const gone: string[] = []
        for (const { sizes, batches, isGone } of rounds) {
          const before = [...log.hot.committedOffsets()]
          sizes.forEach((size, partition) => size > 0 && sendTo(log, partition, size, batches))
          const keys = await commit(made)
          if (!isGone) continue
          gone.push(...keys)
          sizes.forEach((size, partition) => size > 0 && (holes[partition] ??= before[partition]!))
        }
        for (const key of gone) await store.delete(key)
        const safe = await topic.releasable({ upTo: everything(topic) })
        expect(safe).toEqual(everything(topic).map((end, partition) => holes[partition] ?? end))
        expect(new Set(topic.missingFiles!())).toEqual(new Set(gone.map((key) => log.store.root + key)))
        log.hot.release(safe.map((offset, partition) => (offset * BigInt(shares[partition]!)) / 99n))
        await checkReads(topic, log)
        const next = await log.reopen({ access: 'read-only' }).attach()
        await settledScan(next)
        await checkReads(next, log)
      }),
      { numRuns: process.env['MOULIN_LONG'] === '1' ? 1_000 : 12 },
    )
  })
})
