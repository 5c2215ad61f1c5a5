/** Every limit that a log is opened with takes effect: a limit without a test here fails the first one. */
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { objectStoreCatalog } from '@moulin/catalog'
import { defaultLimits, formatCaps, isMoulinError } from '@moulin/core'
import type { Limits, Log, ObjectStore, ProducerOptions, ProducerRecord, Topic, TopicConfig } from '@moulin/core'
import { crc32c, encodeBatch, openParquet, storeRangeReader } from '@moulin/format'
import type { ParquetFile } from '@moulin/format'
import { LONE_RECORD_BYTES } from '@moulin/format'
import { fileSystem } from '@moulin/storage'
import { hookedStore } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { allRows, pick, replaceRows } from '../../packages/lake/src/foreign.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'
import { newEquality, newPositions, newVectors } from '../deletes/foreign-deletes.ts'
import type { NewDeletes } from '../deletes/foreign-deletes.ts'
import { flushesOn, LAKE, machine, WAL } from '../log/machine.ts'
import type { Machine } from '../log/machine.ts'
import { countOf } from './deleted-rows.ts'
import type { DeletesOfTrial } from './deleted-rows.ts'
import { everyRecord, openLake } from './lake-trial.ts'
import type { LakeParts } from './lake-trial.ts'

const times = <T>(count: number, of: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => of(at))
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Setting {
  readonly on: Machine
  readonly log: Log
  readonly topic: Topic<Uint8Array>
}

async function setting(limits: Partial<Limits>, config: TopicConfig = {}, parts: LakeParts = {}): Promise<Setting> {
  const on = machine()
  const log = await openLake(on, limits, parts)
  return { on, log, topic: (await log.ensureTopic('t', config)) as Topic<Uint8Array> }
}

type Sent = Omit<ProducerRecord<Uint8Array>, 'value'> & { readonly value?: Uint8Array }

/** All at once, in one batch a partition unless a limit or an option says otherwise. */
async function send(topic: Topic<Uint8Array>, records: readonly Sent[], options: ProducerOptions = {}): Promise<void> {
  const producer = topic.producer({ lingerMs: 60_000, ...options })
  const acks = records.map((record) => producer.send({ value: new Uint8Array(1), ...record } as never))
  await Promise.all([...acks, producer.close()])
}

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
  } catch (error) {
    if (isMoulinError(error)) return error.code
    throw error
  }
  return 'accepted'
}

/** Sections that a log under these limits writes for the records. */
async function sectionsOf(limits: Partial<Limits>, records: readonly Sent[]): Promise<number> {
  const sections: number[] = []
  const { log, topic } = await setting(limits, {}, { sections })
  await send(topic, records)
  await log.close()
  return sections.length
}

/** What `send` says to a record under these limits. */
async function sendCode(limits: Partial<Limits>, record: Sent): Promise<string> {
  const { log, topic } = await setting(limits)
  const code = await codeOf(send(topic, [record]))
  await log.close()
  return code
}

/** The data files of one commit of these records. */
async function filesOf(
  limits: Partial<Limits>,
  records: readonly Sent[],
  config: TopicConfig = {},
  batchBytes = 8 * 1024 * 1024,
): Promise<ParquetFile[]> {
  const { on, log, topic } = await setting(limits, { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1, ...config })
  await send(topic, records, { batchBytes })
  expect((await topic.tier()).rows).toBe(records.length)
  await log.releaseNow()
  expect(await everyRecord(topic)).toHaveLength(records.length)
  await log.close()
  const store = storeOf(on)
  const files: ParquetFile[] = []
  for await (const { key, size } of store.list({ prefix: 'tables/' }))
    if (key.endsWith('.parquet')) files.push(await openParquet(storeRangeReader(store, key, size)))
  return files
}

const storeOf = (on: Machine): ObjectStore => fileSystem({ root: LAKE, files: on.runtime().files })

const rowGroupsOf = (files: readonly ParquetFile[]): number =>
  files.reduce((sum, { rowGroups }) => sum + rowGroups.length, 0)

/** A few megabytes that no codec makes smaller. */
const heavy = (count: number): Sent[] => times(count, () => ({ value: randomBytes(100_000) }))
const threeDays = (partitions: number): Sent[] =>
  times(6 * partitions, (at) => ({ partition: Math.floor(at / 6), timestamp: (at % 3) * 86_400_000 }))

const manyPartitions: TopicConfig = { partitions: 25 }

/** Bytes of the metadata of a new table whose marker is a large part of it. */
async function metadataBytes(): Promise<number> {
  const { on, log } = await setting({}, manyPartitions)
  await log.close()
  return (await storeOf(on).head('tables/default/t/metadata/v1.metadata.json'))!.size
}

/** Objects that a second scan of four commits fetches, of those whose names end so. */
async function fetchedAgain(limits: Partial<Limits>, ending: string): Promise<number> {
  const store = hookedStore()
  const { log, topic } = await setting(limits, { partitionBy: [] }, { store })
  for (let at = 0; at < 4; at++) {
    await send(topic, [{ value: new Uint8Array(10) }])
    await topic.tier()
  }
  await topic.scan().toArray()
  const before = store.calls.length
  await topic.scan().toArray()
  await log.close()
  return store.calls.slice(before).filter(({ op, key }) => op === 'get' && key.endsWith(ending)).length
}

const effects: Readonly<Record<keyof Limits, () => Promise<void>>> = {
  async maxRecordBytes() {
    expect(await sendCode({ maxRecordBytes: 100 }, { value: new Uint8Array(200) })).toBe('RECORD_TOO_LARGE')
    expect(await sendCode({}, { value: new Uint8Array(200) })).toBe('accepted')
  },

  async maxBatchBytes() {
    const records = times(3, () => ({ value: new Uint8Array(400) }))
    expect(await sectionsOf({ maxRecordBytes: 500, maxBatchBytes: 1_000 }, records)).toBe(2)
    expect(await sectionsOf({}, records)).toBe(1)
  },

  async maxDecompressedBatchBytes() {
    const whole = encodeBatch({
      baseOffset: 0n,
      records: times(10, (at) => ({
        key: null,
        value: new Uint8Array(400),
        headers: [],
        offset: BigInt(at),
        timestamp: -1n,
      })),
      timestampType: 'create',
    })
    const packed = Buffer.concat([whole.subarray(0, 61), gzipSync(whole.subarray(61))])
    packed.writeInt32BE(packed.length - 12, 8)
    packed.writeInt16BE(1, 21)
    packed.writeUInt32BE(crc32c(packed.subarray(21)), 17)
    const code = async (limits: Partial<Limits>): Promise<string> => {
      const { log, topic } = await setting(limits)
      const found = await codeOf(topic.append({ partition: 0, batches: packed }))
      await log.close()
      return found
    }
    const small = { maxRecordBytes: 500, maxBatchBytes: 1_000 }
    expect(await code({ ...small, maxDecompressedBatchBytes: 1_000 })).toBe('DECOMPRESSED_TOO_LARGE')
    expect(await code(small)).toBe('accepted')
  },

  async maxRecordsPerBatch() {
    const records = times(7, () => ({}))
    expect(await sectionsOf({ maxRecordsPerBatch: 3 }, records)).toBe(3)
    expect(await sectionsOf({}, records)).toBe(1)
  },

  async maxHeadersPerRecord() {
    const record = { headers: { a: 'x', b: 'y' } }
    expect(await sendCode({ maxHeadersPerRecord: 1 }, record)).toBe('HEADERS')
    expect(await sendCode({}, record)).toBe('accepted')
  },

  async maxPartitions() {
    expect(await codeOf(setting({ maxPartitions: 2 }, { partitions: 3 }))).toBe('PARTITIONS')
    expect(await codeOf(setting({}, { partitions: 3 }))).toBe('accepted')
  },

  async maxUnackedBytes() {
    // The second one waits for the first one's ack, and goes in a batch of its own.
    const sections = async (limits: Partial<Limits>): Promise<number> => {
      const written: number[] = []
      const { on, log, topic } = await setting(limits, {}, { sections: written })
      const producer = topic.producer({ lingerMs: 10 })
      const acks = Promise.all(times(2, () => producer.send({ value: new Uint8Array(200) })))
      for (let ms = 0; ms < 40; ms++) await on.clock.advance(1)
      await acks
      await log.close()
      return written.length
    }
    expect(await sections({ maxUnackedBytes: 100 })).toBe(2)
    expect(await sections({})).toBe(1)
  },

  async maxFlushBytes() {
    const syncs = async (limits: Partial<Limits>): Promise<number> => {
      const { on, log, topic } = await setting(limits)
      const before = flushesOn(on)
      await send(
        topic,
        times(10, () => ({})),
        { lingerMs: 0, batchBytes: 1 },
      )
      const made = flushesOn(on) - before
      await log.close()
      return made
    }
    expect(await syncs({ maxFlushBytes: 1 })).toBe(10)
    expect(await syncs({})).toBe(1)
  },

  async segmentBytes() {
    const sizes = async (limits: Partial<Limits>): Promise<number> => {
      const { on, log, topic } = await setting(limits, {}, { segmentBytes: undefined })
      for (let i = 0; i < 5; i++) await send(topic, [{ value: new Uint8Array(9_000) }])
      const { liveSegments } = log.stats().wal
      const { files } = on.runtime()
      for (const { name } of await files.readdir(`${WAL}/epoch-1`)) {
        const stat = await files.stat(`${WAL}/epoch-1/${name}`)
        if (name.endsWith('.wal') && limits.segmentBytes !== undefined)
          expect(stat!.size).toBeLessThanOrEqual(limits.segmentBytes)
      }
      await log.close()
      return liveSegments
    }
    expect(await sizes({ segmentBytes: 24_000 })).toBe(3)
    expect(await sizes({})).toBe(1)
  },

  async maxWalBytes() {
    const released = async (limits: Partial<Limits>): Promise<bigint> => {
      const { on, log, topic } = await setting(limits)
      for (let i = 0; i < 60; i++) {
        await send(topic, [{ value: new Uint8Array(9_000) }])
        await on.clock.advance(1_000)
      }
      const { released: until } = topic.offsets()[0]!
      await log.close()
      return until
    }
    expect(await released({ maxWalBytes: 200_000 })).toBeGreaterThan(0n)
    expect(await released({})).toBe(0n)
  },

  async tailRingBytes() {
    const readsOf = async (limits: Partial<Limits>): Promise<number> => {
      const reads = { count: 0 }
      const { log, topic } = await setting(limits, {}, { reads })
      for (let i = 0; i < 4; i++) await send(topic, [{ value: new Uint8Array(500) }])
      expect(await everyRecord(topic)).toHaveLength(4)
      await log.close()
      return reads.count
    }
    expect(await readsOf({ tailRingBytes: 1_800 })).toBe(2)
    expect(await readsOf({})).toBe(0)
  },

  async commitBytes() {
    const frontier = async (limits: Partial<Limits>): Promise<bigint> => {
      const { on, log, topic } = await setting(limits)
      for (let i = 0; i < 5; i++) await send(topic, [{ value: new Uint8Array(9_000) }])
      for (let i = 0; i < 20; i++) await on.clock.advance(10)
      const { frontier: until } = topic.offsets()[0]!
      await log.close()
      return until
    }
    expect(await frontier({ commitBytes: 30_000 })).toBeGreaterThan(0n)
    expect(await frontier({})).toBe(0n)
  },

  async maxOpenWriterBytes() {
    const records = threeDays(1).map((record) => ({ ...record, timestamp: 0 }))
    const parted = times(3, (partition) => records.map((record) => ({ ...record, partition }))).flat()
    expect(await filesOf({ maxOpenWriterBytes: 1 }, parted, { partitions: 3 })).toHaveLength(3)
    expect(await filesOf({}, parted, { partitions: 3 })).toHaveLength(1)
  },

  async maxOpenWriters() {
    expect(await filesOf({ maxOpenWriters: 1 }, threeDays(2), { partitions: 2 })).toHaveLength(6)
    expect(await filesOf({}, threeDays(2), { partitions: 2 })).toHaveLength(3)
  },

  async sharedRowGroupBytes() {
    const records = times(3, (partition) => ({ partition }))
    const config: TopicConfig = { partitions: 3, partitionBy: [] }
    expect(rowGroupsOf(await filesOf({ sharedRowGroupBytes: 1 }, records, config))).toBe(3)
    expect(rowGroupsOf(await filesOf({}, records, config))).toBe(1)
  },

  async rowGroupBytes() {
    const records = heavy(90)
    const config: TopicConfig = { partitionBy: [] }
    expect(rowGroupsOf(await filesOf({ rowGroupBytes: 1, pageBytes: 1 }, records, config))).toBeGreaterThan(1)
    expect(rowGroupsOf(await filesOf({}, records, config))).toBe(1)
  },

  async pageBytes() {
    const pages = async (limits: Partial<Limits>): Promise<number> => {
      const [file] = await filesOf(
        limits,
        times(50, () => ({ value: randomBytes(100) })),
        { partitionBy: [] },
      )
      // `_kafka_value`.
      return (await file!.pageBounds({ rowGroup: 0, fieldId: 13 }))!.length
    }
    expect(await pages({ pageBytes: 1_000 })).toBeGreaterThan(4)
    expect(await pages({})).toBe(1)
  },

  async markerBytes() {
    const ledgers = async (limits: Partial<Limits>): Promise<number> => {
      const { on, log } = await setting(limits, manyPartitions)
      await log.close()
      let count = 0
      for await (const _ of storeOf(on).list({ prefix: 'log/ledgers/' })) count++
      return count
    }
    expect(await ledgers({ markerBytes: 1_024 })).toBe(1)
    expect(await ledgers({})).toBe(0)
  },

  async metadataWarnBytes() {
    const bytes = await metadataBytes()
    const count = ({ logs }: VirtualRuntime): number =>
      logs.filter(({ message }) => message.includes('metadata grows large')).length
    const warnings = async (limits: Partial<Limits>): Promise<number[]> => {
      const runtime = machine().runtime()
      const log = await openLake(machine(), limits, { runtime })
      const topic = (await log.ensureTopic('t', manyPartitions)) as Topic<Uint8Array>
      const found = [count(runtime)]
      await send(topic, [{}])
      await topic.tier()
      await log.close()
      return [...found, count(runtime)]
    }
    // A commit makes the metadata longer.
    expect(await warnings({ metadataWarnBytes: bytes - 1, markerBytes: 4_096 })).toEqual([1, 2])
    expect(await warnings({ metadataWarnBytes: bytes, markerBytes: 4_096 })).toEqual([0, 1])
    expect(await warnings({})).toEqual([0, 0])
  },

  async metadataStopBytes() {
    const bytes = await metadataBytes()
    const code = (stop: number): Promise<string> =>
      codeOf(setting({ markerBytes: 4_096, metadataWarnBytes: stop, metadataStopBytes: stop }, manyPartitions))
    expect(await code(bytes - 1)).toBe('METADATA_TOO_LARGE')
    expect(await code(bytes)).toBe('accepted')
  },

  async decodeDeadlineMs() {
    const read = async (limits: Partial<Limits>): Promise<string> => {
      const { on, log, topic } = await setting(limits, {}, { threads: 1 })
      await send(topic, heavy(30))
      await topic.tier()
      await log.releaseNow()
      let isOver = false
      const code = codeOf(everyRecord(topic)).finally(() => (isOver = true))
      while (!isOver) {
        await turn()
        await on.clock.advance(1)
      }
      await log.close()
      return code
    }
    expect(await read({ decodeDeadlineMs: 1 })).toBe('PARQUET_DEADLINE')
    // Far more than there are turns.
    expect(await read({ decodeDeadlineMs: 2 ** 31 })).toBe('accepted')
  },

  async maxWorkerBytes() {
    // Data files that wait for their turn to be stored hold the budget, so that a read of another one waits.
    const turnsOf = async (limits: Partial<Limits>, most: number): Promise<number> => {
      const on = machine()
      const runtime = on.runtime()
      const waiting: (() => void)[] = []
      let isHeld: (() => void) | undefined
      const inner = fileSystem({ root: LAKE, files: runtime.files })
      let before: ((key: string) => Promise<void>) | undefined
      const store: ObjectStore = {
        ...inner,
        async put(key, bytes, options) {
          await before?.(key)
          return inner.put(key, bytes, options)
        },
      }
      const log = await openLake(on, limits, { threads: 2, runtime, store })
      const topic = await log.ensureTopic('t', { timestampBeforeMaxMs: -1 })
      await send(topic, heavy(2))
      await topic.tier()
      await log.releaseNow()
      const held = new Promise<void>((resolve) => (isHeld = resolve))
      before = async (key) => {
        if (!key.endsWith('.parquet')) return
        isHeld!()
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
      // A file for each day, more than are stored at once.
      await send(
        topic,
        heavy(4).map((record, at) => ({ ...record, timestamp: at * 86_400_000 })),
      )
      const tiering = topic.tier()
      await held
      let isRead = false
      const reading = (async () => {
        for await (const _ of topic.read({ to: 1n }));
        isRead = true
      })()
      let turns = 0
      while (!isRead && turns < most) {
        await turn()
        turns++
      }
      before = undefined
      for (const resume of waiting) resume()
      await Promise.all([tiering, reading])
      await log.close()
      return turns
    }
    const usual = await turnsOf({}, Infinity)
    const most = 20 * usual + 1_000
    expect(await turnsOf({ maxWorkerBytes: 1 }, most)).toBe(most)
  },

  async shardBytes() {
    const records = times(200, () => ({ value: randomBytes(100) }))
    expect(await filesOf({ shardBytes: 2_000 }, records, { partitionBy: [] }, 500)).not.toHaveLength(1)
    expect(await filesOf({}, records, { partitionBy: [] }, 500)).toHaveLength(1)
  },

  async maxMissingFiles() {
    const missing = async (limits: Partial<Limits>): Promise<[number, number]> => {
      const { on, log, topic } = await setting(limits, { partitionBy: [] })
      for (let at = 0; at < 3; at++) {
        await send(topic, [{ value: new Uint8Array(10) }])
        await topic.tier()
      }
      const store = storeOf(on)
      for await (const { key } of store.list({ prefix: 'tables/default/t/data/' })) await store.delete(key)
      await log.releaseNow()
      const { missingFiles, missingFileCount } = topic.stats()
      await log.close()
      return [missingFiles.length, missingFileCount]
    }
    expect(await missing({ maxMissingFiles: 2 })).toEqual([2, 3])
    expect(await missing({})).toEqual([3, 3])
  },

  async openFileBytes() {
    // Each footer anew, beside the pages.
    expect(await fetchedAgain({ openFileBytes: 1 }, '.parquet')).toBe((await fetchedAgain({}, '.parquet')) + 4)
  },

  async manifestBytes() {
    expect(await fetchedAgain({}, '.avro')).toBe(0)
    // The list, and the manifest of each commit.
    expect(await fetchedAgain({ manifestBytes: 1 }, '.avro')).toBe(5)
  },

  async equalityDeleteBytes() {
    const byOffset = (folder: string, { offset }: DeletesOfTrial): NewDeletes =>
      newEquality(`${folder}.parquet`, [offset], [[1n], [2n]])
    const limit = { equalityDeleteBytes: 100 }
    expect(await countOf(limit, byOffset)).toBe('EQUALITY_DELETES')
    expect(await countOf({}, byOffset)).toBe(8)
  },

  async positionDeleteBytes() {
    const three = (folder: string, { paths }: DeletesOfTrial): NewDeletes =>
      newPositions(`${folder}.parquet`, new Map([[paths[0]!, [1, 2, 3]]]))
    expect(await countOf({ positionDeleteBytes: 100 }, three)).toBe('POSITION_DELETES')
    expect(await countOf({}, three)).toBe(7)
  },

  async rowMaskBytes() {
    const one = (folder: string, { paths }: DeletesOfTrial): NewDeletes =>
      newVectors(`${folder}.puffin`, new Map(paths.map((path) => [path, [4]])))
    const reads = async (limits: Partial<Limits>): Promise<number> => {
      const store = hookedStore()
      expect(await countOf(limits, one, store)).toBe(8)
      return store.calls.filter(({ op, key }) => op === 'get' && key.endsWith('.puffin')).length
    }
    // The footer and each vector; and each vector for the second scan, too.
    expect([await reads({}), await reads({ rowMaskBytes: 1 })]).toEqual([3, 5])
  },

  async maxGaps() {
    const gaps = async (limits: Partial<Limits>): Promise<number> => {
      const { on, log, topic } = await setting(limits, { partitionBy: [] })
      await send(
        topic,
        times(10, () => ({})),
      )
      await topic.tier()
      const runtime = on.runtime()
      const store = storeOf(on)
      const table = { store, runtime, catalog: objectStoreCatalog({ store, runtime }), info: { table: 'default.t' } }
      const foreign = table as unknown as TestLog
      await replaceRows(foreign, [pick(await allRows(foreign), [0, 2, 4, 6, 8, 9])])
      const { gaps: found, clean } = await topic.audit()
      expect(clean).toBe(false)
      await log.close()
      return found.length
    }
    expect(await gaps({ maxGaps: 2 })).toBe(2)
    expect(await gaps({})).toBe(4)
  },
}

it('each limit has a test', () => {
  expect(Object.keys(effects).sort()).toEqual(Object.keys(defaultLimits).sort())
})

describe('a limit takes effect', () => {
  it.each(Object.keys(effects) as (keyof Limits)[])('%s', async (name) => effects[name](), 60_000)
})

describe('limits are checked when a log is opened', () => {
  const opened = async (limits: Partial<Limits>): Promise<{ code: string; message: string }> => {
    try {
      await (await openLake(machine(), limits)).close()
      return { code: 'accepted', message: '' }
    } catch (error) {
      if (isMoulinError(error)) return error
      throw error
    }
  }

  it.each(Object.keys(defaultLimits) as (keyof Limits)[])('%s: a positive integer', async (name) => {
    for (const value of [0, -1, 1.5, NaN, Infinity, '5', null])
      expect(await opened({ [name]: value })).toMatchObject({
        code: 'LIMIT',
        message: expect.stringContaining(name) as string,
      })
    // Left out, as everywhere.
    expect(await opened({ [name]: undefined })).toEqual({ code: 'accepted', message: '' })
  })

  it.each((Object.keys(defaultLimits) as (keyof Limits)[]).filter((name) => name in formatCaps))(
    '%s: up to what readers take, and its default is',
    async (name) => {
      const most = formatCaps[name as keyof typeof formatCaps]
      expect(defaultLimits[name]).toBeLessThanOrEqual(most)
      // As far as others have to be raised with it.
      const wide = Object.fromEntries(
        Object.keys(defaultLimits).flatMap((other) =>
          other in formatCaps ? [[other, formatCaps[other as keyof typeof formatCaps]]] : [],
        ),
      )
      expect(await opened({ ...wide, [name]: most })).toMatchObject({ code: 'accepted' })
      expect(await opened({ ...wide, [name]: most + 1 })).toMatchObject({
        code: 'LIMIT',
        message: expect.stringMatching(new RegExp(`${name}.*${most}`)) as string,
      })
    },
  )

  it('two that contradict each other are both named', async () => {
    const pairs: [Partial<Limits>, Partial<Limits>][] = [
      [
        { maxRecordBytes: 1_000, maxBatchBytes: 1_000 + LONE_RECORD_BYTES - 1 },
        { maxRecordBytes: 1_000, maxBatchBytes: 1_000 + LONE_RECORD_BYTES },
      ],
      [
        { maxRecordBytes: 900, maxBatchBytes: 1_001, maxDecompressedBatchBytes: 1_000 },
        { maxRecordBytes: 900, maxBatchBytes: 1_000, maxDecompressedBatchBytes: 1_000 },
      ],
      [
        { metadataWarnBytes: 50_001, metadataStopBytes: 50_000 },
        { metadataWarnBytes: 50_000, metadataStopBytes: 50_000 },
      ],
      [
        { markerBytes: 50_001, metadataWarnBytes: 50_000 },
        { markerBytes: 50_000, metadataWarnBytes: 50_000 },
      ],
    ]
    for (const [wrong, right] of pairs) {
      const refused = await opened(wrong)
      expect(refused.code).toBe('LIMIT')
      for (const [name, value] of Object.entries(wrong).slice(-2)) {
        expect(refused.message).toContain(name)
        expect(refused.message).toContain(String(value))
      }
      expect(await opened(right)).toMatchObject({ code: 'accepted' })
    }
    expect(await opened({ markerBytes: 1_023 })).toMatchObject({ code: 'LIMIT' })
    expect(await opened({ markerBytes: 1_024 })).toMatchObject({ code: 'accepted' })
  })
})
