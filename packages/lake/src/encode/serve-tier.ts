import type { ThreadPort } from '@moulin/core'
import { decodeHandlers, serveCalls } from '@moulin/format'
import { builtInParts, TierTask } from './tier-task.ts'
import type { WorkerCalls } from './worker-messages.ts'

/** What a thread of the cold tier does: encodes data files, decodes rows. `@moulin/lake/worker` serves its own port so. */
export function serveTier(port: ThreadPort): void {
  let task: TierTask | undefined
  /** After an error the task is over. */
  const attempt = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      task = undefined
      throw error
    }
  }
  serveCalls<WorkerCalls>(port, {
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
}
