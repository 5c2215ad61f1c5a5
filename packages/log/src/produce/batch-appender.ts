import { exhausted, invalid, isBytes, lengthOf, throwIfAborted, unsupported, shown, waitFor } from '@moulin/core'
import { checkBatch, patchBatch, type CheckedBatch } from '@moulin/format'
import { checkTimestampBounds } from './record-input.ts'
import type { TopicState } from '../topics/topic-state.ts'

export interface AppendRequest {
  readonly partition: number
  readonly batches: Uint8Array
  readonly signal?: AbortSignal
}

/** Appends record batches as they are, after a full check of each. See `Topic.append`. */
export async function appendBatches(
  topic: TopicState,
  { partition, batches, signal }: AppendRequest,
): Promise<{ baseOffset: bigint; lastOffset: bigint }> {
  const { core, hot, record } = topic
  throwIfAborted(signal)
  if (typeof partition !== 'number' || hot.partitions[partition] === undefined) {
    throw invalid(
      'PARTITION',
      `Topic ${record.name} has partitions 0 to ${hot.partitions.length - 1}; ${shown(partition)} is none of them.`,
      { context: { topic: record.name } },
    )
  }
  if (!isBytes(batches))
    throw invalid('BATCHES', `Topic ${record.name}: batches is ${shown(batches)}; it must be a Uint8Array.`)
  const sizeBytes = lengthOf(batches)
  if (sizeBytes === 0) throw invalid('BATCH_EMPTY', `Topic ${record.name}: there is no batch to append.`)
  if (sizeBytes > core.limits.maxBatchBytes) {
    throw exhausted(
      'BATCH_TOO_LARGE',
      `Topic ${record.name}: ${sizeBytes} bytes of batches in one append; the limit maxBatchBytes is ${core.limits.maxBatchBytes}.`,
    )
  }
  // The caller's bytes stay the caller's: ours get offsets.
  const own = new Uint8Array(batches)
  const places: { readonly position: number; readonly recordCount: number }[] = []
  let recordCount = 0
  for (let position = 0; position < own.length;) {
    const header = checkBatch(own, position, core.limits)
    checkAppendable(topic, header)
    places.push({ position, recordCount: header.recordCount })
    recordCount += header.recordCount
    position += header.sizeBytes
  }
  const patch = (baseOffset: bigint): void => {
    let next = baseOffset
    for (const place of places) {
      patchBatch(own, place.position, { baseOffset: next, partitionLeaderEpoch: 0 })
      next += BigInt(place.recordCount)
    }
  }
  const append = async (): Promise<{ baseOffset: bigint; lastOffset: bigint }> => {
    core.appends.take(own.length)
    try {
      const { baseOffset, lastOffset } = await topic.append({ partition, batches: own, recordCount, patch })
      return { baseOffset, lastOffset }
    } finally {
      core.appends.give(own.length)
    }
  }
  return core.appends.pass(() => waitFor(append(), signal, 'unknown'), signal)
}

function checkAppendable({ core, record }: TopicState, header: CheckedBatch): void {
  const { name, config } = record
  if (header.recordCount === 0 || header.recordCount !== header.lastOffsetDelta + 1) {
    throw invalid(
      'BATCH_GAPS',
      `Topic ${name}: a batch of ${header.recordCount} records spans ${header.lastOffsetDelta + 1} offsets; appended batches have no gaps.`,
    )
  }
  if (header.producerId >= 0n) {
    throw unsupported(
      'PRODUCER_ID',
      `Topic ${name}: a batch with a producer id needs deduplication, which comes later.`,
    )
  }
  const now = core.runtime.clock.now()
  // The header's are its producer's word only: readers are shown what each record says.
  for (const timestamp of [header.baseTimestamp, header.maxTimestamp, header.earliestMs, header.latestMs]) {
    // -1: the record has none.
    if (timestamp !== undefined && timestamp !== -1n) checkTimestampBounds(timestamp, now, { topic: name, ...config })
  }
  const { maxTimestamp, latestMs = maxTimestamp } = header
  if (maxTimestamp < latestMs) {
    throw invalid(
      'BATCH_MAX_TIMESTAMP',
      `Topic ${name}: the header of a batch says that no record is later than ${maxTimestamp}, but one has ${latestMs}; searches by time believe it, so set maxTimestamp to the latest record's.`,
      { context: { topic: name, maxTimestamp, latestMs } },
    )
  }
}
