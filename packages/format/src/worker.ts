// The entry of a decoding worker: `parquetWorkers` starts it. It touches no file and no socket, only the bytes it is sent.
import { parentPort } from 'node:worker_threads'
import { invalid, lowerThreadPriority } from '@moulin/core'
import { decodeHandlers } from './parquet/serve-decodes.ts'
import { serveCalls, WORKER_NICENESS } from './threads/serve-calls.ts'

if (parentPort === null) throw invalid('WORKER_ENTRY', '@moulin/format/worker runs in a worker thread only.')
lowerThreadPriority(WORKER_NICENESS)
serveCalls(parentPort, decodeHandlers)
