import { type IcebergField, isMoulinError, systemRuntime } from '@moulin/core'
import { type VirtualRuntime, virtualRuntime } from '@moulin/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { decodeRowGroup, type DecodeTask } from './decode/decode-row-group.ts'
import { hyparquetWriter } from '../second-opinion/hyparquet-writer.ts'
import { openParquet } from './open-parquet.ts'
import type { ParquetFile } from './parquet-file.ts'
import { batchFrom, field, headersType, rowsOf, utf8 } from './parquet.test-columns.ts'
import { bytesRangeReader } from './range-reader.ts'
import { type ThreadPool, threadPool, type ThreadPoolOptions } from '../threads/thread-pool.ts'
import type { DecodeCalls } from './serve-decodes.ts'
import { type ParquetWorkers, parquetWorkers, pooledDecodes } from './workers.ts'

const runtime = systemRuntime()
const secondWriter = await hyparquetWriter()
const pools: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(pools.splice(0).map((each) => each.close()))
})

function pool(
  options: { threads?: number; deadlineMs?: number; maxHeapMiB?: number; memoryBytes?: number } = {},
): ParquetWorkers {
  const workers = parquetWorkers({ threads: 1, deadlineMs: 20_000, inlineBytes: 0, ...options, runtime })
  pools.push(workers)
  return workers
}

/** Threads that do what a file's name says, as damaged bytes once could. */
const source = new URL(
  `data:text/javascript,${encodeURIComponent(`
  import { parentPort } from 'node:worker_threads'
  import { decodeHandlers, serveCalls } from ${JSON.stringify(import.meta.resolve('@moulin/format'))}
  const decode = (task) => {
    if (task.file === 'hangs') for (;;);
    if (task.file === 'dies') process.exit(3)
    if (task.file === 'swells') for (const all = []; ; ) all.push(new Array(100_000).fill('x' + all.length))
    return decodeHandlers.decode(task)
  }
  serveCalls(parentPort, { decode })`)}`,
)

function wickedPool(options: Partial<ThreadPoolOptions> = {}): {
  readonly workers: ParquetWorkers
  readonly threads: ThreadPool<DecodeCalls>
  readonly clock: VirtualRuntime['clock']
} {
  const virtual = virtualRuntime({ seed: 1 })
  const threads = threadPool<DecodeCalls>({ threads: 1, source, runtime: virtual, ...options })
  pools.push(threads)
  return { workers: pooledDecodes(threads, { deadlineMs: 5_000, inlineBytes: 0 }), threads, clock: virtual.clock }
}

const fields: readonly IcebergField[] = [
  field(1, 'id', 'long'),
  field(2, 'word', 'string'),
  field(3, 'flag', 'boolean'),
  field(4, 'n', 'int'),
  field(5, 'd', 'double'),
  field(6, 'raw', 'binary'),
  field(7, 'headers', headersType),
]
const rows = Array.from({ length: 60 }, (_, i) => [
  i % 9 === 0 ? null : BigInt(i) ** 9n,
  utf8(['ams', 'lhr', 'cdg'][i % 3]!),
  i % 4 === 0,
  i,
  i / 3,
  i % 2 === 0 ? null : utf8(`raw ${i}`),
  i % 5 === 0 ? [[utf8('k'), i % 2 === 0 ? null : utf8('v')]] : [],
])

function write(compression: 'zstd' | 'none', groups = 1, pageBytes = 128): Uint8Array {
  const writer = secondWriter.create({ schema: { type: 'struct', fields }, compression, pageBytes })
  for (let i = 0; i < groups; i++) writer.writeRowGroup(batchFrom(fields, rows))
  return writer.finish().bytes.slice()
}

const open = (bytes: Uint8Array, workers?: ParquetWorkers): Promise<ParquetFile> =>
  openParquet(bytesRangeReader(bytes, 'shelf.parquet'), workers === undefined ? {} : { workers })

/** The task that reading the whole first row group makes. */
async function taskOf(bytes: Uint8Array): Promise<DecodeTask> {
  let task: DecodeTask | undefined
  const spy: ParquetWorkers = {
    threads: 0,
    decode: (given) => {
      task = given
      return Promise.resolve(decodeRowGroup(given))
    },
    close: () => Promise.resolve(),
  }
  await (await open(bytes, spy)).read({ rowGroup: 0, types: fields })
  return task!
}

const wickedTask = async (file: 'hangs' | 'dies' | 'swells'): Promise<DecodeTask> => ({
  ...(await taskOf(write('none', 1, 1 << 16))),
  file,
})

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  )

describe('parquetWorkers', () => {
  it('reads the same rows in worker threads as in this one, many at once', async () => {
    const bytes = write('zstd', 4)
    const file = await open(bytes, pool({ threads: 2 }))
    const reads = Array.from({ length: 12 }, (_, i) => file.read({ rowGroup: i % 4, types: fields }))
    for (const batch of await Promise.all(reads)) expect(rowsOf(batch)).toEqual(rows)
    const needle = await file.read({ rowGroup: 3, types: fields, rows: { start: 30, end: 33 } })
    expect(rowsOf(needle)).toEqual(rows.slice(30, 33))
    // The file's own bytes were copied, not moved away.
    expect(bytes).toEqual(write('zstd', 4))
  })

  it('leaves the memory of a store that answers with Buffers alone', async () => {
    const bytes = Buffer.from(write('zstd'))
    const file = await open(bytes, pool())
    for (let i = 0; i < 2; i++) expect(rowsOf(await file.read({ rowGroup: 0, types: fields }))).toEqual(rows)
    expect(bytes.equals(write('zstd'))).toBe(true)
  })

  it('ends a worker at the deadline, naming file and row group, and reads on with another', async () => {
    const { workers, threads, clock } = wickedPool()
    const file = await open(write('zstd'), workers)
    // The first read waits for the worker to start, so that the next task reaches it at once and its time begins.
    expect(rowsOf(await file.read({ rowGroup: 0, types: fields }))).toEqual(rows)
    const hanging = failure(workers.decode(await wickedTask('hangs')))
    const next = file.read({ rowGroup: 0, types: fields })
    await clock.advance(4_999)
    expect(await Promise.race([hanging, runtime.timers.sleep(20).then(() => 'pending')])).toBe('pending')
    await clock.advance(1)
    expect(await hanging).toMatchObject({
      kind: 'corrupt',
      code: 'PARQUET_DEADLINE',
      context: { file: 'hangs', rowGroup: 0, deadlineMs: 5_000 },
    })
    expect(rowsOf(await next)).toEqual(rows)
    expect(threads.stats).toMatchObject({ usedBytes: 0, busy: 0, idle: 1 })
  })

  it('fails only the task whose worker dies or runs out of memory', async () => {
    const { workers, threads } = wickedPool({ maxHeapMiB: 48 })
    const [dying, greedy] = [await wickedTask('dies'), await wickedTask('swells')]
    const failures = [failure(workers.decode(dying)), failure(workers.decode(greedy))]
    const next = (await open(write('zstd'), workers)).read({ rowGroup: 0, types: fields })
    expect(await failures[0]).toMatchObject({ kind: 'corrupt', code: 'PARQUET_WORKER', context: { file: 'dies' } })
    expect(await failures[1]).toMatchObject({ kind: 'exhausted', code: 'PARQUET_MEMORY', context: { file: 'swells' } })
    expect(rowsOf(await next)).toEqual(rows)
    expect(threads.stats).toMatchObject({ usedBytes: 0, busy: 0, idle: 1 })
  })

  it('gives up at the signal, waiting or running', async () => {
    const { workers, threads, clock } = wickedPool()
    const file = await open(write('zstd'), workers)
    await file.read({ rowGroup: 0, types: fields })
    const [running, waiting] = [new AbortController(), new AbortController()]
    const hangs = await wickedTask('hangs')
    const first = failure(workers.decode(hangs, { signal: running.signal }))
    const second = failure(workers.decode(hangs, { signal: waiting.signal }))
    await expect.poll(() => threads.stats.queued).toBe(1)
    waiting.abort()
    running.abort()
    expect(await first).toMatchObject({ kind: 'aborted' })
    expect(await second).toMatchObject({ kind: 'aborted' })
    // What the first one left running holds its memory, ends at its deadline and makes room.
    expect(threads.stats.usedBytes).toBeGreaterThan(0)
    const next = file.read({ rowGroup: 0, types: fields })
    await clock.advance(5_000)
    expect(rowsOf(await next)).toEqual(rows)
    expect(threads.stats.usedBytes).toBe(0)
  })

  it('fails what runs and what waits when it is closed, and all that comes later', async () => {
    const { workers, threads } = wickedPool()
    const hangs = await wickedTask('hangs')
    const running = failure(workers.decode(hangs))
    const waiting = failure(workers.decode(hangs))
    await expect.poll(() => threads.stats.queued).toBe(1)
    await threads.close()
    await threads.close()
    expect(await running).toMatchObject({ kind: 'closed' })
    expect(await waiting).toMatchObject({ kind: 'closed' })
    expect(await failure(workers.decode(hangs))).toMatchObject({ kind: 'closed' })
  })

  it('waits for memory, one task at a time when each is larger than all of it', async () => {
    const { workers, threads } = wickedPool({ threads: 2, memoryBytes: 10 })
    const file = await open(write('zstd'), workers)
    const reads = [1, 2, 3].map(() => file.read({ rowGroup: 0, types: fields }))
    await expect.poll(() => threads.stats).toMatchObject({ busy: 1, waiting: 2 })
    for (const batch of await Promise.all(reads)) expect(rowsOf(batch)).toEqual(rows)
    expect(threads.stats).toMatchObject({ usedBytes: 0, waiting: 0 })
  })

  it('leaves the bytes of large tasks alone, and uses its own again', async () => {
    const { workers, threads } = wickedPool()
    const task = await taskOf(write('none'))
    const padded = { ...task, ranges: [...task.ranges, { start: 1 << 30, bytes: new Uint8Array(100_000) }] }
    for (let i = 0; i < 2; i++) expect(rowsOf(await workers.decode(padded))).toEqual(rows)
    expect(padded.ranges.at(-1)!.bytes.length).toBe(100_000)
    expect([0, 131_072]).toContain(threads.buffers.keptBytes)
  })

  it('decodes small tasks in this thread', async () => {
    const threads = threadPool<DecodeCalls>({ threads: 1, source, runtime })
    pools.push(threads)
    const file = await open(write('zstd', 4), pooledDecodes(threads))
    expect(rowsOf(await file.read({ rowGroup: 0, types: fields, rows: { start: 3, end: 5 } }))).toEqual(
      rows.slice(3, 5),
    )
    expect(threads.stats).toMatchObject({ busy: 0, idle: 0 })
  })

  it('decodes in this thread with 0 threads, and refuses other odd numbers', async () => {
    const file = await open(write('zstd'), pool({ threads: 0 }))
    expect(rowsOf(await file.read({ rowGroup: 0, types: fields }))).toEqual(rows)
    for (const threads of [-1, 0.5]) expect(() => pool({ threads })).toThrow('threads')
  })
})

describe('a file with one damaged byte', () => {
  it.each(['zstd', 'none'] as const)(
    'ends in rows or in an error of ours, whichever byte it is (%s)',
    { timeout: 120_000 },
    async (compression) => {
      const bytes = write(compression)
      const workers = pool({ threads: 2, deadlineMs: 1_000, maxHeapMiB: 128 })
      const seen = new Map<string, number>()
      // Every byte of the file in turn, a few hundred of them, each with another bit or all bits turned over.
      const mutants = 400
      const attempts = Array.from({ length: mutants }, async (_, i) => {
        const copy = bytes.slice()
        copy[Math.floor((i * bytes.length) / mutants)]! ^= i % 3 === 0 ? 0xff : 1 << (i % 8)
        const error = await failure(open(copy, workers).then((file) => file.read({ rowGroup: 0, types: fields })))
        const kind = error === 'no error' ? error : isMoulinError(error) ? error.kind : String(error)
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
      })
      await Promise.all(attempts)
      expect(['corrupt', 'exhausted', 'no error', 'unsupported']).toEqual(expect.arrayContaining([...seen.keys()]))
      expect(seen.get('corrupt')).toBeGreaterThan(mutants / 10)
    },
  )
})
