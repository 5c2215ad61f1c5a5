import { waitFor } from '@moulin/core'

/**
 * A question that is asked once for all who wait for its answer, each within its own time. It ends by itself, whoever gives up: `ask` has
 * a budget of its own, for else one that is never answered would be the last.
 */
export function askedOnce<T>(ask: () => Promise<T>): (signal?: AbortSignal) => Promise<T> {
  let asking: Promise<T> | undefined
  return async (signal) => {
    asking ??= ask().finally(() => (asking = undefined))
    return await waitFor(asking, signal)
  }
}
