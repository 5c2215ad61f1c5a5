/** A thread of the cold tier. Started by a thread pool; nothing else imports it. */
import { parentPort } from 'node:worker_threads'
import { lowerThreadPriority } from '@moulin/core'
import { WORKER_NICENESS } from '@moulin/format'
import { serveTier } from './encode/serve-tier.ts'

lowerThreadPriority(WORKER_NICENESS)
serveTier(parentPort!)
