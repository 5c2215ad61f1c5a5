/** The thread that encodes data files. Started by tier-workers; nothing else imports it. */
import { parentPort } from 'node:worker_threads'
import { toErrorData } from '@moulin/core'
import type { ErrorData } from '@moulin/core'
import { builtInParts, TierTask } from './tier-task.ts'
import { transferables } from './worker-messages.ts'
import type { WorkerReply, WorkerRequest } from './worker-messages.ts'

let task: TierTask | undefined

function answer(request: WorkerRequest): WorkerReply {
  switch (request.kind) {
    case 'begin':
      task = new TierTask(request.setup, builtInParts)
      return { kind: 'ready' }
    case 'add':
      return { kind: 'added', files: task!.add(request.run, request.range) }
    case 'finish': {
      const finished = task!.finish()
      task = undefined
      return { kind: 'finished', ...finished }
    }
  }
}

function fail(error: unknown): { kind: 'failed'; error: ErrorData } {
  task = undefined
  return { kind: 'failed', error: toErrorData(error) }
}

parentPort!.on('message', (request: WorkerRequest) => {
  let reply: WorkerReply
  try {
    reply = answer(request)
  } catch (error) {
    reply = fail(error)
  }
  parentPort!.postMessage(reply, transferables(reply))
})
