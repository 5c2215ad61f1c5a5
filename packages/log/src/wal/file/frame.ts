import type { SectionHeader } from '@moulin/core'
import { crc32c } from '@moulin/format'
import { frameKind } from '../../stored/stored-kinds.ts'
import { CRC_BYTES, headerBytesOf, magicOf, minimumReaderOf } from './binary-head.ts'

/** Bytes of a frame before its batches, as we write it; one that we read says it itself. Layout: docs/formats/wal.md. */
export const FRAME_HEADER_BYTES = 136
/** Behind the batches: a copy of the header's checksum. */
export const FRAME_TRAILER_BYTES = 4
/** A frame without batches. */
export const SEAL_BYTES: number = FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES
export const FRAME_ALIGNMENT = 8
export const FRAME_MAGIC = 0x4d574c46
const MAX_HEADER_BYTES = 4096
export const BATCHES_CRC_AT = 124
/**
 * The last word of a header, whatever its length: a checksum of which use of which place it is for, and the checksum of all. No page
 * boundary parts them, so the checksum of a header that was cut short is not taken for that of an earlier use of the file. Not
 * the numbers themselves: records that an earlier use left may hold any number, but no log's id.
 */
export const ECHO_BYTES = 4
/** What the echo is of: log id, epoch, generation, position. */
export const PLACE_AT = 16
const PLACE_END = 56
/** Flags that a reader must understand; the others may be ignored. We know none. */
const MUST_UNDERSTAND = 0xf0
export const SECTION = 0
export const SEAL = 1

/** Which use of which file a frame belongs to. All of it is inside the checksum. */
export interface SegmentIdentity {
  /** 16 bytes. */
  readonly logId: Uint8Array
  readonly epoch: bigint
  readonly generation: bigint
}

export type FrameKind = 'section' | 'seal'

export interface Frame {
  readonly kind: FrameKind
  readonly header: SectionHeader
  readonly position: number
  /** Position of the first frame of the same flush: all before it was durable when this was written. */
  readonly flushStart: number
  readonly headerBytes: number
  readonly batchesBytes: number
  /** Header, batches and trailer. */
  readonly sizeBytes: number
  /** Where the next frame begins. */
  readonly end: number
}

/**
 * `none`: no frame of this segment begins here (zeros, or what an earlier use of the file left). `damaged`: one began here,
 * and is not whole. `unsupported`: its header is right, and needs a later reader. `short`: `needed` bytes from the frame's
 * start would tell.
 */
export type FrameRead =
  | { readonly status: 'frame'; readonly frame: Frame }
  | { readonly status: 'short'; readonly needed: number }
  | { readonly status: 'none' }
  /** `header`: of a frame whose header is right, and its batches are not. */
  | { readonly status: 'damaged'; readonly reason: string; readonly sizeBytes: number; readonly header?: SectionHeader }
  | { readonly status: 'unsupported'; readonly minimumReader: number; readonly reason: string }

/** Where a frame of ours ends that begins at `position` and holds `batchesBytes`. */
export function frameEnd(position: number, batchesBytes: number): number {
  return aligned(position + frameBytes(batchesBytes))
}

/** Header, batches and trailer of a frame of ours. */
export function frameBytes(batchesBytes: number): number {
  return FRAME_HEADER_BYTES + batchesBytes + FRAME_TRAILER_BYTES
}

function aligned(end: number): number {
  return end + (-end & (FRAME_ALIGNMENT - 1))
}

function echoOf(bytes: Uint8Array, at: number): number {
  return crc32c(bytes.subarray(at + PLACE_AT, at + PLACE_END))
}

/**
 * Looks for a frame of the segment `identity` at `position` of its file, which is `bytes[at]`. `room`: bytes from there to
 * the end of the file, beyond which no frame reaches.
 */
export function readFrame(
  bytes: Uint8Array,
  at: number,
  position: number,
  room: number,
  identity: SegmentIdentity,
): FrameRead {
  if (room < FRAME_HEADER_BYTES) return { status: 'none' }
  const available = bytes.length - at
  if (available < FRAME_HEADER_BYTES) return { status: 'short', needed: FRAME_HEADER_BYTES }
  let view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEADER_BYTES)
  if (!isOurs(bytes, view, at, position, identity)) return { status: 'none' }

  const headerBytes = headerBytesOf(view)
  if (!isHeaderLength(headerBytes) || headerBytes > room) {
    return { status: 'damaged', reason: 'its header has an impossible length', sizeBytes: FRAME_HEADER_BYTES }
  }
  if (available < headerBytes) return { status: 'short', needed: headerBytes }
  view = new DataView(bytes.buffer, bytes.byteOffset + at, headerBytes)
  const crcAt = headerBytes - CRC_BYTES
  const headerCrc = view.getUint32(crcAt)
  if (crc32c(bytes.subarray(at, at + crcAt)) !== headerCrc) {
    return { status: 'damaged', reason: 'the checksum of its header does not match', sizeBytes: headerBytes }
  }
  const later = laterThanWeRead(view)
  if (later !== undefined) return { status: 'unsupported', minimumReader: minimumReaderOf(view), reason: later }
  const batchesBytes = view.getUint32(8)
  const sizeBytes = headerBytes + batchesBytes + FRAME_TRAILER_BYTES
  if (sizeBytes > room) {
    return { status: 'damaged', reason: 'its length reaches past the end of the file', sizeBytes: room }
  }
  if (available < sizeBytes) return { status: 'short', needed: sizeBytes }
  const batchesAt = at + headerBytes
  // Whole without its trailer, too: that was cut off alone, or was damaged alone.
  if (crc32c(bytes.subarray(batchesAt, batchesAt + batchesBytes)) !== view.getUint32(BATCHES_CRC_AT)) {
    const reason = 'the checksum of its batches does not match'
    return { status: 'damaged', reason, sizeBytes, header: sectionHeader(bytes, view, at) }
  }
  const frame: Frame = {
    kind: view.getUint8(12) === SEAL ? 'seal' : 'section',
    header: sectionHeader(bytes, view, at),
    position,
    flushStart: Number(view.getBigUint64(56)),
    headerBytes,
    batchesBytes,
    sizeBytes,
    end: aligned(position + sizeBytes),
  }
  return { status: 'frame', frame }
}

function isHeaderLength(bytes: number): boolean {
  return bytes >= FRAME_HEADER_BYTES && bytes <= MAX_HEADER_BYTES && bytes % FRAME_ALIGNMENT === 0
}

/** Why we may not read a frame with a right header; undefined when we may. */
function laterThanWeRead(view: DataView): string | undefined {
  const [minimumReader, kind, flags] = [minimumReaderOf(view), view.getUint8(12), view.getUint8(13)]
  if (minimumReader > frameKind.format) {
    return `needs a reader of frame format ${minimumReader}; this one reads up to ${frameKind.format}`
  }
  if (kind !== SECTION && kind !== SEAL) return `is of kind ${kind}, which this version does not know`
  const unknown = flags & MUST_UNDERSTAND
  if (unknown !== 0) return `has the flags 0x${unknown.toString(16)}, which this version must understand and does not`
  return undefined
}

/**
 * What the bytes at a place without a good frame of ours, `bytes[0]`, prove of what was written there on the same boot.
 * `whole`: the kernel had been given all of it. `trailer`: it had been, if these four bytes are found behind the header.
 * `cut`: nothing says so.
 */
export type WriteProof =
  | { readonly proof: 'whole' | 'cut' }
  | { readonly proof: 'trailer'; readonly trailer: Uint8Array; readonly from: number }

/** Table and reasons: docs/formats/wal.md, "What a bad frame means". Wants the bytes up to the trailer, if they are there. */
export function proofOfWrite(bytes: Uint8Array, position: number, identity: SegmentIdentity): WriteProof {
  if (bytes.length < FRAME_HEADER_BYTES) return { proof: 'cut' }
  const claimed = claimedHeaderBytes(bytes)
  // The length itself may be what is damaged.
  const lengths = claimed === FRAME_HEADER_BYTES ? [claimed] : [claimed, FRAME_HEADER_BYTES]
  const proofs = lengths.map((headerBytes) => proofWith(headerBytes, bytes, position, identity))
  return proofs.find(({ proof }) => proof === 'whole') ?? proofs.find(({ proof }) => proof === 'trailer') ?? proofs[0]!
}

/** How many bytes from its start a frame would have, by what its header says, right or wrong. */
export function claimedFrameBytes(bytes: Uint8Array): number {
  if (bytes.length < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES
  const batchesBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8)
  return claimedHeaderBytes(bytes) + batchesBytes + FRAME_TRAILER_BYTES
}

function claimedHeaderBytes(bytes: Uint8Array): number {
  const claimed = headerBytesOf(new DataView(bytes.buffer, bytes.byteOffset))
  return isHeaderLength(claimed) && claimed <= bytes.length ? claimed : FRAME_HEADER_BYTES
}

function proofWith(
  headerBytes: number,
  bytes: Uint8Array,
  position: number,
  { logId, epoch, generation }: SegmentIdentity,
): WriteProof {
  const crcAt = headerBytes - CRC_BYTES
  const header = bytes.slice(0, headerBytes)
  const view = new DataView(header.buffer)
  const stored = view.getUint32(crcAt)
  const claimedEcho = view.getUint32(crcAt - ECHO_BYTES)
  // What a frame at this place says of itself is known: put in, it may mend what is damaged.
  view.setUint32(0, FRAME_MAGIC)
  view.setUint16(6, headerBytes)
  header.set(logId, 16)
  view.setBigUint64(32, epoch)
  view.setBigUint64(40, generation)
  view.setBigUint64(48, BigInt(position))
  const echo = echoOf(header, 0)
  view.setUint32(crcAt - ECHO_BYTES, echo)
  const expected = crc32c(header.subarray(0, crcAt))
  const trailerAt = headerBytes + view.getUint32(8)
  const isThere = trailerAt + FRAME_TRAILER_BYTES <= bytes.length
  const trailer = isThere ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(trailerAt) : undefined
  if (trailer === expected) return { proof: 'whole' }
  // The header is right, and its frame was cut short; or its end is not of this use of this place.
  if (expected === stored || claimedEcho !== echo) return { proof: 'cut' }
  if (trailer === stored) return { proof: 'whole' }
  return { proof: 'trailer', trailer: bytes.slice(crcAt, headerBytes), from: headerBytes }
}

/** The generation that a header names, right or wrong. */
export function generationAt(header: Uint8Array): bigint {
  return new DataView(header.buffer, header.byteOffset).getBigUint64(40)
}

function isOurs(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  position: number,
  { logId, epoch, generation }: SegmentIdentity,
): boolean {
  if (magicOf(view) !== FRAME_MAGIC) return false
  if (view.getBigUint64(48) !== BigInt(position)) return false
  if (view.getBigUint64(40) !== generation || view.getBigUint64(32) !== epoch) return false
  for (let i = 0; i < 16; i++) {
    if (bytes[at + 16 + i] !== logId[i]) return false
  }
  return true
}

function sectionHeader(bytes: Uint8Array, view: DataView, at: number): SectionHeader {
  return {
    topicId: uuidText(bytes.subarray(at + 64, at + 80)),
    incarnation: view.getUint32(80),
    partition: view.getUint32(84),
    baseOffset: view.getBigInt64(88),
    lastOffset: view.getBigInt64(96),
    recordCount: view.getUint32(120),
    valueSchemaId: view.getUint32(104),
    keySchemaId: view.getUint32(108),
    appendedMs: view.getInt32(112) * 2 ** 32 + view.getUint32(116),
  }
}

// A log has few topics and writes each one's id with every frame.
const uuids = new Map<string, Uint8Array>()
const MAX_CACHED_UUIDS = 10_000

/** The 16 bytes of a UUID's text. */
export function uuidBytes(uuid: string): Uint8Array {
  const known = uuids.get(uuid)
  if (known !== undefined) return known
  const bytes = new Uint8Array(Buffer.from(uuid.replaceAll('-', ''), 'hex'))
  if (uuids.size >= MAX_CACHED_UUIDS) uuids.clear()
  uuids.set(uuid, bytes)
  return bytes
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
