import { closed, invalid, notFound, waitFor, type LogRecord, type ReadOptions } from '@moulin/core'
import { OneByOne } from './one-by-one.ts'
import { PartitionCursor } from './partition-cursor.ts'
import { chosenPartitions } from './topic-call.ts'
import { viewOptions } from './topic-reader.ts'
import type { TopicState } from '../topics/topic-state.ts'

/** What the write-ahead tier keeps of an earlier incarnation, one partition after the other. See `ReadOptions.incarnation`. */
export function readEarlier(topic: TopicState, incarnation: number, options: ReadOptions): AsyncIterable<LogRecord> {
  return new OneByOne(read(topic, incarnation, options))
}

async function* read(
  topic: TopicState,
  incarnation: number,
  { from = 'earliest', to, partition: only, onBadValue = 'yield', signal }: ReadOptions,
): AsyncGenerator<readonly LogRecord[]> {
  const { core, record } = topic
  if (typeof from === 'object' || from === 'latest') {
    const message = `Topic ${record.name}: an earlier incarnation is read from 'earliest' or from an offset.`
    throw invalid('FROM', message, { context: { topic: record.name, incarnation } })
  }
  if (core.access === 'read-only') await waitFor(core.refresh(), signal)
  const life = core.hot.lives(record.id, record.incarnation).find((one) => one.incarnation === incarnation)
  if (life === undefined) {
    const message = `Topic ${record.name} is in incarnation ${record.incarnation}, and the write-ahead tier has nothing of ${incarnation}.`
    throw notFound('NO_INCARNATION', message, { context: { topic: record.name, incarnation } })
  }
  const view = viewOptions(topic, onBadValue, signal)
  for (const index of chosenPartitions(topic, only)) {
    const partition = life.partitions[index]
    if (partition === undefined) continue
    const { released, highWatermark } = partition
    const start = from === 'earliest' || from < released ? released : from
    const end = to === undefined || to === 'end' || to > highWatermark ? highWatermark : to
    const cursor = new PartitionCursor(
      {
        hot: core.hot,
        partition: () => partition,
        // Nothing of it is in a table under this name.
        cold: () => Promise.reject(dropped(topic, incarnation)),
        mend: (error) => Promise.reject(error as Error),
        signal,
      },
      start,
      end,
    )
    try {
      while (!cursor.isDone) {
        if (core.closing.aborted) throw closed('LOG_CLOSED', 'The log was closed.')
        yield await cursor.next(view)
      }
    } finally {
      await cursor.close()
    }
  }
}

function dropped({ record }: TopicState, incarnation: number): Error {
  const message = `Topic ${record.name}: incarnation ${incarnation} was dropped while it was read.`
  return notFound('RELEASED', message, { context: { topic: record.name, incarnation } })
}
