import { type IcebergField, isMoulinError, systemRuntime } from '@moulin/core'
import { type VirtualRuntime, virtualRuntime } from '@moulin/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { bytesIn } from './byte-ranges.ts'
import { checkPages } from './decode/check-pages.ts'
import { decodeRowGroup, type DecodeTask } from './decode/decode-row-group.ts'
import { hyparquetWriter } from './hyparquet/hyparquet-writer.ts'
import { openParquet } from './open-parquet.ts'
import type { ParquetFile } from './parquet-file.ts'
import { batchFrom, field, headersType, rowsOf, utf8 } from './parquet.test-columns.ts'
import { bytesRangeReader } from './range-reader.ts'
import { type ParquetWorkers, parquetWorkers } from './workers.ts'

const runtime = systemRuntime()
const pools: ParquetWorkers[] = []
function pool(options: { threads?: number; deadlineMs?: number; maxHeapMiB?: number } = {}): ParquetWorkers {
  const workers = parquetWorkers({ threads: 1, deadlineMs: 20_000, ...options, runtime })
  pools.push(workers)
  return workers
}
function virtualPool(): { workers: ParquetWorkers; clock: VirtualRuntime['clock'] } {
  const virtual = virtualRuntime({ seed: 1 })
  const workers = parquetWorkers({ threads: 1, deadlineMs: 5_000, runtime: virtual })
  pools.push(workers)
  return { workers, clock: virtual.clock }
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map((workers) => workers.close()))
})

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
  const writer = hyparquetWriter.create({ schema: { type: 'struct', fields }, compression, pageBytes })
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
      return decodeRowGroup(given)
    },
    close: () => Promise.resolve(),
  }
  await (await open(bytes, spy)).read({ rowGroup: 0, types: fields })
  return task!
}

/** A task that hyparquet does not end: the levels of one page are a run of 2^31 where 60 are stated. */
async function hangingTask(): Promise<DecodeTask> {
  const task = await taskOf(write('none', 1, 1 << 16))
  const copy = { ...task, ranges: task.ranges.map(({ start, bytes }) => ({ start, bytes: bytes.slice() })) }
  const [chunk] = task.columns.find(({ name }) => name === 'id')!.chunks
  const { type, valueCount } = chunk!.column
  const pages = checkPages(
    chunk!.spans.map((span) => bytesIn(copy.ranges, span)!),
    { what: 'id', type, valueCount, maxPageBytes: 1 << 20, isWhole: true },
  )
  expect(pages[0]!.definitionLevels!.length).toBeGreaterThan(5)
  pages[0]!.definitionLevels!.set([0xfe, 0xff, 0xff, 0xff, 0x0f, 0x01])
  return copy
}

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
    const { workers, clock } = virtualPool()
    const file = await open(write('zstd'), workers)
    // The first read waits for the worker to start, so that the next task reaches it at once and its time begins.
    expect(rowsOf(await file.read({ rowGroup: 0, types: fields }))).toEqual(rows)
    const hanging = failure(workers.decode(await hangingTask()))
    const next = file.read({ rowGroup: 0, types: fields })
    await clock.advance(4_999)
    expect(await Promise.race([hanging, runtime.timers.sleep(20).then(() => 'pending')])).toBe('pending')
    await clock.advance(1)
    expect(await hanging).toMatchObject({
      kind: 'corrupt',
      code: 'PARQUET_DEADLINE',
      context: { file: 'shelf.parquet', rowGroup: 0, deadlineMs: 5_000 },
    })
    expect(rowsOf(await next)).toEqual(rows)
  })

  it('fails only the task whose worker runs out of memory', async () => {
    const workers = pool({ maxHeapMiB: 48 })
    const greedy = failure(workers.decode(await hangingTask()))
    const next = (await open(write('zstd'), workers)).read({ rowGroup: 0, types: fields })
    expect(await greedy).toMatchObject({ kind: 'exhausted', code: 'PARQUET_MEMORY', context: { rowGroup: 0 } })
    expect(rowsOf(await next)).toEqual(rows)
  })

  it('gives up at the signal, waiting or running', async () => {
    const { workers, clock } = virtualPool()
    const file = await open(write('zstd'), workers)
    await file.read({ rowGroup: 0, types: fields })
    const [running, waiting] = [new AbortController(), new AbortController()]
    const first = failure(workers.decode(await hangingTask(), { signal: running.signal }))
    const second = failure(workers.decode(await hangingTask(), { signal: waiting.signal }))
    waiting.abort()
    running.abort()
    expect(await first).toMatchObject({ kind: 'aborted' })
    expect(await second).toMatchObject({ kind: 'aborted' })
    // What the first one left running ends at its deadline and makes room.
    const next = file.read({ rowGroup: 0, types: fields })
    await clock.advance(5_000)
    expect(rowsOf(await next)).toEqual(rows)
  })

  it('fails what runs and what waits when it is closed, and all that comes later', async () => {
    const workers = pool()
    const running = failure(workers.decode(await hangingTask()))
    const waiting = failure(workers.decode(await hangingTask()))
    await workers.close()
    await workers.close()
    expect(await running).toMatchObject({ kind: 'closed' })
    expect(await waiting).toMatchObject({ kind: 'closed' })
    expect(await failure(workers.decode(await hangingTask()))).toMatchObject({ kind: 'closed' })
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
