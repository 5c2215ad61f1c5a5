/** The real log over the real tier, with worker threads that the test owns. */
import { objectStoreCatalog } from '@moulin/catalog'
import { schema, t } from '@moulin/core'
import type { Log, ObjectStore } from '@moulin/core'
import { json } from '@moulin/format'
import { icebergTier, serveTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { simulatedDisk, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'

const ROWS = 2_000
const Reading = json(schema({ id: t.int53, sensor: t.string }))

interface World {
  readonly runtime: VirtualRuntime
  readonly store: ObjectStore
  readonly log: Log
  /** Runs of records that were handed to a thread. */
  readonly handed: () => number
}

async function world(
  threads: number,
  onHanded: (count: number, runtime: VirtualRuntime) => void = () => {},
): Promise<World> {
  const { files } = simulatedDisk({ seed: 5 })
  let count = 0
  const runtime = virtualRuntime({
    seed: 5,
    files,
    serveThread: (port) =>
      serveTier({
        postMessage: (value, moved) => port.postMessage(value, moved),
        on: (event, take) =>
          port.on(event, (message) => {
            if ((message as { kind: string }).kind === 'add') onHanded(++count, runtime)
            take(message)
          }),
      }),
  })
  const store = fileSystem({ root: '/lake', files })
  const tier = icebergTier({ catalog: objectStoreCatalog({ store, prefix: 'tables/', runtime }), threads })
  const log = await openLog({ store, wal: fileWal({ dir: '/lake/log/wal' }), tier, runtime, graceMs: 0 })
  const topic = await log.createTopic('readings', { value: Reading, table: 'shop.readings' })
  const producer = topic.producer({ lingerMs: 0, batchBytes: 8_192 })
  await producer.sendAll(Array.from({ length: ROWS }, (_, id) => ({ value: { id, sensor: `s${id % 7}` } })))
  return { runtime, store, log, handed: () => count }
}

async function dataFiles(store: ObjectStore): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const { key } of store.list({ prefix: 'tables/shop/readings/data/' }))
    found.set(key, Buffer.from((await store.get(key)).bytes).toString('base64'))
  return found
}

it('writes the same files, byte for byte, wherever and however often it runs', async () => {
  const files: Map<string, string>[] = []
  for (const threads of [1, 1, 0]) {
    const { log, store, handed } = await world(threads)
    const topic = await log.topic('readings')
    expect(await topic.tier()).toMatchObject({ rows: ROWS })
    expect(handed() > 0).toBe(threads > 0)
    files.push(await dataFiles(store))
    await log.close()
  }
  expect(files[0]!.size).toBeGreaterThan(0)
  expect(files[1]).toEqual(files[0])
  expect(files[2]).toEqual(files[0])
})

it('loses nothing when threads die over their work', async () => {
  const deaths = [1, 3]
  const { log, handed } = await world(1, (count, runtime) => {
    if (deaths.includes(count)) runtime.killThreads()
  })
  const topic = await log.topic('readings')
  for (const _ of deaths)
    await expect(topic.tier()).rejects.toMatchObject({
      code: 'WORKER_DIED',
      message: expect.stringContaining('virtual thread was killed') as string,
    })
  expect(await topic.tier()).toMatchObject({ rows: ROWS })
  expect(handed()).toBeGreaterThan(deaths.at(-1)!)
  expect(await topic.audit()).toMatchObject({ clean: true })
  await log.close()
})
