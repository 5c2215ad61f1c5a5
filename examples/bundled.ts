/**
 * What a bundle does: sends, also from a thread of its own, tiers in a worker thread and says whether these threads started.
 * `npm run try-packed` bundles it.
 *
 *     bundled LAKE [WORKER FEED_WORKER]
 */
import { pathToFileURL } from 'node:url'
import { isMoulinError, openLog } from 'moulin'

const [lake = './lake', ...workers] = process.argv.slice(2)
const [worker, feedWorker] = workers.map((path) => pathToFileURL(path))
const log = await openLog(lake, { ...(worker && { worker }), ...(feedWorker && { feedWorker }) })
const topic = await log.ensureTopic('readings')
await topic.producer().sendAll(Array.from({ length: 1000 }, (_, n) => ({ key: String(n), value: new Uint8Array(100) })))
await topic.tier()
const { lastError } = log.stats()
console.log(`frontier ${topic.offsets()[0]!.frontier}, ${lastError?.code ?? 'no error'}`)
// The whole module in its URL: a file would be an entry of its own.
const feed = new URL(`data:text/javascript,export default (thread) => [{ value: new Uint8Array([thread]) }]`)
const fed = await topic
  .producer({ feed, threads: 2 })
  .sendFeed()
  .then(
    ({ records }) => records,
    (error: unknown) => (isMoulinError(error) ? error.code : error),
  )
console.log(`feed ${String(fed)}`)
await log.close()
