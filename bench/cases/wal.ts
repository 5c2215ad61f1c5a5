/**
 * Group commit: producers with one append in flight each, on a preallocated write-ahead tier. The peer is the least that
 * any log must do: the same bytes, queued the same way, one writev and one fdatasync per flush, no frame, no checksum, no
 * fence. `1 encoding` and `2 encoding` run the same beside as many threads that encode events without pause, and four
 * readers that look for needles of 1 000 rows in a file, as tiering and cold reads do. `log` is the same through a topic of a log, with a
 * meter; the peer has none.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { defaultLimits, systemRuntime } from '@moulin/core'
import { fileWal } from '@moulin/log'
import { memory } from '@moulin/storage'
import type { Bench, BenchOptions, Reach } from '../bench.ts'
import { alone, beside, quantile, rounds, timed } from '../bench.ts'
import { inFolder } from '../temporary.ts'
import { inLog } from './metered-log.ts'
import { tieringLoad } from './tiering-load.ts'
import type { LoadFigures } from './tiering-load.ts'

const KiB = 1024
const shapes = [
  { producers: 1, bytes: 16 * KiB, appends: 1_000 },
  { producers: 8, bytes: 16 * KiB, appends: 4_000 },
  { producers: 64, bytes: 16 * KiB, appends: 16_000 },
  { producers: 256, bytes: 16 * KiB, appends: 16_000 },
  // As many bytes as the others: less than a segment would be little more than its zero-filling.
  { producers: 1000, bytes: 1 * KiB, appends: 240_000 },
]
/** Through a log, whose records stay in the write-ahead tier. */
const logShapes = [
  { producers: 64, bytes: 16 * KiB, appends: 6_000 },
  { producers: 1000, bytes: 1 * KiB, appends: 60_000 },
]
const readers = 4
const topicId = '6b1f3a52-5f5e-4b7a-9a53-3d6d1c1f0a11'
const runtime = systemRuntime()

interface Shape {
  readonly producers: number
  readonly bytes: number
  readonly appends: number
}
interface Seen {
  readonly latencies: number[]
  readonly seconds: number
}
type Append = (bytes: Uint8Array) => Promise<unknown>

/** Threads that encode beside it, and what the p99 must then not be above. */
const loads: readonly { readonly threads: number; readonly p99Ms: number }[] = [
  { threads: 1, p99Ms: 10 },
  { threads: 2, p99Ms: 20 },
]

export const bench: Bench = async (print, options) => {
  for (const shape of shapes) await idle(shape)
  for (const { threads, p99Ms } of loads) await underLoad(shapes[2]!, threads, p99Ms)
  for (const shape of logShapes) await metered(shape)

  async function idle(shape: Shape): Promise<void> {
    const name = `${nameOf(shape)}/none/idle`
    if (name.includes(options.only)) lines(name, shape, await measure(shape, options))
  }

  async function underLoad(shape: Shape, threads: number, p99Ms: number): Promise<void> {
    const name = `${nameOf(shape)}/none/${threads} encoding`
    if (!name.includes(options.only)) return
    const { seen, load } = await inFolder(async (dir) => {
      const running = await tieringLoad({ threads, readers, dir })
      const times = await measure(shape, options)
      return { seen: times, load: await running.stop() }
    })
    lines(name, shape, seen, { value: p99Ms })
    besides(name, load)
  }

  async function metered(shape: Shape): Promise<void> {
    const name = `${nameOf(shape)}/none/log`
    if (!name.includes(options.only)) return
    const append = (isMetered: boolean): Promise<Seen & { readonly ms: number }> =>
      inLog(isMetered, shape.bytes, async (once) => {
        let seen: Seen | undefined
        const ms = await timed(options, async () => (seen = await drive(shape, once)))
        return { ...seen!, ms }
      })
    const seen = await rounds(options.rounds, { meter: () => append(true), none: () => append(false) })
    const line = (suffix: string, unit: string, figure: (run: Seen & { readonly ms: number }) => number): void => {
      const which = { bench: 'wal', case: `${name}/${suffix}`, unit, peer: 'without a meter' }
      print({ ...which, ...beside(seen['meter']!.map(figure), seen['none']!.map(figure)) })
    }
    line('p50', 'ms', ({ latencies }) => quantile(latencies, 0.5))
    line('p99', 'ms', ({ latencies }) => quantile(latencies, 0.99))
    line('an append', 'µs', ({ ms }) => (ms * 1000) / shape.appends)
  }

  function lines(name: string, shape: Shape, seen: Record<string, Seen[]>, reach?: Reach): void {
    const [own, peer] = [seen['moulin']!, seen['raw']!]
    const line = (suffix: string, figure: (run: Seen) => number, goal?: Reach): void => {
      const which = { bench: 'wal', case: `${name}/${suffix}`, unit: 'ms', peer: 'writev+fdatasync' }
      print({ ...which, ...beside(own.map(figure), peer.map(figure)), ...(goal && { reach: goal }) })
    }
    line('p50', ({ latencies }) => quantile(latencies, 0.5))
    line('p99', ({ latencies }) => quantile(latencies, 0.99), reach)
    line('whole', ({ seconds }) => seconds * 1000)
    const speeds = own.map(({ seconds }) => (shape.appends * shape.bytes) / 1e6 / seconds)
    print({ bench: 'wal', case: `${name}/throughput`, unit: 'MB/s', ...alone(speeds) })
  }

  // Nobody shall be fast by starving the rest.
  function besides(name: string, { seconds, encodedBytes, needleMs }: LoadFigures): void {
    const line = { bench: 'wal', peer: null, ratio: null, spread: null }
    print({ ...line, case: `${name}/encoded`, value: encodedBytes / 1e6 / seconds, unit: 'MB/s' })
    print({ ...line, case: `${name}/needles p50`, value: quantile(needleMs, 0.5), unit: 'ms' })
    print({ ...line, case: `${name}/needles`, value: needleMs.length / seconds, unit: '/s' })
  }
}

function measure(shape: Shape, options: BenchOptions): Promise<Record<string, Seen[]>> {
  return rounds(options.rounds, { moulin: () => ours(shape), raw: () => raw(shape) })
}

function nameOf({ producers, bytes }: Shape): string {
  return `${producers}x${bytes / KiB}KiB`
}

async function ours(shape: Shape): Promise<Seen> {
  return inFolder(async (dir) => {
    const session = await fileWal({ dir: join(dir, 'wal') }).openWriter({
      runtime,
      limits: defaultLimits,
      logId: runtime.random.uuid(),
      takeover: 'refuse',
      mustExist: false,
      store: memory(),
      nextOffset: () => 0n,
      beforeRecovery: async () => {},
      isLive: () => true,
      recover() {},
    })
    let offset = 0n
    const seen = await drive(shape, async (batches) => {
      const baseOffset = offset++
      const { location } = await session.append({
        topicId,
        incarnation: 1,
        partition: 0,
        baseOffset,
        lastOffset: baseOffset,
        recordCount: 1,
        valueSchemaId: 0,
        keySchemaId: 0,
        appendedMs: Math.trunc(runtime.clock.now()),
        batches,
      })
      await session.release([location])
    })
    await session.close()
    return seen
  })
}

async function raw(shape: Shape): Promise<Seen> {
  return inFolder(async (dir) => {
    const size = 256 * 1024 * KiB
    const file = await open(join(dir, 'raw'), 'w+')
    for (let at = 0; at < size; at += 1024 * KiB) await file.write(Buffer.alloc(1024 * KiB), 0, 1024 * KiB, at)
    await file.sync()
    let queue: { bytes: Uint8Array; done: () => void }[] = []
    let position = 0
    let flushing = false
    const flushAll = async (): Promise<void> => {
      flushing = true
      while (queue.length > 0) {
        const count = Math.max(1, Math.floor(defaultLimits.maxFlushBytes / queue[0]!.bytes.length))
        const now = queue.slice(0, count)
        queue = queue.slice(count)
        const bytes = now.reduce((sum, each) => sum + each.bytes.length, 0)
        if (position + bytes > size) position = 0
        await file.writev(
          now.map((each) => each.bytes),
          position,
        )
        position += bytes
        await file.datasync()
        for (const each of now) each.done()
      }
      flushing = false
    }
    const seen = await drive(shape, (bytes) => {
      return new Promise<void>((done) => {
        queue.push({ bytes, done })
        if (!flushing) void flushAll()
      })
    })
    await file.close()
    return seen
  })
}

async function drive({ producers, bytes, appends }: Shape, append: Append): Promise<Seen> {
  const payload = runtime.random.bytes(bytes)
  const latencies: number[] = []
  const perProducer = Math.ceil(appends / producers)
  const begun = performance.now()
  const produce = async (): Promise<void> => {
    for (let i = 0; i < perProducer; i++) {
      const start = performance.now()
      await append(payload)
      latencies.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: producers }, produce))
  return { latencies, seconds: (performance.now() - begun) / 1000 }
}
