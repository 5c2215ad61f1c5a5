/**
 * Group commit: producers with one append in flight each, on a preallocated write-ahead tier. The peer is the least that
 * any log must do: the same bytes, queued the same way, one writev and one fdatasync per flush, no frame, no checksum, no
 * fence. `encoding` runs the same beside a worker thread that encodes Parquet without pause, as tiering does.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { defaultLimits, systemRuntime } from '@moulin/core'
import { fileWal } from '@moulin/log'
import type { Bench } from '../bench.ts'
import { median, quantile, rounds } from '../bench.ts'

const KiB = 1024
const shapes = [
  { producers: 1, bytes: 16 * KiB, appends: 1_000 },
  { producers: 8, bytes: 16 * KiB, appends: 4_000 },
  { producers: 64, bytes: 16 * KiB, appends: 16_000 },
  { producers: 256, bytes: 16 * KiB, appends: 16_000 },
  { producers: 1000, bytes: 1 * KiB, appends: 60_000 },
]
const measuredRounds = 5
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

export const bench: Bench = async (print) => {
  for (const shape of shapes) await measure(shape, 'idle')
  await measure(shapes[2]!, 'encoding')

  async function measure(shape: Shape, beside: 'idle' | 'encoding'): Promise<void> {
    const worker = beside === 'encoding' ? await encodingWorker() : undefined
    const seen = await rounds(measuredRounds, { moulin: () => ours(shape), raw: () => raw(shape) })
    await worker?.terminate()
    const name = `${shape.producers}x${shape.bytes / KiB}KiB/none/${beside}`
    const line = (suffix: string, unit: string, figure: (run: Seen) => number, isTime: boolean): void => {
      const [own, peer] = [seen['moulin']!, seen['raw']!].map((runs) => median(runs.map(figure)))
      const ratio = isTime ? own! / peer! : peer! / own!
      print({ bench: 'wal', case: `${name}/${suffix}`, value: own!, unit, peer: 'writev+fdatasync', ratio })
    }
    line('p50', 'ms', ({ latencies }) => quantile(latencies, 0.5), true)
    line('p99', 'ms', ({ latencies }) => quantile(latencies, 0.99), true)
    line('throughput', 'MB/s', ({ seconds }) => (shape.appends * shape.bytes) / 1e6 / seconds, false)
  }
}

async function ours(shape: Shape): Promise<Seen> {
  return inFolder(async (dir) => {
    const session = await fileWal({ dir: join(dir, 'wal') }).open({
      runtime,
      limits: defaultLimits,
      logId: runtime.random.uuid(),
      access: 'read-write',
      takeover: 'refuse',
      mustExist: false,
      beforeRecovery: async () => {},
      isLive: () => true,
      isAcked: () => true,
      recover: () => {},
    })
    let offset = 0n
    const seen = await drive(shape, async (batches) => {
      const baseOffset = offset++
      const location = await session.append({
        topicId,
        incarnation: 1,
        partition: 0,
        baseOffset,
        lastOffset: baseOffset,
        recordCount: 1,
        valueSchemaId: 0,
        keySchemaId: 0,
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

async function encodingWorker(): Promise<Worker> {
  const worker = new Worker(new URL('encode-forever.ts', import.meta.url))
  await new Promise((resolve) => worker.once('message', resolve))
  return worker
}

async function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'moulin-bench-'))
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}
