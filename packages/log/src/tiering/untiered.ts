import type { TieredTopic } from './tiered-topic.ts'

/** Per partition, the first offset that the table does not answer for, as far as anybody here knows. */
export function frontierOf({ attached, hot }: TieredTopic): readonly bigint[] {
  const frontier = attached?.frontier()
  return hot.partitions.map(({ released }, index) => {
    const offset = frontier?.[index] ?? 0n
    return offset > released ? offset : released
  })
}

export function untieredBytes(topic: TieredTopic): number {
  const frontier = frontierOf(topic)
  return sum(topic.hot.partitions.map((partition, index) => partition.bytesFrom(frontier[index]!)))
}

export function untieredRecords(topic: TieredTopic): number {
  const frontier = frontierOf(topic)
  return sum(
    topic.hot.partitions.map((partition, index) => {
      const from = frontier[index]!
      return Number(partition.highWatermark - from - partition.abortedFrom(from))
    }),
  )
}

/** Since when, on the monotonic clock, the oldest record waits that is not in the table; Infinity where there is none. */
export function oldestUntieredMs(topic: TieredTopic): number {
  const frontier = frontierOf(topic)
  return topic.hot.partitions.reduce(
    (oldest, partition, index) => Math.min(oldest, partition.oldestFrom(frontier[index]!)),
    Infinity,
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}
