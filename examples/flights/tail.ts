import type { Topic } from 'moulin'

/** Follows every partition from its present end, and counts. */
export interface Tail {
  /** Resolves with the number of records read once every partition has been read up to `ends` (exclusive). */
  stopAt(ends: readonly bigint[]): Promise<number>
}

export function tail(topic: Topic): Tail {
  const stop = new AbortController()
  let target: readonly bigint[] | undefined
  let count = 0
  let reached = (): void => undefined
  const next = topic.offsets().map(({ highWatermark }) => highWatermark)
  const done = (): boolean => target !== undefined && next.every((offset, partition) => offset >= target![partition]!)

  const reading = Promise.all(
    next.map(async (from, partition) => {
      try {
        for await (const record of topic.read({ partition, from, signal: stop.signal })) {
          if (record.offset !== next[partition])
            throw new Error(`The tail expected ${next[partition]}, got ${record.offset}.`)
          next[partition] = record.offset + 1n
          count++
          if (target !== undefined && done()) reached()
        }
      } catch (error) {
        if (!stop.signal.aborted) throw error
      }
    }),
  )
  return {
    async stopAt(ends) {
      target = ends
      const arrived = new Promise<void>((resolve) => (reached = resolve))
      if (!done()) await Promise.race([arrived, reading])
      stop.abort()
      await reading
      return count
    },
  }
}
