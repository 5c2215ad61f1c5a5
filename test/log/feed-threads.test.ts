/** `sendFeed` with the threads of this machine: what only they can do. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { schema, systemRuntime, t, type Log, type Runtime } from '@moulin/core'
import { avro } from '@moulin/format'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { errorOf } from './feeding.ts'
import { collect } from './machine.ts'

const Order = schema({ id: t.int53, city: t.string, at: t.timestamptz })
let dir: string
let log: Log

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-feed-'))
})
afterEach(async () => {
  await log.close()
  await rm(dir, { recursive: true })
})

async function open(runtime: Runtime = systemRuntime()): Promise<void> {
  log = await openLog({ store: fileSystem({ root: dir }), wal: fileWal({ dir: join(dir, 'log/wal') }), runtime })
}

/** A module of its own, as text. */
async function moduleOf(name: string, text: string): Promise<URL> {
  await writeFile(join(dir, name), text)
  return pathToFileURL(join(dir, name))
}

it('runs a feed that is written in TypeScript in several threads', async () => {
  await open()
  const orders = await log.ensureTopic('orders', { value: avro(Order), partitions: 2 })
  const feed = await moduleOf(
    'feed.ts',
    `interface Row { readonly id: number; readonly city: string; readonly at: Date }
     export default async function* (thread: number, threads: number): AsyncGenerator<{ value: Row; partition: number }> {
       for (let id = thread; id < 3_000; id += threads)
         yield { partition: thread, value: { id, city: 'c' + (id % 7), at: new Date(1_750_000_000_000 + id) } satisfies Row }
     }`,
  )
  const producer = orders.producer({ feed, threads: 2, batchBytes: 4_096 })
  expect(await producer.sendFeed()).toEqual({ records: 3_000, next: [1_500n, 1_500n] })
  for (const partition of [0, 1]) {
    const values = (await collect(orders.read({ partition, to: 'end' }))).map(({ value }) => value!)
    const ids = Array.from({ length: 1_500 }, (_, n) => 2 * n + partition)
    expect(values).toEqual(ids.map((id) => ({ id, city: `c${id % 7}`, at: new Date(1_750_000_000_000 + id) })))
  }
})

it.each<[string, string, string]>([
  ['leaves the process', 'process.exit(3)', 'it exited with code 3'],
  [
    'fills its heap',
    `const all = []; for (;;) all.push(new Array(100_000).fill('x' + all.length))`,
    'its heap was full',
  ],
])('is told of a thread whose feed %s', async (_, text, reason) => {
  const system = systemRuntime()
  const { threads } = system
  await open({
    ...system,
    // Small, so that it is soon full.
    threads: { start: (module, options) => threads.start(module, { ...options, maxHeapMiB: 32 }) },
  })
  const feed = await moduleOf('feed.mjs', `export default async function* () { ${text} }`)
  const error = await errorOf((await log.ensureTopic('orders')).producer({ feed, threads: 1 }).sendFeed())
  expect(error).toMatchObject({ kind: 'unavailable', code: 'WORKER_DIED', outcome: 'unknown' })
  expect(error.message).toContain(reason)
})

it('stops a feed that never waits, and one that never gives a turn', async () => {
  await open()
  const orders = await log.ensureTopic('orders')
  const feed = await moduleOf(
    'feed.mjs',
    `export default function* (thread) {
       let given = 0
       for (;;) { yield { value: new Uint8Array(100) }; if (thread === 1 && ++given === 10_000) for (;;); }
     }`,
  )
  const producer = orders.producer({ feed, threads: 2 })
  const abort = new AbortController()
  let acked = 0
  const onAck = ({ records }: { readonly records: number }): void => {
    acked += records
    if (acked > 50_000) abort.abort()
  }
  const error = await errorOf(producer.sendFeed({ signal: abort.signal, onAck }))
  expect(error).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
  // Ends when they are gone.
  await producer.close()
  expect(orders.offsets()[0]!.highWatermark).toBe(BigInt(acked))
})

it('says that no thread starts where the worker is another module', async () => {
  await open()
  await log.close()
  const feedWorker = await moduleOf('other.mjs', 'export {}')
  log = await openLog({ store: fileSystem({ root: dir }), wal: fileWal({ dir: join(dir, 'log/wal') }), feedWorker })
  const feed = new URL('data:text/javascript,export default () => []')
  const error = await errorOf((await log.ensureTopic('orders')).producer({ feed }).sendFeed())
  expect(error).toMatchObject({ kind: 'invalid', code: 'WORKER_START', outcome: 'rejected' })
})
