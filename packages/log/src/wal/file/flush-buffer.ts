import type { Section, SectionHeader } from '@moulin/core'
import {
  FRAME_HEADER_BYTES,
  FRAME_TRAILER_BYTES,
  SEAL_BYTES,
  frameBytes,
  frameEnd,
  sealHeader,
  writeFrameHeader,
  writeFrameTrailer,
  type SegmentIdentity,
} from './frame.ts'

/** A section with its offsets. */
export type PlacedSection = Section & SectionHeader

/** A section on its way to the disk. */
export interface PendingSection {
  readonly section: PlacedSection
  /** CRC32C of its batches. */
  readonly batchesCrc: number
}

/** Batches up to this size are copied beside their headers: one part less for writev is worth more than the copy. */
const COPY_UP_TO_BYTES = 8 * 1024

/** Lays out the frames of one flush as parts for one writev. Its memory is used again by the next flush. */
export class FlushBuffer {
  #scratch = Buffer.allocUnsafeSlow(64 * 1024)

  /** Memory that it keeps. */
  get bytes(): number {
    return this.#scratch.length
  }

  /** Parts for `sections`, placed back to back from `position`, which is where the flush begins. */
  frames(sections: readonly PendingSection[], position: number, identity: SegmentIdentity): Uint8Array[] {
    const scratch = this.#room(sections)
    const parts: Uint8Array[] = []
    const flushStart = position
    let at = 0
    let partStart = 0
    for (const { section, batchesCrc } of sections) {
      const { batches } = section
      const batchesBytes = batches.length
      const frame = {
        kind: 'section',
        header: section,
        position,
        flushStart,
        batchesBytes,
        batchesCrc,
      } as const
      const headerCrc = writeFrameHeader(scratch, at, identity, frame)
      at += FRAME_HEADER_BYTES
      const end = frameEnd(position, batches.length)
      const padding = end - position - frameBytes(batchesBytes)
      if (batches.length <= COPY_UP_TO_BYTES) {
        scratch.set(batches, at)
        at += batches.length
      } else {
        parts.push(scratch.subarray(partStart, at), batches)
        partStart = at
      }
      writeFrameTrailer(scratch, at, headerCrc)
      at += FRAME_TRAILER_BYTES
      scratch.fill(0, at, at + padding)
      at += padding
      position = end
    }
    if (at > partStart) parts.push(scratch.subarray(partStart, at))
    return parts
  }

  #room(sections: readonly PendingSection[]): Buffer {
    let needed = 0
    for (const {
      section: { batches },
    } of sections) {
      needed += frameEnd(0, 0) + 8 + (batches.length <= COPY_UP_TO_BYTES ? batches.length : 0)
    }
    if (needed > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(2 * needed)
    return this.#scratch
  }
}

/** The frame that ends a full segment. */
export function sealFrame(position: number, identity: SegmentIdentity): Uint8Array {
  const bytes = new Uint8Array(SEAL_BYTES)
  const frame = {
    kind: 'seal',
    header: sealHeader,
    position,
    flushStart: position,
    batchesBytes: 0,
    batchesCrc: 0,
  } as const
  writeFrameTrailer(bytes, FRAME_HEADER_BYTES, writeFrameHeader(bytes, 0, identity, frame))
  return bytes
}
