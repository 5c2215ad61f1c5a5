/**
 * A table's data files back to record batches with their CRCs, on one thread: the cold read of a topic, every record
 * held against its checksum. pyarrow reads the same files into columns. `ratio` is of times: 1.67 is 0.6 of its rows/s.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ColdTopic, ObjectStore } from '@moulin/core'
import { memory } from '@moulin/storage'
import { testLog } from '../../packages/lake/src/lake.test-support.ts'
import { alone, beside, rounds, timed } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { pyarrow } from '../peers/pyarrow.ts'
import { eventRuns, eventsCodec } from '../shapes/event-batches.ts'
import { events } from '../shapes/events.ts'
import { inFolder } from '../temporary.ts'

const reach = { ratio: 1.67 }

export const bench: Bench = async (print, options) => {
  const shape = events(options.rows)
  const codec = eventsCodec()
  const runs = eventRuns(shape, codec)
  const python = await pyarrow(options)
  for (const compression of ['snappy', 'zstd'] as const) {
    const name = `events/${compression}`
    if (!name.includes(options.only)) continue
    const store = memory()
    const log = testLog({ store, codec, info: { partitions: 1, partitionBy: [] }, tier: { threads: 0, compression } })
    for (const { batches } of runs) log.hot.append(0, batches)
    const topic = await log.attach()
    const end = runs.at(-1)!.nextOffset
    while (topic.frontier()[0]! < end) await topic.tier({ upTo: [end] })
    const files = await dataFiles(store)
    await inFolder(async (dir) => {
      for (const [at, bytes] of files.entries()) {
        const path = join(dir, `${at}.parquet`)
        await writeFile(path, bytes)
        await python.loadFile(`${name}/${at}`, path)
      }
    })
    let batchBytes = 0
    const ms = await rounds(options.rounds, {
      moulin: () =>
        timed(options, async () => {
          batchBytes = await readAll(topic, end)
        }),
      pyarrow: async () => {
        let sum = 0
        for (const at of files.keys()) sum += (await python.read(`${name}/${at}`)).ms
        return sum
      },
    })
    const own = ms['moulin']!
    const peer = 'pyarrow'
    print({ bench: 'back', case: name, unit: 'ms', peer, ...beside(own, ms[peer]!), reach })
    const speed = (amount: number): ReturnType<typeof alone> => alone(own.map((each) => amount / each))
    print({ bench: 'back', case: `${name}/rows`, unit: 'records/s', ...speed(shape.rows * 1000) })
    print({ bench: 'back', case: `${name}/batches`, unit: 'MB/s', ...speed(batchBytes / 1000) })
  }
  python.close()
}

async function readAll(topic: ColdTopic, end: bigint): Promise<number> {
  let bytes = 0
  let next = 0n
  for await (const run of topic.read({ partition: 0, from: 0n, to: end })) {
    if (run.fidelity !== undefined) throw new Error(`Records from offset ${run.baseOffset} on are not exact.`)
    bytes += run.batches.length
    next = run.nextOffset
  }
  if (next !== end) throw new Error(`The read ended at ${next}, not ${end}.`)
  return bytes
}

async function dataFiles(store: ObjectStore): Promise<Uint8Array[]> {
  const files: Uint8Array[] = []
  for await (const { key } of store.list({ prefix: '' })) {
    if (key.endsWith('.parquet')) files.push((await store.get(key)).bytes)
  }
  return files
}
