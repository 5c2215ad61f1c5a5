import { corrupt, unsupported } from '@moulin/core'
import { crc32cJoined } from '../bytes/crc32c-joined.ts'
import { crc32cOf } from '../bytes/crc32c.ts'
import { highOf, lowOf } from '../bytes/int64-halves.ts'

/** The header of one v2 record batch. */
export interface BatchHeader {
  readonly baseOffset: bigint
  /** The whole batch, with the 12 bytes of base offset and length. */
  readonly sizeBytes: number
  readonly partitionLeaderEpoch: number
  /** Always 2. */
  readonly magic: number
  /** CRC32C of the bytes from the attributes to the end, unsigned. */
  readonly crc: number
  readonly attributes: number
  readonly compression: BatchCompression
  /** `append`: every record has the timestamp {@link maxTimestamp}. */
  readonly timestampType: 'create' | 'append'
  readonly isTransactional: boolean
  /** Its records are transaction markers. */
  readonly isControl: boolean
  readonly lastOffsetDelta: number
  /** Milliseconds since the epoch, as are all timestamps of a batch. */
  readonly baseTimestamp: bigint
  /** As the producer says. */
  readonly maxTimestamp: bigint
  /** -1n: none. */
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  /** Less than `lastOffsetDelta + 1` where offsets are missing; 0 in a batch that only spans a gap. */
  readonly recordCount: number
}

/** All that a batch can say; `snappy` and `lz4` are not read here. */
export type BatchCompression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

const compressions: readonly BatchCompression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Where the fields lie in a batch. */
export const at = {
  baseOffset: 0,
  length: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const

/** Bytes of base offset and length, which the length does not count. */
export const LENGTH_PREFIX_BYTES = 12
/** The smallest record: seven fields of one byte each. */
const MIN_RECORD_BYTES = 7

/** Bits of the attributes. */
export const bits = { compression: 7, timestampType: 8, transactional: 16, control: 32 } as const

/**
 * Reads the header of the batch at `position`, and nothing behind it.
 * @throws `corrupt` when the batch is cut off or says what cannot be; `unsupported` for magic 0 and 1 and for an unknown
 * compression.
 *
 * Spec: Kafka, "Record Batch".
 */
export function readBatchHeader(bytes: Uint8Array, position: number): BatchHeader {
  const left = bytes.length - position
  if (left < at.magic + 1) throw bad(position, `${left} bytes are left`)
  const view = new DataView(bytes.buffer, bytes.byteOffset + position, left)
  const magic = view.getInt8(at.magic)
  if (magic === 0 || magic === 1) {
    throw unsupported('BATCH_MAGIC', `Message format v${magic} (magic ${magic}) is not read; send v2 record batches.`)
  }
  if (magic !== 2) throw bad(position, `magic is ${magic}`)
  const sizeBytes = view.getInt32(at.length) + LENGTH_PREFIX_BYTES
  if (sizeBytes < at.records) throw bad(position, `its length is ${sizeBytes - LENGTH_PREFIX_BYTES}`)
  if (sizeBytes > left) throw bad(position, `it has ${sizeBytes} bytes and ${left} are left`)

  const attributes = view.getUint16(at.attributes)
  const compression = compressions[attributes & bits.compression]
  if (compression === undefined) {
    throw unsupported(
      'BATCH_COMPRESSION',
      `A batch uses compression ${attributes & bits.compression}, which is unknown.`,
    )
  }
  const lastOffsetDelta = view.getInt32(at.lastOffsetDelta)
  const recordCount = view.getInt32(at.recordCount)
  const room = compression === 'none' ? (sizeBytes - at.records) / MIN_RECORD_BYTES : 0x7fffffff
  if (recordCount < 0 || recordCount > room || lastOffsetDelta < 0 || recordCount > lastOffsetDelta + 1) {
    throw bad(position, `it claims ${recordCount} records and last offset delta ${lastOffsetDelta}`)
  }
  return {
    baseOffset: view.getBigInt64(at.baseOffset),
    sizeBytes,
    partitionLeaderEpoch: view.getInt32(at.partitionLeaderEpoch),
    magic,
    crc: view.getUint32(at.crc),
    attributes,
    compression,
    timestampType: (attributes & bits.timestampType) === 0 ? 'create' : 'append',
    isTransactional: (attributes & bits.transactional) !== 0,
    isControl: (attributes & bits.control) !== 0,
    lastOffsetDelta,
    baseTimestamp: view.getBigInt64(at.baseTimestamp),
    maxTimestamp: view.getBigInt64(at.maxTimestamp),
    producerId: view.getBigInt64(at.producerId),
    producerEpoch: view.getInt16(at.producerEpoch),
    baseSequence: view.getInt32(at.baseSequence),
    recordCount,
  }
}

/** What lies outside a batch's checksum, and so may be set by the log that takes it. */
export interface BatchPatch {
  readonly baseOffset: bigint
  readonly partitionLeaderEpoch?: number
}

/** Sets the base offset, and the leader epoch if given, in place. The checksum stays valid. */
export function patchBatch(bytes: Uint8Array, position: number, patch: BatchPatch): void {
  const { baseOffset, partitionLeaderEpoch } = patch
  setInt32(bytes, position + at.baseOffset, highOf(baseOffset))
  setInt32(bytes, position + at.baseOffset + 4, lowOf(baseOffset))
  if (partitionLeaderEpoch !== undefined) setInt32(bytes, position + at.partitionLeaderEpoch, partitionLeaderEpoch)
}

// A view would take longer than all that is read or written through it.
function int32(bytes: Uint8Array, position: number): number {
  const high = (bytes[position]! << 24) | (bytes[position + 1]! << 16)
  return high | (bytes[position + 2]! << 8) | bytes[position + 3]!
}

function setInt32(bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >>> 24
  bytes[position + 1] = value >>> 16
  bytes[position + 2] = value >>> 8
  bytes[position + 3] = value
}

/**
 * CRC32C of the batch at `position`, its head included, made from its own checksum without a walk over what that is of. Only for a batch
 * whose checksum has just been checked, or made.
 */
export function crcOfBatch(bytes: Uint8Array, position: number, sizeBytes: number): number {
  const crc = int32(bytes, position + at.crc)
  return crc32cJoined(crc32cOf(bytes, position, position + at.attributes), crc, sizeBytes - at.attributes)
}

/** The batches that lie back to back in `bytes`. @throws as {@link readBatchHeader}. */
export function* batchesIn(bytes: Uint8Array): Generator<{ readonly header: BatchHeader; readonly position: number }> {
  for (let position = 0; position < bytes.length;) {
    const header = readBatchHeader(bytes, position)
    yield { header, position }
    position += header.sizeBytes
  }
}

function bad(position: number, why: string): Error {
  return corrupt('BATCH_HEADER', `The record batch at byte ${position} is damaged: ${why}.`, { context: { position } })
}
