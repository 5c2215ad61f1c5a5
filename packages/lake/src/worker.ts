/** A thread of the cold tier: encodes data files and decodes rows. Started by a thread pool; nothing else imports it. */
import { parentPort } from 'node:worker_threads'
import { lowerThreadPriority } from '@moulin/core'
import { decodeHandlers, serveCalls, WORKER_NICENESS } from '@moulin/format'
import { builtInParts, TierTask } from './encode/tier-task.ts'
import type { WorkerCalls } from './encode/worker-messages.ts'

let task: TierTask | undefined

/** After an error the task is over. */
function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    task = undefined
    throw error
  }
}

lowerThreadPriority(WORKER_NICENESS)
serveCalls<WorkerCalls>(parentPort!, {
  ...decodeHandlers,
  begin(setup) {
    task = attempt(() => new TierTask(setup, builtInParts))
    return undefined
  },
  add: ({ run, range }) => attempt(() => task!.add(run, range)),
  finish: () =>
    attempt(() => {
      const finished = task!.finish()
      task = undefined
      return finished
    }),
})
