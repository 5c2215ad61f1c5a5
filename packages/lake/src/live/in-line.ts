import { throwIfAborted, waitFor } from '@moulin/core'
import type { CallOptions } from '@moulin/core'

/** Runs work when all that was asked for earlier has ended, however that ended. A signal ends the wait of its caller, for its turn and for its work. */
export type InLine = <T>(work: () => Promise<T>, call: CallOptions) => Promise<T>

export function inLine(): InLine {
  let last: Promise<unknown> = Promise.resolve()
  return (work, { signal }) => {
    const done = last.then(() => {
      throwIfAborted(signal)
      return work()
    })
    last = done.catch(() => undefined)
    return waitFor(done, signal)
  }
}
