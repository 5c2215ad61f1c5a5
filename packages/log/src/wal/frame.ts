import type { SectionHeader } from '@moulin/core'
import { crc32c } from '@moulin/format'

/** Bytes of a frame before its batches. Layout: docs/formats/wal.md. */
export const FRAME_HEADER_BYTES = 120
export const FRAME_ALIGNMENT = 8
export const FRAME_MAGIC = 0x4d574c46
const FRAME_VERSION = 1
const BATCHES_CRC_AT = 112
const CRC_AT = 116

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
  readonly batchesBytes: number
  /** Header and batches. */
  readonly sizeBytes: number
  /** Where the next frame begins. */
  readonly end: number
}

/**
 * `none`: no frame of this segment begins here (zeros, or what an earlier use of the file left). `damaged`: one began here,
 * and is not whole. `short`: `needed` bytes from the frame's start would tell.
 */
export type FrameRead =
  | { readonly status: 'frame'; readonly frame: Frame }
  | { readonly status: 'short'; readonly needed: number }
  | { readonly status: 'none' }
  | { readonly status: 'damaged'; readonly reason: string }

/** Where a frame ends that begins at `position` and holds `batchesBytes`. */
export function frameEnd(position: number, batchesBytes: number): number {
  const end = position + FRAME_HEADER_BYTES + batchesBytes
  return end + (-end & (FRAME_ALIGNMENT - 1))
}

/** What a frame needs to be written, beside its batches. */
export interface FrameToWrite {
  readonly kind: FrameKind
  readonly header: SectionHeader
  readonly position: number
  readonly flushStart: number
  readonly batchesBytes: number
  /** CRC32C of the batches: computed when they are handed over, so that it overlaps with the flush before. */
  readonly batchesCrc: number
}

/** Writes the frame's header, checksum included, into `target` at `at`. The batches follow it on disk. */
export function writeFrameHeader(
  target: Uint8Array,
  at: number,
  { logId, epoch, generation }: SegmentIdentity,
  { kind, header, position, flushStart, batchesBytes, batchesCrc }: FrameToWrite,
): void {
  const view = new DataView(target.buffer, target.byteOffset + at, FRAME_HEADER_BYTES)
  view.setUint32(0, FRAME_MAGIC)
  view.setUint8(4, FRAME_VERSION)
  view.setUint8(5, kind === 'seal' ? 1 : 0)
  view.setUint16(6, FRAME_HEADER_BYTES)
  view.setUint32(8, batchesBytes)
  view.setUint32(12, header.recordCount)
  target.set(logId, at + 16)
  view.setBigUint64(32, epoch)
  view.setBigUint64(40, generation)
  view.setBigUint64(48, BigInt(position))
  view.setBigUint64(56, BigInt(flushStart))
  target.set(uuidBytes(header.topicId), at + 64)
  view.setUint32(80, header.incarnation)
  view.setUint32(84, header.partition)
  view.setBigInt64(88, header.baseOffset)
  view.setBigInt64(96, header.lastOffset)
  view.setUint32(104, header.valueSchemaId)
  view.setUint32(108, header.keySchemaId)
  view.setUint32(BATCHES_CRC_AT, batchesCrc)
  view.setUint32(CRC_AT, crc32c(target.subarray(at, at + CRC_AT)))
}

/** The header of a seal, which holds no section. */
export const sealHeader: SectionHeader = {
  topicId: '00000000-0000-0000-0000-000000000000',
  incarnation: 0,
  partition: 0,
  baseOffset: 0n,
  lastOffset: 0n,
  recordCount: 0,
  valueSchemaId: 0,
  keySchemaId: 0,
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
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEADER_BYTES)
  if (!isOurs(bytes, view, at, position, identity)) return { status: 'none' }

  if (crc32c(bytes.subarray(at, at + CRC_AT)) !== view.getUint32(CRC_AT)) {
    return { status: 'damaged', reason: 'the checksum of its header does not match' }
  }
  const batchesBytes = view.getUint32(8)
  const sizeBytes = FRAME_HEADER_BYTES + batchesBytes
  if (sizeBytes > room) return { status: 'damaged', reason: 'its length reaches past the end of the file' }
  if (available < sizeBytes) return { status: 'short', needed: sizeBytes }
  if (crc32c(bytes.subarray(at + FRAME_HEADER_BYTES, at + sizeBytes)) !== view.getUint32(BATCHES_CRC_AT)) {
    return { status: 'damaged', reason: 'the checksum of its batches does not match' }
  }
  const kind = view.getUint8(5)
  if (view.getUint8(4) !== FRAME_VERSION || kind > 1 || view.getUint16(6) !== FRAME_HEADER_BYTES) {
    return { status: 'damaged', reason: 'its version, kind or header length is not one that this version writes' }
  }
  const flushStart = Number(view.getBigUint64(56))
  const frame: Frame = {
    kind: kind === 1 ? 'seal' : 'section',
    header: sectionHeader(bytes, view, at),
    position,
    flushStart,
    batchesBytes,
    sizeBytes,
    end: frameEnd(position, batchesBytes),
  }
  return { status: 'frame', frame }
}

function isOurs(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  position: number,
  { logId, epoch, generation }: SegmentIdentity,
): boolean {
  if (view.getUint32(0) !== FRAME_MAGIC) return false
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
    recordCount: view.getUint32(12),
    valueSchemaId: view.getUint32(104),
    keySchemaId: view.getUint32(108),
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
