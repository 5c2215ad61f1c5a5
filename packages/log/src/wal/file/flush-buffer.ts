import type { Section, SectionHeader } from '@moulin/core'
import { FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FRAME_TRAILER_BYTES, frameEnd, type SegmentIdentity } from './frame.ts'
import { FrameTemplate, writeFrameTrailer, type FrameTarget } from './frame-writer.ts'

/** A section with its offsets. */
export type PlacedSection = Section & SectionHeader

/** A section on its way to the disk. */
export interface PendingSection {
  readonly section: PlacedSection
  readonly batchesBytes: number
  /** CRC32C of its batches. */
  readonly batchesCrc: number
}

/** Batches up to this size are copied beside their headers: one part less for writev is worth more than the copy. */
const COPY_UP_TO_BYTES = 8 * 1024
/** A frame beside its batches, with the most that lies before the next one. */
const AROUND_BYTES = FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES + FRAME_ALIGNMENT

/** Lays out the frames of one flush as parts for one writev. Its memory is used again by the next flush. */
export class FlushBuffer {
  #scratch: FrameTarget = targetOf(64 * 1024)
  #template: FrameTemplate | undefined

  /** Memory that it keeps. */
  get bytes(): number {
    return this.#scratch.bytes.length
  }

  /** Parts for `sections`, placed back to back from `position`, which is where the flush begins. */
  frames(sections: readonly PendingSection[], position: number, identity: SegmentIdentity): Uint8Array[] {
    const scratch = this.#room(sections)
    const template = this.#templateOf(identity)
    const { bytes } = scratch
    const parts: Uint8Array[] = []
    const flushStart = position
    let at = 0
    let partStart = 0
    for (const { section, batchesBytes, batchesCrc } of sections) {
      const frame = { header: section, position, flushStart, batchesBytes, batchesCrc }
      const headerCrc = template.write(scratch, at, frame)
      const end = frameEnd(position, batchesBytes)
      // Where the next frame begins, if the batches are here.
      let next = at + end - position
      at += FRAME_HEADER_BYTES
      if (batchesBytes <= COPY_UP_TO_BYTES) {
        bytes.set(section.batches, at)
        at += batchesBytes
      } else {
        parts.push(bytes.subarray(partStart, at), section.batches)
        partStart = at
        next -= batchesBytes
      }
      writeFrameTrailer(bytes, at, headerCrc)
      at += FRAME_TRAILER_BYTES
      while (at < next) bytes[at++] = 0
      position = end
    }
    if (at > partStart) parts.push(bytes.subarray(partStart, at))
    return parts
  }

  #templateOf(identity: SegmentIdentity): FrameTemplate {
    if (this.#template?.isOf(identity) !== true) this.#template = new FrameTemplate(identity, 'section')
    return this.#template
  }

  #room(sections: readonly PendingSection[]): FrameTarget {
    let needed = 0
    for (const { batchesBytes } of sections) {
      needed += AROUND_BYTES + (batchesBytes <= COPY_UP_TO_BYTES ? batchesBytes : 0)
    }
    if (needed > this.#scratch.bytes.length) this.#scratch = targetOf(2 * needed)
    return this.#scratch
  }
}

function targetOf(sizeBytes: number): FrameTarget {
  const { buffer } = Buffer.allocUnsafeSlow(sizeBytes)
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer) }
}
