import { defaultLimits, schema, systemRuntime, t, unavailable } from '@moulin/core'
import type { BatchRun, Codec, ObjectStore } from '@moulin/core'
import { avro, encodeBatch } from '@moulin/format'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeShards } from './encode-shards.ts'
import type { ShardParts, TierRange } from './encode-shards.ts'
import { checkTable, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { systemFields } from '../table/system-columns.ts'
import { builtInParts } from './tier-task.ts'
import type { TierSetup } from './tier-task.ts'
import { tierPool, tierWorkers } from './tier-workers.ts'
import type { TierPool, TierPoolOptions, TierWorkers } from './tier-workers.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
})

function pool(options: Partial<TierPoolOptions> = {}): TierPool {
  const made = tierPool({ threads: 2, runtime: systemRuntime(), ...options })
  open.push(made)
  return made
}

const setup: TierSetup = {
  schema: { type: 'struct', fields: systemFields },
  spec: { 'spec-id': 0, fields: [] },
  columns: systemFields.map(({ name }) => [name, name] as const),
  incarnation: 1,
  rowCrc: true,
  keepRaw: false,
  codecs: [],
  compression: 'zstd',
  fileBytes: 1 << 20,
  keyValue: {},
  limits: defaultLimits,
}

const patient = { timeout: 20_000 }
const RECORDS = 100
const runs = (partition: number, count: number): BatchRun[] =>
  Array.from({ length: count }, (_, at) => {
    const baseOffset = BigInt(at * RECORDS)
    const records = Array.from({ length: RECORDS }, (_row, row) => ({
      offset: baseOffset + BigInt(row),
      timestamp: BigInt(row),
      key: utf8(`key ${row}`),
      value: utf8(`value ${(row * 7919) % 1000} of ${partition}`),
      headers: [],
    }))
    const batches = encodeBatch({ baseOffset, records, timestampType: 'create' })
    return { partition, baseOffset, nextOffset: baseOffset + BigInt(RECORDS), batches, valueSchemaIds: 0 }
  })
const runBytes = runs(0, 1)[0]!.batches.length

const rangeOf = (partition: number, count: number): TierRange => ({ partition, from: 0n, to: BigInt(count * RECORDS) })

interface Case {
  readonly workers: TierWorkers
  readonly shardRuns?: number
  readonly counts?: readonly number[]
  readonly put?: (at: number) => Promise<void>
  readonly read?: ShardParts['read']
  readonly signal?: AbortSignal
}

/** Rows by file, and what was told at the end. */
async function encode({ workers, shardRuns = 4, counts = [6, 6], put, read, signal }: Case): Promise<{
  readonly files: Uint8Array[]
  readonly rows: number[]
  readonly tallies: Awaited<ReturnType<typeof encodeShards>>
}> {
  const files: Uint8Array[] = []
  const rows: number[] = []
  const parts: ShardParts = {
    workers,
    setup,
    tierParts: builtInParts,
    shardBytes: shardRuns * runBytes - 100,
    read:
      read ??
      async function* ({ partition, to }) {
        yield* runs(partition, Number(to) / RECORDS)
      },
    async put({ file, release }) {
      files.push(new Uint8Array(file.bytes))
      rows.push(file.rowCount)
      await put?.(files.length)
      release()
    },
  }
  const ranges = counts.map((count, partition) => rangeOf(partition, count))
  return { files, rows, tallies: await encodeShards(parts, ranges, signal) }
}

describe('encodeShards', () => {
  it('gives the same files in the same order, whatever the number of threads', { timeout: 60_000 }, async () => {
    const here = await encode({ workers: tierWorkers(undefined) })
    // 4 runs; 2 and 2 of the next partition; 4.
    expect(here.rows).toEqual([400, 400, 400])
    for (const threads of [1, 2, 3]) {
      const threaded = pool({ threads })
      const there = await encode({ workers: tierWorkers(threaded) })
      expect(there).toEqual(here)
      expect(threaded.stats).toMatchObject({ usedBytes: 0, waiting: 0, busy: 0 })
    }
    expect(here.tallies.get(1)).toMatchObject({ rows: 600, lastRow: 599n, control: 0 })
    const whole = await encode({ workers: tierWorkers(undefined), shardRuns: 100 })
    expect(whole.rows).toEqual([1200])
    expect(whole.tallies).toEqual(here.tallies)
  })

  it('ends a shard that is nearly full with its partition', async () => {
    const workers = tierWorkers(undefined)
    expect((await encode({ workers, counts: [3, 3, 1] })).rows).toEqual([300, 300, 100])
    expect((await encode({ workers, counts: [2, 3, 5, 1] })).rows).toEqual([400, 400, 300])
  })

  it('encodes two shards at once', async () => {
    const threaded = pool()
    const workers = tierWorkers(threaded)
    let most = 0
    const watched: TierWorkers = {
      get hasIdle() {
        return workers.hasIdle
      },
      async begin(...call) {
        const session = await workers.begin(...call)
        most = Math.max(most, threaded.stats.busy)
        return session
      },
    }
    await encode({ workers: watched, counts: [400], shardRuns: 100 })
    expect(most).toBe(2)
  })

  it('goes on with less memory than one run', async () => {
    const threaded = pool({ memoryBytes: 10 })
    expect((await encode({ workers: tierWorkers(threaded) })).rows).toEqual([400, 400, 400])
    expect(threaded.stats.usedBytes).toBe(0)
  })

  it('shares the budget of a pool with others, none of which stops the rest', { timeout: 60_000 }, async () => {
    const threaded = pool({ memoryBytes: 3 * runBytes })
    const workers = tierWorkers(threaded)
    const all = await Promise.all(Array.from({ length: 4 }, () => encode({ workers })))
    for (const { rows } of all) expect(rows).toEqual([400, 400, 400])
    expect(threaded.stats).toMatchObject({ usedBytes: 0, waiting: 0, busy: 0 })
  })

  it.each([1, 2, 3])('stops at the first failure of a put, the one of file %i', async (at) => {
    const threaded = pool()
    const workers = tierWorkers(threaded)
    let puts = 0
    const put = async (): Promise<void> => {
      puts++
      if (puts === at) throw unavailable('STORE', 'No store.')
    }
    await expect(encode({ workers, put })).rejects.toMatchObject({ code: 'STORE' })
    expect(puts).toBe(at)
    expect(threaded.stats).toMatchObject({ usedBytes: 0, waiting: 0, busy: 0, queued: 0 })
  })

  it('stops where the log does, and with the error of a thread', async () => {
    const threaded = pool()
    const workers = tierWorkers(threaded)
    const broken: ShardParts['read'] = async function* ({ partition }) {
      yield* runs(partition, 5)
      throw unavailable('DISK', 'No disk.')
    }
    await expect(encode({ workers, read: broken })).rejects.toMatchObject({ code: 'DISK' })
    const garbage: ShardParts['read'] = async function* ({ partition }) {
      yield { ...runs(partition, 1)[0]!, batches: utf8('no batch at all, whatever its length is') }
      yield* runs(partition, 50)
    }
    await expect(encode({ workers, read: garbage })).rejects.toMatchObject({ kind: 'corrupt' })
    expect(threaded.stats).toMatchObject({ usedBytes: 0, waiting: 0, busy: 0, queued: 0 })
  })

  it('stops at the signal while it waits for memory or a thread', async () => {
    const threaded = pool({ threads: 1, memoryBytes: 2 * runBytes })
    const workers = tierWorkers(threaded)
    const foreign = await threaded.budget.acquire(2 * runBytes)
    const first = new AbortController()
    const waiting = encode({ workers, signal: first.signal })
    await expect.poll(() => threaded.stats.waiting, patient).toBe(1)
    first.abort()
    await expect(waiting).rejects.toMatchObject({ kind: 'aborted' })
    foreign.release()
    const session = await workers.begin(setup, builtInParts)
    const second = new AbortController()
    const queued = encode({ workers, signal: second.signal })
    await expect.poll(() => threaded.stats.queued, patient).toBe(1)
    second.abort()
    await expect(queued).rejects.toMatchObject({ kind: 'aborted' })
    session.release()
    expect(threaded.stats).toMatchObject({ usedBytes: 0, waiting: 0, busy: 0, queued: 0 })
  })
})

describe('a commit in shards', () => {
  const codec = avro(schema({ id: t.int53, city: t.string })) as Codec

  async function commit(threads: number): Promise<{ log: TestLog; objects: Map<string, Uint8Array> }> {
    const log = testLog({ codec, tier: { threads }, limits: { shardBytes: 2_000 } })
    open.push(log.tier)
    for (let id = 0; id < 200; id++)
      log.hot.send(id % 2, [{ value: codec.encode({ id, city: `city ${id % 5}` }) }, { value: null }])
    const topic = await log.attach()
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    return { log, objects: await dataFilesIn(log.store) }
  }

  async function dataFilesIn(store: ObjectStore): Promise<Map<string, Uint8Array>> {
    const objects = new Map<string, Uint8Array>()
    for await (const { key } of store.list({ prefix: '' }))
      if (key.includes('/data/')) objects.set(key, new Uint8Array((await store.get(key)).bytes))
    return objects
  }

  it('stores the same objects with no thread, one and two', { timeout: 60_000 }, async () => {
    const { objects } = await commit(0)
    expect(objects.size).toBeGreaterThan(5)
    expect([...objects.keys()].every((key) => /-\d+\.parquet$/.test(key))).toBe(true)
    for (const threads of [1, 2]) expect((await commit(threads)).objects).toEqual(objects)
  })
})
