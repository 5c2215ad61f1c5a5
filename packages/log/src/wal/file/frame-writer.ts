import type { SectionHeader } from '@moulin/core'
import { crc32c, crc32cOf, crc32cOfInt64, highOf, lowOf } from '@moulin/format'
import { frameKind } from '../../stored/stored-kinds.ts'
import { CRC_BYTES, writeHead } from './binary-head.ts'
import {
  BATCHES_CRC_AT,
  ECHO_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_TRAILER_BYTES,
  PLACE_AT,
  SEAL,
  SEAL_BYTES,
  SECTION,
  uuidBytes,
  type FrameKind,
  type SegmentIdentity,
} from './frame.ts'

const POSITION_AT = 48
const CRC_AT = FRAME_HEADER_BYTES - CRC_BYTES
const TWO_32 = 2 ** 32

/** What a frame needs to be written, beside its batches. */
export interface FrameToWrite {
  readonly header: SectionHeader
  readonly position: number
  readonly flushStart: number
  readonly batchesBytes: number
  /** CRC32C of the batches: computed when they are handed over, so that it overlaps with the flush before. */
  readonly batchesCrc: number
}

/** Where a frame is written. */
export interface FrameTarget {
  readonly bytes: Uint8Array
  /** Of the same bytes. */
  readonly view: DataView
}

/** What all frames of one kind say in one use of one segment file, laid out once. Layout: docs/formats/wal.md. */
export class FrameTemplate {
  readonly #logId: Uint8Array
  readonly #epoch: bigint
  readonly #generation: bigint
  readonly #bytes: Uint8Array = new Uint8Array(FRAME_HEADER_BYTES)
  /** Checksum of what the echo is of, up to the position, which comes last. */
  readonly #echoBefore: number
  /** Checksum of a header up to the position, where nothing but the length of the batches differs; most are as long as the one before. */
  #crcBefore = 0
  #lastBytes = -1

  constructor({ logId, epoch, generation }: SegmentIdentity, kind: FrameKind) {
    // As they are now: a file that is used again gets another generation.
    this.#logId = logId
    this.#epoch = epoch
    this.#generation = generation
    const view = new DataView(this.#bytes.buffer)
    writeHead(view, FRAME_MAGIC, frameKind, FRAME_HEADER_BYTES)
    view.setUint8(12, kind === 'seal' ? SEAL : SECTION)
    this.#bytes.set(logId, PLACE_AT)
    view.setBigUint64(32, epoch)
    view.setBigUint64(40, generation)
    this.#echoBefore = crc32c(this.#bytes.subarray(PLACE_AT, POSITION_AT))
  }

  isOf({ logId, epoch, generation }: SegmentIdentity): boolean {
    return this.#generation === generation && this.#epoch === epoch && this.#logId === logId
  }

  /** Writes the frame's header at `at`, and returns its checksum. The batches and the trailer follow it on disk. */
  write({ bytes, view }: FrameTarget, at: number, frame: FrameToWrite): number {
    const { header, position, flushStart } = frame
    bytes.set(this.#bytes, at)
    view.setUint32(at + 8, frame.batchesBytes)
    // In halves: of an int64 no setter is compiled in line.
    const positionHigh = Math.floor(position / TWO_32)
    view.setUint32(at + POSITION_AT, positionHigh)
    view.setUint32(at + 52, position)
    view.setUint32(at + 56, Math.floor(flushStart / TWO_32))
    view.setUint32(at + 60, flushStart)
    bytes.set(uuidBytes(header.topicId), at + 64)
    view.setUint32(at + 80, header.incarnation)
    view.setUint32(at + 84, header.partition)
    view.setInt32(at + 88, highOf(header.baseOffset))
    view.setInt32(at + 92, lowOf(header.baseOffset))
    view.setInt32(at + 96, highOf(header.lastOffset))
    view.setInt32(at + 100, lowOf(header.lastOffset))
    view.setUint32(at + 104, header.valueSchemaId)
    view.setUint32(at + 108, header.keySchemaId)
    view.setInt32(at + 112, Math.floor(header.appendedMs / TWO_32))
    view.setUint32(at + 116, header.appendedMs)
    view.setUint32(at + 120, header.recordCount)
    view.setUint32(at + BATCHES_CRC_AT, frame.batchesCrc)
    view.setUint32(at + CRC_AT - ECHO_BYTES, crc32cOfInt64(positionHigh, position, this.#echoBefore))
    if (frame.batchesBytes !== this.#lastBytes) {
      this.#lastBytes = frame.batchesBytes
      this.#crcBefore = crc32cOf(bytes, at, at + POSITION_AT)
    }
    const crc = crc32cOf(bytes, at + POSITION_AT, at + CRC_AT, this.#crcBefore)
    view.setUint32(at + CRC_AT, crc)
    return crc
  }
}

/** Writes the trailer behind the batches: it is there only if the kernel was given the whole frame. */
export function writeFrameTrailer(target: Uint8Array, at: number, headerCrc: number): void {
  target[at] = headerCrc >>> 24
  target[at + 1] = headerCrc >>> 16
  target[at + 2] = headerCrc >>> 8
  target[at + 3] = headerCrc
}

/** The header of a seal, which holds no section. */
const sealHeader: SectionHeader = {
  topicId: '00000000-0000-0000-0000-000000000000',
  incarnation: 0,
  partition: 0,
  baseOffset: 0n,
  lastOffset: 0n,
  recordCount: 0,
  valueSchemaId: 0,
  keySchemaId: 0,
  appendedMs: 0,
}

/** The frame that ends a full segment. */
export function sealFrame(position: number, identity: SegmentIdentity): Uint8Array {
  const bytes = new Uint8Array(SEAL_BYTES)
  const target = { bytes, view: new DataView(bytes.buffer) }
  const seal = { header: sealHeader, position, flushStart: position, batchesBytes: 0, batchesCrc: 0 }
  const crc = new FrameTemplate(identity, 'seal').write(target, 0, seal)
  writeFrameTrailer(bytes, SEAL_BYTES - FRAME_TRAILER_BYTES, crc)
  return bytes
}
