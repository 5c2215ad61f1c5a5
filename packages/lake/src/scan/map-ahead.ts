/** Reads of a scan that run while the rows before them are worked on. */
export const READS_AHEAD = 2

/**
 * Maps in order, with up to `ahead` calls running before their turn, so that reading goes on while the caller works. An
 * error comes in its turn, too. Whoever leaves the loop early waits for the calls that run.
 */
export async function* mapAhead<T, U>(
  items: AsyncIterable<T> | Iterable<T>,
  ahead: number,
  map: (item: T) => Promise<U>,
): AsyncGenerator<U> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  const begun: Promise<U>[] = []
  let isDone = false
  const begin = (result: Promise<U>): void => {
    // Whoever awaits it later gets the error; until then it is nobody's.
    result.catch(() => {})
    begun.push(result)
  }
  try {
    for (;;) {
      while (!isDone && begun.length <= ahead) {
        try {
          const next = await iterator.next()
          if (next.done === true) isDone = true
          else begin(map(next.value))
        } catch (error) {
          isDone = true
          begin(Promise.reject(error as Error))
        }
      }
      const first = begun.shift()
      if (first === undefined) return
      yield await first
    }
  } finally {
    await iterator.return?.()
    await Promise.allSettled(begun)
  }
}
