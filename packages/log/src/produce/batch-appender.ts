import { exhausted, invalid, isBytes, lengthOf, throwIfAborted, unsupported, shown, waitFor } from '@moulin/core'
import { checkBatch, crc32cJoined, crcOfBatch, patchBatch, type CheckedBatch } from '@moulin/format'
import { ownBytes } from './own-bytes.ts'
import { checkTimestampBounds, type TimestampBounds } from './record-input.ts'
import type { BatchesToAppend, TopicState } from '../topics/topic-state.ts'

export interface AppendRequest {
  readonly partition: number
  readonly batches: Uint8Array
  readonly signal?: AbortSignal
}

export interface AppendedOffsets {
  readonly baseOffset: bigint
  readonly lastOffset: bigint
}

/** Appends record batches as they are, after a full check of each. Throws at once what that finds. See `Topic.append`. */
export function appendBatches(topic: TopicState, request: AppendRequest): Promise<AppendedOffsets> {
  const { signal } = request
  throwIfAborted(signal)
  const taken = takenBatches(topic, request)
  const { appends } = topic.core
  if (signal === undefined && appends.isOpen) return appended(topic, taken)
  return appends.pass(() => waitFor(appended(topic, taken), signal, 'unknown'), signal)
}

// Each promise on the way of an ack costs more than most of what is done there: this is the last one.
function appended(topic: TopicState, taken: BatchesToAppend): Promise<AppendedOffsets> {
  const { appends } = topic.core
  const { length } = taken.batches
  appends.take(length)
  return topic.append(taken).then(
    ({ baseOffset, lastOffset }) => {
      appends.give(length)
      return { baseOffset, lastOffset }
    },
    (error: unknown) => {
      appends.give(length)
      throw error
    },
  )
}

function takenBatches(topic: TopicState, { partition, batches }: AppendRequest): BatchesToAppend {
  const { core, hot, record, bounds } = topic
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
  const own = ownBytes(batches, sizeBytes)
  const now = core.runtime.clock.now()
  const placed: PlacedBatch[] = []
  let recordCount = 0
  for (let position = 0; position < own.length;) {
    const header = checkBatch(own, position, core.limits)
    checkAppendable(header, now, bounds)
    placed.push({ position, sizeBytes: header.sizeBytes, recordCount: header.recordCount })
    recordCount += header.recordCount
    position += header.sizeBytes
  }
  return { partition, batches: own, recordCount, patch: (baseOffset) => patched(own, placed, baseOffset) }
}

interface PlacedBatch {
  readonly position: number
  readonly sizeBytes: number
  readonly recordCount: number
}

/** Gives the batches their offsets, and returns CRC32C of all of them. */
function patched(own: Uint8Array, batches: readonly PlacedBatch[], baseOffset: bigint): number {
  let crc = 0
  let next = baseOffset
  for (const { position, sizeBytes, recordCount } of batches) {
    patchBatch(own, position, { baseOffset: next, partitionLeaderEpoch: 0 })
    const ofBatch = crcOfBatch(own, position, sizeBytes)
    crc = position === 0 ? ofBatch : crc32cJoined(crc, ofBatch, sizeBytes)
    next += BigInt(recordCount)
  }
  return crc
}

function checkAppendable(header: CheckedBatch, now: number, bounds: TimestampBounds): void {
  const { topic: name } = bounds
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
  const { baseTimestamp, maxTimestamp, earliestMs, latestMs } = header
  // The header's are its producer's word only: readers are shown what each record says.
  checkTimestamp(baseTimestamp, now, bounds)
  if (maxTimestamp !== baseTimestamp) checkTimestamp(maxTimestamp, now, bounds)
  if (earliestMs !== baseTimestamp) checkTimestamp(earliestMs, now, bounds)
  if (latestMs !== maxTimestamp) checkTimestamp(latestMs, now, bounds)
  if (latestMs !== undefined && maxTimestamp < latestMs) {
    throw invalid(
      'BATCH_MAX_TIMESTAMP',
      `Topic ${name}: the header of a batch says that no record is later than ${maxTimestamp}, but one has ${latestMs}; searches by time believe it, so set maxTimestamp to the latest record's.`,
      { context: { topic: name, maxTimestamp, latestMs } },
    )
  }
}

function checkTimestamp(timestamp: bigint | undefined, now: number, bounds: TimestampBounds): void {
  // -1: the record has none.
  if (timestamp !== undefined && timestamp !== -1n) checkTimestampBounds(timestamp, now, bounds)
}
