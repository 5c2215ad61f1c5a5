/**
 * What a bundle does: sends, tiers in a worker thread and says whether that thread started. `npm run try-packed` bundles it.
 *
 *     bundled LAKE [WORKER]
 */
import { pathToFileURL } from 'node:url'
import { openLog } from 'moulin'

const [lake = './lake', worker] = process.argv.slice(2)
const log = await openLog(lake, worker === undefined ? {} : { worker: pathToFileURL(worker) })
const topic = await log.ensureTopic('readings')
await topic.producer().sendAll(Array.from({ length: 1000 }, (_, n) => ({ key: String(n), value: new Uint8Array(100) })))
await topic.tier()
const { lastError } = log.stats()
console.log(`frontier ${topic.offsets()[0]!.frontier}, ${lastError?.code ?? 'no error'}`)
await log.close()
