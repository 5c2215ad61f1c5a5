/** Files of ours that vanish while the write-ahead tier has their records, and are written anew. */
import { day, tableFiles, unavailable } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { bindPartitionSpec, currentSnapshot, readManifest, readManifestList, specById } from '@moulin/iceberg'
import type { ManifestEntry } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import {
  allRows,
  foreignDeletes,
  foreignAppend,
  numbersOf,
  pick,
  replaceRows,
  tableOf,
} from '../foreign.test-support.ts'
import { checkTable, readAll, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { checkReads, commit, isCommit, keysBelow, orphans, sendTo, world } from '../look/missing-files.test-support.ts'
import { markerOn } from '../table/topic-table.ts'
import { checkNothingLeft, look, operations } from './repairs.test-support.ts'

const DAY = 86_400_000n
const T0 = 1_700_000_000_000n

/** What the marker says, but for who wrote it. */
async function ledgerOf(log: TestLog): Promise<unknown> {
  const { ledger } = JSON.parse(markerOn(await tableOf(log), log.info.id)!) as { ledger: unknown }
  return ledger
}

/** Of all manifests of the current snapshot, deleted ones too. */
async function entriesOf(log: TestLog): Promise<ManifestEntry[]> {
  const { metadata } = await tableOf(log)
  const files = tableFiles(log.store)
  const path = currentSnapshot(metadata)!['manifest-list']
  const entries: ManifestEntry[] = []
  for (const manifest of readManifestList((await files.get(path)).bytes, { path })) {
    const spec = bindPartitionSpec(specById(metadata['partition-specs'], manifest.specId), metadata.schemas)
    const { bytes } = await files.get(manifest.path)
    if (manifest.content === 'data') entries.push(...readManifest(bytes, { manifest, spec, withDeleted: true }))
  }
  return entries
}

describe('a file that an orphan removal took', () => {
  it('is put back with the same rows, and the ledger stays as it is', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 4)
    sendTo(log, 2, 3)
    await commit(made)
    log.hot.release(await look(topic))
    // It has listed the files of the next commit before that names them.
    let listed: string[] = []
    store.hooks.before = async (call) => {
      if (!isCommit(call)) return
      delete store.hooks.before
      listed = (await orphans(log)).filter((key) => key.includes('/data/'))
    }
    sendTo(log, 0, 5, 2)
    sendTo(log, 1, 7)
    const gone = await commit(made)
    expect(listed).toEqual(gone)
    for (const key of listed) await store.delete(key)
    const before = await ledgerOf(log)
    const old = (await entriesOf(log)).find(({ file }) => file.filePath === log.store.root + gone[0])!
    expect(topic.repairDueMs!()).toBeUndefined()
    expect(await look(topic)).toEqual([4n, 0n, 3n])
    expect(topic.repairDueMs!()).toBe(log.runtime.clock.now())

    expect(await topic.repair!()).toBe(true)
    expect(topic.missingFiles!()).toEqual([])
    expect(topic.repairDueMs!()).toBeUndefined()
    expect(await ledgerOf(log)).toEqual(before)
    expect(await operations(log)).toEqual(['append', 'append', 'replace'])
    const entries = await entriesOf(log)
    expect(entries.filter(({ status }) => status === 'deleted').map(({ file }) => file.filePath)).toEqual([
      old.file.filePath,
    ])
    const { file, sequenceNumber } = entries.find(({ status }) => status === 'added' && old.status === 'added')!
    expect(sequenceNumber).toBe(old.sequenceNumber)
    expect(file).toEqual({ ...old.file, filePath: file.filePath, fileSizeBytes: file.fileSizeBytes })
    await checkReads(topic, log)
    await checkNothingLeft(log)

    // Now by the table alone.
    log.hot.release(await look(topic))
    expect(log.hot.releasedOffsets()).toEqual([14n, 7n, 3n])
    await checkReads(topic, log)
    const next = await log.reopen().attach()
    await checkTable(next, log)
    expect(next.lineage()).toEqual({ verdict: 'intact', evidence: null })
    sendTo(log, 1, 2)
    await next.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(next, log)
  })

  it('is put back beside others of its commit, into its own partition of the table', async () => {
    const made = await world({ info: { partitions: 1, partitionBy: [day('_kafka_timestamp')] } })
    const { log, store, topic } = made
    const record = (at: number): { value: Uint8Array; timestamp: bigint } => ({
      value: utf8(`value ${at}`),
      timestamp: T0 + BigInt(at % 3) * DAY,
    })
    log.hot.send(
      0,
      Array.from({ length: 12 }, (_, at) => record(at)),
    )
    const [first, second, third] = await commit(made)
    expect(third).toBeDefined()
    for (const key of [first!, third!]) await store.delete(key)
    await look(topic)
    expect(topic.missingFiles!()).toHaveLength(2)
    expect(await topic.repair!()).toBe(true)
    expect(topic.missingFiles!()).toEqual([])
    const live = (await entriesOf(log)).filter(({ status }) => status !== 'deleted')
    expect(live.map(({ file }) => [file.recordCount, file.partition.length])).toEqual([
      [4n, 1],
      [4n, 1],
      [4n, 1],
    ])
    expect(live.some(({ file }) => file.filePath.endsWith(second!))).toBe(true)
    expect(new Set(live.map(({ file }) => file.partition[0])).size).toBe(3)
    await checkNothingLeft(log)
    log.hot.release(await look(topic))
    await checkTable(topic, log)
  })

  it('is put back in a commit for each that has lost some, each with its own age', async () => {
    const made = await world()
    const { log, store, topic } = made
    for (const partition of [0, 1, 0, 2]) {
      sendTo(log, partition, 3)
      const [key] = await commit(made)
      if (partition !== 1) await store.delete(key!)
    }
    await look(topic)
    expect(await topic.repair!()).toBe(true)
    expect(topic.missingFiles!()).toEqual([])
    expect((await operations(log)).slice(4)).toEqual(['replace', 'replace', 'replace'])
    const live = (await entriesOf(log)).filter(({ status }) => status !== 'deleted')
    expect(live.map(({ sequenceNumber }) => sequenceNumber).sort()).toEqual([1n, 2n, 3n, 4n])
    log.hot.release(await look(topic))
    await checkTable(topic, log)
    await checkNothingLeft(log)
  })

  it('is put back in a table of format version 3 with the row ids that its rows had', async () => {
    const made = await world({ info: { formatVersion: 3 } })
    const { log, store, topic } = made
    sendTo(log, 0, 4)
    await commit(made)
    sendTo(log, 1, 5)
    const [key] = await commit(made)
    expect((await tableOf(log)).metadata).toMatchObject({ 'format-version': 3, 'next-row-id': 9 })
    await store.delete(key!)
    await look(topic)
    expect(await topic.repair!()).toBe(true)
    const live = (await entriesOf(log)).filter(({ status }) => status !== 'deleted')
    expect(live.map(({ file }) => [file.recordCount, file.firstRowId])).toEqual([
      [5n, 4n],
      [4n, 0n],
    ])
    log.hot.release(await look(topic))
    await checkTable(topic, log)
  })
})

describe('a file that cannot be put back', () => {
  const cases = [
    'whose records were released',
    'that is there, but damaged',
    'out of which rows were deleted by position',
    'that somebody else wrote',
  ] as const

  it.each(cases)('stays missing, and leaves nothing behind: %s', async (what) => {
    const made = await world({ info: { partitions: 1 } })
    const { log, store } = made
    sendTo(log, 0, 6)
    await commit(made)
    if (what === 'that somebody else wrote') await replaceRows(log, [await allRows(log)])
    const name = what === 'that somebody else wrote' ? 'foreign' : '.parquet'
    const [key] = (await keysBelow(log, 'data/')).filter((one) => one.includes(name))
    const { bytes } = await store.get(key!)
    if (what === 'that is there, but damaged') await store.put(key!, new Uint8Array(bytes.length))
    else await store.delete(key!)
    if (what === 'whose records were released') log.hot.release([2n])
    if (what === 'out of which rows were deleted by position') await foreignDeletes(log, ['a'])
    const before = await operations(log)

    const topic = await log.reopen().attach()
    await look(topic)
    const missing = [log.store.root + key]
    expect(topic.missingFiles!()).toEqual(missing)
    expect(await topic.repair!()).toBe(false)
    expect(topic.missingFiles!()).toEqual(missing)
    expect(await operations(log)).toEqual(before)
    await checkNothingLeft(log)
    // Not again and again.
    expect(topic.repairDueMs!()).toBe(log.runtime.clock.now() + 3_600_000)
    await store.put(key!, bytes)
    // What is deleted there cannot be read, so nothing may be released.
    if (what === 'out of which rows were deleted by position')
      await expect(look(topic)).rejects.toMatchObject({ kind: 'corrupt' })
    else await look(topic)
    expect(topic.repairDueMs!()).toBeUndefined()
  })

  it('stays missing where its manifest is gone as well', async () => {
    const { log, store, topic } = await world({ info: { partitions: 1 } })
    sendTo(log, 0, 6)
    const [key] = await commit({ log, store, topic })
    const [manifest] = (await keysBelow(log, 'metadata/')).filter((one) => one.endsWith('-m0.avro'))
    for (const one of [key!, manifest!]) await store.delete(one)
    await look(topic)
    expect(topic.missingFiles!()).toEqual([log.store.root + manifest])
    expect(await topic.repair!()).toBe(false)
    expect(await operations(log)).toEqual(['append'])
    expect(topic.repairDueMs!()).toBe(log.runtime.clock.now() + 3_600_000)
  })

  /** Partition 1 in one file, the others in another one, whose bounds are about all three. */
  async function withoutRow(partition: number): Promise<{ log: TestLog; topic: ColdTopic; key: string }> {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 1, 5)
    await commit(made)
    const rows = await allRows(log)
    const kept = numbersOf(rows, '_kafka_offset').flatMap((offset, at) => (offset === 2n ? [] : [at]))
    await replaceRows(log, [pick(rows, kept)])
    sendTo(log, partition, 4)
    sendTo(log, 2, 3)
    const [key] = await commit(made)
    await store.delete(key!)
    await look(topic)
    return { log, topic, key: key! }
  }

  it('stays missing where a row that was deleted elsewhere may have been in it', async () => {
    const { log, topic, key } = await withoutRow(0)
    expect(await topic.repair!()).toBe(false)
    expect(topic.missingFiles!()).toEqual([log.store.root + key])
    await checkNothingLeft(log)
    const said = log.runtime.logs.map(({ message }) => message)
    expect(said.filter((message) => message.includes('cannot be written anew with just the rows'))).toHaveLength(1)
  })

  it('is put back where its bounds say that the deleted row was not in it, which stays deleted', async () => {
    const { log, topic } = await withoutRow(2)
    expect(await topic.repair!()).toBe(true)
    log.hot.release(await look(topic))
    expect((await readAll(topic, 1)).map(({ offset }) => offset)).toEqual([0n, 1n, 3n, 4n])
    expect(await readAll(topic, 2)).toEqual(log.hot.records(2))
  })
})

describe('a repair', () => {
  it('that another commit comes before is planned anew by the next call', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 5)
    const [key] = await commit(made)
    await store.delete(key!)
    await look(topic)
    store.hooks.before = async (call) => {
      if (!isCommit(call)) return
      delete store.hooks.before
      await foreignAppend(log)
    }
    await expect(topic.repair!()).rejects.toMatchObject({
      kind: 'conflict',
      code: 'COMMIT_CONTENTION',
      retryable: true,
    })
    await checkNothingLeft(log)
    expect(await topic.repair!()).toBe(true)
    log.hot.release(await look(topic))
    await checkTable(topic, log)
  })

  it('whose answer is lost is found out about, and done once', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 5)
    const [key] = await commit(made)
    await store.delete(key!)
    await look(topic)
    store.hooks.after = (call) => {
      if (!isCommit(call)) return
      delete store.hooks.after
      throw unavailable('LOST', 'The answer was lost.', { outcome: 'unknown' })
    }
    expect(await topic.repair!()).toBe(true)
    expect(await operations(log)).toEqual(['append', 'replace'])
    await checkNothingLeft(log)
    log.hot.release(await look(topic))
    await checkTable(topic, log)
  })

  it('that fails while it writes leaves the table as it was, and is done by the next call', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 5)
    const [key] = await commit(made)
    await store.delete(key!)
    await look(topic)
    for (const object of ['/data/', '/snap-', '.metadata.json']) {
      store.hooks.before = ({ op, key: name }) => {
        if (op !== 'put' || !name.includes(object)) return
        delete store.hooks.before
        throw unavailable('DOWN', 'The store is down.', { outcome: 'rejected' })
      }
      await topic.repair!().catch((error: unknown) => expect(error).toMatchObject({ kind: 'unavailable' }))
      if (topic.missingFiles!().length === 0) break
      expect(await operations(log)).toEqual(['append'])
      await checkNothingLeft(log)
    }
    await topic.repair!()
    expect(topic.missingFiles!()).toEqual([])
    log.hot.release(await look(topic))
    await checkTable(topic, log)
    await checkNothingLeft(log)
  })

  it('and a call to tier go one after the other', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 5)
    const [key] = await commit(made)
    await store.delete(key!)
    await look(topic)
    sendTo(log, 1, 4)
    const [hasRepaired, { rows }] = await Promise.all([
      topic.repair!(),
      topic.tier({ upTo: log.hot.committedOffsets() }),
    ])
    expect([hasRepaired, rows]).toEqual([true, 4])
    log.hot.release(await look(topic))
    await checkTable(topic, log)
  })

  it('holds on to the records that it reads, whatever may be released', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 1, 10)
    await commit(made)
    sendTo(log, 0, 2)
    sendTo(log, 1, 2)
    const [gone] = await commit(made)
    await store.delete(gone!)
    const safe = await topic.releasable({ upTo: topic.frontier() })
    let released = false
    store.hooks.before = ({ op, key }) => {
      if (op !== 'put' || !key.startsWith('log/staged/')) return
      delete store.hooks.before
      released = log.hot.pins === 0
      if (released) log.hot.release(safe)
    }
    expect(await topic.repair!()).toBe(true)
    expect([released, log.hot.pins]).toEqual([false, 0])
    await checkReads(topic, log)
  })
})
