import { throwIfAborted } from './model/errors.ts'
import { waitFor } from './shared-work.ts'

/** The items; the signal ends the wait for the next one at once, and what is under way then ends by itself. @throws `aborted`. */
export async function* heeding<T>(items: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  let isUnderWay = false
  try {
    for (;;) {
      throwIfAborted(signal)
      isUnderWay = true
      const { done, value } = await waitFor(iterator.next(), signal)
      isUnderWay = false
      if (done === true) return
      yield value
    }
  } finally {
    const ended = iterator.return?.()
    // Behind a next that nobody waits for any more.
    if (isUnderWay) ended?.catch(() => {})
    else await ended
  }
}
