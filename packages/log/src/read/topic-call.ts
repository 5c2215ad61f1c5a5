import { closed, invalid, isKind, shown, throwIfAborted, waitFor } from '@moulin/core'
import type { TopicState } from '../topics/topic-state.ts'

/** All partitions, or the one. @throws `invalid` code `PARTITION` for one that is none. */
export function chosenPartitions({ record, hot }: TopicState, partition: number | undefined): number[] {
  if (partition === undefined) return hot.partitions.map((_, index) => index)
  if (Number.isInteger(partition) && partition >= 0 && partition < hot.partitions.length) return [partition]
  throw invalid(
    'PARTITION',
    `Topic ${record.name} has partitions 0 to ${hot.partitions.length - 1}; ${shown(partition)} is none of them.`,
    { context: { topic: record.name } },
  )
}

/** One call over the topic: beside a writer it looks first what there is, and a log that is closed meanwhile ends it as such. */
export async function whileOpen<T>(
  { core }: TopicState,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  throwIfAborted(signal)
  if (core.closing.aborted) throw logClosed()
  try {
    if (core.access === 'read-only') await waitFor(core.refresh(), signal)
    return await work()
  } catch (error) {
    throwIfAborted(signal)
    throw core.closing.aborted && !isKind(error, 'closed') ? logClosed(error) : error
  }
}

export function logClosed(cause?: unknown): Error {
  return closed('LOG_CLOSED', 'The log was closed.', cause === undefined ? {} : { cause })
}
