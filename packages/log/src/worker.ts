// The entry of a thread of a feed: `sendFeed` starts it. It imports the feed's module and makes batches; the disk stays the other side's.
import { parentPort } from 'node:worker_threads'
import { invalid, lowerThreadPriority, systemRuntime } from '@moulin/core'
import { WORKER_NICENESS } from '@moulin/format'
import { serveFeed } from './feed/serve-feed.ts'

if (parentPort === null) throw invalid('WORKER_ENTRY', '@moulin/log/worker runs in a worker thread only.')
lowerThreadPriority(WORKER_NICENESS)
serveFeed(parentPort, {
  runtime: systemRuntime(),
  importFeed: (module) => import(/* @vite-ignore */ /* webpackIgnore: true */ module) as Promise<unknown>,
})
