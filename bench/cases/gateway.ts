/**
 * The gateway over a folder: one load of a table by HTTP, with nothing hot and with 10 MB that the load has
 * to have tiered first (p99 of the loads of all rounds), and loads of 32 clients at once (requests a second).
 */
import { objectStoreCatalog } from '@moulin/catalog'
import { serveCatalog } from '@moulin/gateway'
import { fileSystem } from '@moulin/storage'
import { openLog } from 'moulin'
import { median, quantile } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { inFolder } from '../temporary.ts'

const MB = 1_000_000
const CLIENTS = 32
/** Of a turn. */
const loads = { idle: 200, hot: 3, many: 1600 } as const

export const bench: Bench = (print, options) => inFolder((dir) => measure(dir, print, options))

async function measure(dir: string, ...[print, options]: Parameters<Bench>): Promise<void> {
  const log = await openLog(dir)
  const topic = await log.ensureTopic('rides')
  const catalog = objectStoreCatalog({ store: fileSystem({ root: dir }) })
  const server = await serveCatalog({ catalog, logs: [log], maxStalenessMs: 0, listen: '127.0.0.1:0' })
  const producer = topic.producer()
  const send = async (bytes: number): Promise<void> => {
    const value = Buffer.alloc(1000, 'x')
    await Promise.all(Array.from({ length: Math.ceil(bytes / value.length) }, () => producer.send({ value })))
  }
  const load = async (): Promise<number> => {
    const beganMs = performance.now()
    const answer = await fetch(`${server.url}/v1/namespaces/default/tables/rides`)
    await answer.arrayBuffer()
    if (answer.status !== 200 || answer.headers.has('moulin-stale-ms')) throw new Error(`A load gave ${answer.status}.`)
    return performance.now() - beganMs
  }
  const figure = (name: string, values: readonly number[], value: number, unit: string): void => {
    if (!name.includes(options.only)) return
    const spread = [Math.min(...values), Math.max(...values)] as const
    print({ bench: 'gateway', case: name, value, unit, peer: null, ratio: null, spread })
  }
  try {
    const idle: number[] = []
    const hot: number[] = []
    const perSecond: number[] = []
    // What only the first have to pay for, a worker's start and code that has never run, is no figure.
    await send(10 * MB)
    await load()
    await turn(loads.many / 8, load)
    for (let round = 0; round < options.rounds; round++) {
      for (let count = 0; count < loads.idle; count++) idle.push(await load())
      for (let count = 0; count < loads.hot; count++) {
        await send(10 * MB)
        const { tieredLoads } = await server.stats()
        hot.push(await load())
        // Else the log had tiered it by itself, and the load has measured nothing.
        if ((await server.stats()).tieredLoads === tieredLoads) throw new Error('A load found nothing hot.')
      }
      const beganMs = performance.now()
      await turn(loads.many, load)
      perSecond.push((1000 * loads.many) / (performance.now() - beganMs))
    }
    figure('load/nothing hot/p99', idle, quantile(idle, 0.99), 'ms')
    figure('load/10 MB hot/p99', hot, quantile(hot, 0.99), 'ms')
    figure(`load/${CLIENTS} clients`, perSecond, median(perSecond), 'requests/s')
  } finally {
    await producer.close()
    await server.close()
    await log.close()
  }
}

/** So many loads by all clients at once. */
async function turn(count: number, load: () => Promise<number>): Promise<void> {
  const client = async (): Promise<void> => {
    for (let done = 0; done < count / CLIENTS; done++) await load()
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
}
