import {
  heeding,
  invalid,
  isKind,
  throwIfAborted,
  waitFor,
  type ColdTopic,
  type LogRecord,
  type Position,
  type ReadOptions,
  shown,
} from '@moulin/core'
import { OneByOne } from './one-by-one.ts'
import { PartitionCursor } from './partition-cursor.ts'
import { runOf } from '../hot/hot-log.ts'
import { recordAt, type RecordViewOptions } from './record-view.ts'
import { chosenPartitions, logClosed } from './topic-call.ts'
import { firstNotOlder } from './timestamp-search.ts'
import type { TopicState } from '../topics/topic-state.ts'

/** How long a reader beside a writer waits before it looks by itself. */
const LOOK_AGAIN_MS = 1_000

/** Records of one partition or all, in offset order per partition. See `Topic.read`. */
export function readTopic(topic: TopicState, options: ReadOptions): AsyncIterable<LogRecord> {
  // Fixed at the call; a reader beside a writer looks first what there is.
  const ends = topic.core.access === 'read-write' ? highWatermarks(topic) : undefined
  return new OneByOne(read(topic, options, ends))
}

/** The records of a section at a time. */
async function* read(
  topic: TopicState,
  options: ReadOptions,
  endsAtCall: readonly bigint[] | undefined,
): AsyncGenerator<readonly LogRecord[]> {
  const { core } = topic
  const cursors: PartitionCursor[] = []
  try {
    throwIfAborted(options.signal)
    if (core.closing.aborted) throw logClosed()
    if (endsAtCall === undefined) await waitFor(core.refresh(), options.signal)
    const ends = endsAtCall ?? highWatermarks(topic)
    for (const partition of chosenPartitions(topic, options.partition)) {
      const from = await startOf(topic, partition, ends[partition]!, options)
      const to = options.to === 'end' ? ends[partition]! : options.to
      cursors.push(cursorFor(topic, partition, { from, to }, options.signal))
    }
    const view = viewOptions(topic, options.onBadValue ?? 'yield', options.signal)
    for (;;) {
      for (const cursor of cursors) {
        // One section each in turn: a partition that is far behind does not hold up the others.
        if (cursor.isReady) yield await cursor.next(view)
        if (core.closing.aborted) break
      }
      if (cursors.every(({ isDone }) => isDone)) return
      if (core.closing.aborted) throw logClosed()
      if (cursors.some(({ isReady }) => isReady)) continue
      if (core.hot.failure !== undefined) throw core.hot.failure
      await more(topic, options.signal)
      throwIfAborted(options.signal)
    }
  } catch (error) {
    if (!core.closing.aborted) throw error
    // The log's end is the only one that a following read has; another one does not come to its own.
    if (options.to !== undefined || cursors.length === 0) throw isKind(error, 'closed') ? error : logClosed(error)
  } finally {
    for (const cursor of cursors) await cursor.close()
  }
}

/** Waits for new records, and keeps the process alive meanwhile. Beside a writer it also looks by itself. */
async function more({ core, hot }: TopicState, signal: AbortSignal | undefined): Promise<void> {
  // In the writer's own process every append wakes it.
  const waitMs = core.access === 'read-write' ? Infinity : LOOK_AGAIN_MS
  const timer = core.runtime.timers.after(waitMs, () => hot.wakeups.wake(), { ref: true })
  try {
    await hot.wakeups.wait(signal)
  } finally {
    timer.cancel()
  }
}

/** Over a partition in the topic's present incarnation, whichever that is by then. */
export function cursorFor(
  topic: TopicState,
  partition: number,
  { from, to }: { readonly from: bigint; readonly to: bigint | undefined },
  signal: AbortSignal | undefined,
): PartitionCursor {
  const { core } = topic
  const options = {
    hot: core.hot,
    partition: () => topic.hot.partitions[partition]!,
    mend: (error: unknown, cold: ColdTopic) => topic.mend(error, cold),
    cold: () => topic.coldForReleased(),
    signal,
  }
  return new PartitionCursor(options, from, to)
}

export function viewOptions(
  { core }: TopicState,
  onBadValue: 'yield' | 'throw',
  signal: AbortSignal | undefined,
): RecordViewOptions {
  const codec: RecordViewOptions['codec'] = async (id) =>
    id === 0 ? undefined : waitFor(core.ledger.codec(id), signal)
  return { codec, onBadValue }
}

async function startOf(topic: TopicState, partition: number, end: bigint, options: ReadOptions): Promise<bigint> {
  const { from = 'earliest' } = options
  if (from === 'earliest') return 0n
  if (from === 'latest') return end
  if (typeof from === 'object') return (await firstNotOlder(topic, partition, from.timestamp, options.signal)).offset
  // Beside a writer the end is not known for certain: it may have moved.
  const isKnown = topic.core.access === 'read-write'
  const { highWatermark } = topic.hot.partitions[partition]!
  if (from < 0n || (isKnown && from > highWatermark)) throw outOfRange(topic, partition, from, highWatermark)
  return from
}

function outOfRange({ record }: TopicState, partition: number, offset: bigint, end: bigint): Error {
  return invalid(
    'OFFSET_OUT_OF_RANGE',
    `Topic ${record.name}, partition ${partition}: offset ${offset} is not in 0 to ${end}.`,
    { context: { topic: record.name, partition, offset, end } },
  )
}

/** The records at given places, in their order; undefined for a missing one. See `Topic.readAt`. */
export async function* readTopicAt(
  topic: TopicState,
  positions: readonly Position[],
  signal: AbortSignal | undefined,
): AsyncGenerator<LogRecord | undefined> {
  const { core, hot } = topic
  if (core.access === 'read-only') await waitFor(core.refresh(), signal)
  checkPositions(topic, positions)
  const isCold = ({ partition, offset }: Position): boolean => offset < hot.partitions[partition]!.released
  const view = viewOptions(topic, 'yield', signal)
  let next = 0
  let mendedAt: number | undefined
  while (next < positions.length) {
    throwIfAborted(signal)
    if (core.closing.aborted) throw logClosed()
    const position = positions[next]!
    if (!isCold(position)) {
      const found = await readHotAt(topic, position, view, signal)
      // Released meanwhile: the same place again, now from the table.
      if (found === 'released') continue
      yield found
      next++
      continue
    }
    let end = next + 1
    while (end < positions.length && isCold(positions[end]!)) end++
    const cold = await waitFor(topic.coldForReleased(), signal)
    const runs = cold.readAt(positions.slice(next, end), signal === undefined ? {} : { signal })
    try {
      for await (const run of heeding(runs, signal)) {
        const { offset } = positions[next++]!
        yield await recordAt(run, offset, view)
      }
    } catch (error) {
      // Once for a position, as a cursor does.
      if (mendedAt === next) throw error
      mendedAt = next
      await waitFor(topic.mend(error, cold), signal)
      continue
    }
    while (next < end) {
      yield undefined
      next++
    }
  }
}

function checkPositions(topic: TopicState, positions: readonly unknown[]): void {
  if (!Array.isArray(positions)) throw invalid('POSITIONS', `${shown(positions)} is no array of positions.`)
  for (const position of positions) {
    const { partition, offset } = (position ?? {}) as Partial<Position>
    if (partition === undefined || typeof offset !== 'bigint') {
      const given = `partition ${shown(partition)}, offset ${shown(offset)}`
      throw invalid('POSITIONS', `A position is a partition and an offset, a bigint; given is ${given}.`)
    }
    chosenPartitions(topic, partition)
  }
}

async function readHotAt(
  { core, hot }: TopicState,
  { partition, offset }: Position,
  view: RecordViewOptions,
  signal: AbortSignal | undefined,
): Promise<LogRecord | undefined | 'released'> {
  const { highWatermark } = hot.partitions[partition]!
  if (offset < 0n || offset >= highWatermark) return undefined
  const read = await core.hot.read(hot.partitions[partition]!, offset, signal)
  if (read === undefined) return 'released'
  return recordAt(runOf(read), offset, view)
}

function highWatermarks({ hot }: TopicState): bigint[] {
  return hot.partitions.map(({ highWatermark }) => highWatermark)
}
