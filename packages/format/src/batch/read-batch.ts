import type { Arena, Header } from '@moulin/core'
import { corrupt, exhausted, formatCaps, invalid, TIMESTAMP_MS_MAX, unsupported } from '@moulin/core'
import { decompress } from '../bytes/compression.ts'
import { crc32cOf } from '../bytes/crc32c.ts'
import { int64Of } from '../bytes/int64-halves.ts'
import { textBuffer } from '../bytes/text-buffer.ts'
import { at, readBatchHeader, type BatchHeader } from './batch-header.ts'
import type { RecordBody } from './record-body.ts'
import { RecordCursor, type BatchLimits } from './record-cursor.ts'

/** One record of a batch. */
export interface BatchRecord extends RecordBody {
  readonly offset: bigint
  /** Milliseconds since the epoch; -1n for none. */
  readonly timestamp: bigint
  readonly timestampType: 'create' | 'append'
}

/** A batch that was checked in full. */
export interface CheckedBatch extends BatchHeader {
  /** Of the records' own timestamps, which may lie outside of what the header says; undefined where no record has one. */
  readonly earliestMs: bigint | undefined
  /** The highest that a search by time finds, where a record without one has -1; undefined where there is no record. */
  readonly latestMs: bigint | undefined
}

// |high| below this means a timestamp well inside the range: 2^53 ms at most.
const SAFE_HIGH = 0x200000

/**
 * Checks the batch at `position` in full: its CRC, its records' structure, header keys and timestamps. What passes can be
 * read by everyone and tiered.
 * @throws `corrupt` for a wrong CRC, structure or trailing bytes; `invalid` for a header key that is not UTF-8 and for a
 * timestamp outside ±{@link TIMESTAMP_MS_MAX}; `unsupported` for magic 0 and 1, snappy, lz4, control and transactional
 * batches; `exhausted` above a limit.
 *
 * Spec: Kafka, "Record Batch".
 */
export function checkBatch(bytes: Uint8Array, position: number, limits: BatchLimits = {}): CheckedBatch {
  const header = readBatchHeader(bytes, position)
  checkCrc(bytes, position, header)
  if (header.isControl)
    throw unsupported('BATCH_CONTROL', 'A control batch cannot be appended; transactions come later.')
  if (header.isTransactional) {
    throw unsupported('BATCH_TRANSACTIONAL', 'A transactional batch cannot be appended; transactions come later.')
  }
  checkTimestamp(header.maxTimestamp)
  const section = recordsOf(bytes, position, header, limits)
  try {
    checking.open(section, 0, section.length, header, limits)
    const { earliestMs, latestMs } = checkRecords(checking)
    return { ...header, earliestMs, latestMs }
  } finally {
    checking.close()
  }
}

// Making one takes longer than a small batch does. No check begins within another one.
const checking = new RecordCursor()

function checkRecords(cursor: RecordCursor): Pick<CheckedBatch, 'earliestMs' | 'latestMs'> {
  // In halves: a bigint for each record would cost as much as the rest.
  let [lowestHigh, lowestLow] = [Infinity, 0]
  let [highestHigh, highestLow] = [-Infinity, 0]
  while (cursor.next()) {
    const { timestampHigh: high } = cursor
    const low = cursor.timestampLow >>> 0
    if (high >= SAFE_HIGH || high < -SAFE_HIGH) checkTimestamp(cursor.timestamp)
    const isNone = high === -1 && low === 0xffffffff
    if (!isNone && (high < lowestHigh || (high === lowestHigh && low < lowestLow))) {
      lowestHigh = high
      lowestLow = low
    }
    if (high > highestHigh || (high === highestHigh && low > highestLow)) {
      highestHigh = high
      highestLow = low
    }
    cursor.checkHeaderKeys()
  }
  const earliestMs = lowestHigh === Infinity ? undefined : int64Of(lowestHigh, lowestLow)
  const isSame = lowestHigh === highestHigh && lowestLow === highestLow
  const latestMs = isSame || highestHigh === -Infinity ? earliestMs : int64Of(highestHigh, highestLow)
  return { earliestMs, latestMs }
}

/** The records of the batch at `position`. Bytes are views: into `bytes`, or into memory of their own if it was compressed. @throws as {@link checkBatch}, but takes any timestamp, and control and transactional batches. */
export function readRecords(bytes: Uint8Array, position: number, limits: BatchLimits = {}): BatchRecord[] {
  const header = readBatchHeader(bytes, position)
  checkCrc(bytes, position, header)
  const section = recordsOf(bytes, position, header, limits)
  const cursor = new RecordCursor()
  cursor.open(section, 0, section.length, header, limits)
  const text = textBuffer(section)
  const view = (start: number, end: number): Uint8Array | null => (start < 0 ? null : section.subarray(start, end))
  const records: BatchRecord[] = []
  while (cursor.next()) {
    cursor.checkHeaderKeys()
    const headers: Header[] = []
    while (cursor.nextHeader()) {
      const key = text.utf8Slice(cursor.headerKeyStart, cursor.headerKeyEnd)
      headers.push([key, view(cursor.headerValueStart, cursor.headerValueEnd)])
    }
    records.push({
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      timestampType: header.timestampType,
      key: view(cursor.keyStart, cursor.keyEnd),
      value: view(cursor.valueStart, cursor.valueEnd),
      headers,
    })
  }
  return records
}

/**
 * Appends the decompressed records section of the batch at `position` to the arena, where a {@link RecordCursor} walks it
 * from the returned start to `arena.length`.
 * @throws `corrupt`, `unsupported`, `exhausted`. The CRC is not checked here.
 */
export function appendRecordsSection(
  arena: Arena,
  bytes: Uint8Array,
  position: number,
  header: BatchHeader,
  limits: BatchLimits = {},
): number {
  return arena.append(recordsOf(bytes, position, header, limits))
}

/** @throws `corrupt` when the CRC of the batch at `position` does not match. */
export function checkCrc(bytes: Uint8Array, position: number, header: BatchHeader): void {
  const crc = crc32cOf(bytes, position + at.attributes, position + header.sizeBytes)
  if (crc === header.crc) return
  const message = `The record batch at byte ${position} (base offset ${header.baseOffset}) has CRC32C ${hex(crc)}, not ${hex(header.crc)} as it says.`
  throw corrupt('BATCH_CRC', message, { context: { position, baseOffset: header.baseOffset } })
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`
}

function recordsOf(bytes: Uint8Array, position: number, header: BatchHeader, limits: BatchLimits): Uint8Array {
  const {
    maxBatchBytes = formatCaps.maxBatchBytes,
    maxDecompressedBatchBytes = formatCaps.maxDecompressedBatchBytes,
    maxRecordsPerBatch = formatCaps.maxRecordsPerBatch,
  } = limits
  const { compression, recordCount, sizeBytes } = header
  if (sizeBytes > maxBatchBytes) throw tooLarge(`${sizeBytes} bytes`, 'maxBatchBytes', maxBatchBytes)
  if (recordCount > maxRecordsPerBatch)
    throw tooLarge(`${recordCount} records`, 'maxRecordsPerBatch', maxRecordsPerBatch)
  if (compression === 'snappy' || compression === 'lz4') {
    throw unsupported(
      'BATCH_COMPRESSION',
      `Batches compressed with ${compression} are not read; use none, gzip or zstd.`,
    )
  }
  const section = bytes.subarray(position + at.records, position + sizeBytes)
  // A batch that only spans a gap has no section to decompress.
  if (recordCount === 0 && section.length === 0) return section
  return decompress(compression, section, maxDecompressedBatchBytes)
}

function checkTimestamp(timestamp: bigint): void {
  if (timestamp >= -TIMESTAMP_MS_MAX && timestamp <= TIMESTAMP_MS_MAX) return
  const message = `The timestamp ${timestamp} is outside ±${TIMESTAMP_MS_MAX} ms, so it has no microseconds in 64 bits.`
  throw invalid('TIMESTAMP_RANGE', message, { context: { timestamp } })
}

function tooLarge(size: string, limit: string, max: number): Error {
  return exhausted('BATCH_TOO_LARGE', `A record batch has ${size}; the limit ${limit} is ${max}.`)
}
