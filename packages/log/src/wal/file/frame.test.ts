import type { SectionHeader } from '@moulin/core'
import { crc32c } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import {
  FRAME_HEADER_BYTES,
  frameBytes,
  frameEnd,
  proofOfWrite,
  readFrame,
  uuidBytes,
  type SegmentIdentity,
} from './frame.ts'
import { FrameTemplate, writeFrameTrailer } from './frame-writer.ts'

const identity: SegmentIdentity = {
  logId: uuidBytes('6b1f3a52-5f5e-4b7a-9a53-3d6d1c1f0a11'),
  epoch: 3n,
  generation: 7n,
}
const header: SectionHeader = {
  topicId: '0b1f3a52-5f5e-4b7a-9a53-3d6d1c1f0a12',
  incarnation: 2,
  partition: 5,
  baseOffset: 2n ** 53n + 1n,
  lastOffset: 2n ** 53n + 3n,
  recordCount: 3,
  valueSchemaId: 4,
  keySchemaId: 9,
  appendedMs: 1_790_000_000_123,
}

function frame(batches: Uint8Array, position = 4096, flushStart = 4096): Uint8Array {
  const bytes = new Uint8Array(frameBytes(batches.length))
  const body = { batchesBytes: batches.length, batchesCrc: crc32c(batches) }
  const target = { bytes, view: new DataView(bytes.buffer) }
  const crc = new FrameTemplate(identity, 'section').write(target, 0, { header, position, flushStart, ...body })
  bytes.set(batches, FRAME_HEADER_BYTES)
  writeFrameTrailer(bytes, FRAME_HEADER_BYTES + batches.length, crc)
  return bytes
}

/** The frame as a later format may write it: changed, with bytes that we do not know, and right checksums. */
function later(batches: Uint8Array, change: (header: Uint8Array) => void, unknownBytes = 0): Uint8Array {
  const ours = frame(batches)
  const length = FRAME_HEADER_BYTES + unknownBytes
  const bytes = new Uint8Array(ours.length + unknownBytes)
  bytes.set(ours.subarray(0, FRAME_HEADER_BYTES - 8))
  bytes.fill(0xee, FRAME_HEADER_BYTES - 8, length)
  bytes.set(batches, length)
  const view = new DataView(bytes.buffer)
  view.setUint16(6, length)
  change(bytes)
  view.setUint32(length - 4, crc32c(bytes.subarray(0, length - 4)))
  view.setUint32(length + batches.length, view.getUint32(length - 4))
  return bytes
}

/** What the same batches at the same place looked like one generation before. */
function olderFrame(batches: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(frameBytes(batches.length))
  const older = { ...identity, generation: identity.generation - 1n }
  const body = { batchesBytes: batches.length, batchesCrc: crc32c(batches), position: 4096, flushStart: 4096 }
  const target = { bytes, view: new DataView(bytes.buffer) }
  const crc = new FrameTemplate(older, 'section').write(target, 0, { header, ...body })
  bytes.set(batches, FRAME_HEADER_BYTES)
  writeFrameTrailer(bytes, FRAME_HEADER_BYTES + batches.length, crc)
  return bytes
}

describe('a frame', () => {
  it('gives back the header and where it ends', () => {
    const read = readFrame(frame(new Uint8Array(13), 8192, 4096), 0, 8192, 10_000, identity)
    expect(read).toMatchObject({
      status: 'frame',
      frame: { kind: 'section', header, position: 8192, flushStart: 4096, batchesBytes: 13, end: frameEnd(8192, 13) },
    })
    expect(frameEnd(8192, 13) % 8).toBe(0)
  })

  it('is none for another log, epoch, generation or position: what an earlier use of the file left never parses', () => {
    const bytes = frame(new Uint8Array(16))
    const others: [SegmentIdentity, number][] = [
      [{ ...identity, generation: 8n }, 4096],
      [{ ...identity, epoch: 4n }, 4096],
      [{ ...identity, logId: new Uint8Array(16) }, 4096],
      [identity, 4104],
    ]
    for (const [other, position] of others) {
      expect(readFrame(bytes, 0, position, 10_000, other)).toEqual({ status: 'none' })
    }
    expect(readFrame(new Uint8Array(500), 0, 4096, 10_000, identity)).toEqual({ status: 'none' })
  })

  it('is never taken for whole with any one bit flipped, and shows that it had been', () => {
    const bytes = frame(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]))
    // A wrong trailer alone spoils nothing.
    const trailerAt = bytes.length - 4
    for (let bit = 0; bit < trailerAt * 8; bit++) {
      const flipped = new Uint8Array(10_000)
      flipped.set(bytes)
      flipped[bit >>> 3]! ^= 1 << (bit & 7)
      const { status } = readFrame(flipped, 0, 4096, 10_000, identity)
      expect(['none', 'damaged'], `bit ${bit}`).toContain(status)
      const found = proofOfWrite(flipped, 4096, identity)
      if (found.proof !== 'trailer') expect(found.proof, `bit ${bit}`).toBe('whole')
      else expect(flipped.subarray(trailerAt, bytes.length), `bit ${bit}`).toEqual(found.trailer)
    }
    bytes[trailerAt]! ^= 1
    expect(readFrame(bytes, 0, 4096, 10_000, identity).status).toBe('frame')
  })

  it('shows a cut at any byte, over zeros and over a frame that an earlier use of the file left at the same place', () => {
    const batches = new Uint8Array(40).fill(7)
    const bytes = frame(batches)
    for (const before of [new Uint8Array(bytes.length), olderFrame(batches)]) {
      for (let cut = 0; cut < bytes.length - 4; cut++) {
        // No page boundary parts the header's last aligned word.
        if (cut > FRAME_HEADER_BYTES - 8 && cut < FRAME_HEADER_BYTES) continue
        const left = new Uint8Array(before)
        left.set(bytes.subarray(0, cut))
        const read = readFrame(left, 0, 4096, 10_000, identity)
        if (read.status === 'frame') expect(left.subarray(0, -4)).toEqual(bytes.subarray(0, -4))
        else expect(proofOfWrite(left, 4096, identity), `cut at ${cut}`).toEqual({ proof: 'cut' })
      }
    }
  })

  it('of a later format is read if we may: what it has more is ignored', () => {
    const batches = new Uint8Array([9, 9, 9])
    const bytes = later(batches, (head) => ((head[4] = 7), (head[13] = 0x0f)), 24)
    const read = readFrame(bytes, 0, 4096, 10_000, identity)
    expect(read).toMatchObject({ status: 'frame', frame: { header, headerBytes: FRAME_HEADER_BYTES + 24 } })
    expect(read).toMatchObject({ frame: { batchesBytes: 3, end: frameEnd(4096, 27) } })
  })

  it('is unsupported, never damaged, with a later minimum reader, an unknown kind or a flag that must be understood', () => {
    const changes: ((head: Uint8Array) => void)[] = [
      (head) => (head[5] = 2),
      (head) => (head[12] = 2),
      (head) => (head[13] = 0x80),
    ]
    for (const change of changes) {
      for (const unknownBytes of [0, 16]) {
        const bytes = later(new Uint8Array(5), change, unknownBytes)
        expect(readFrame(bytes, 0, 4096, 10_000, identity).status).toBe('unsupported')
        bytes[100]! ^= 1
        expect(readFrame(bytes, 0, 4096, 10_000, identity).status).toBe('damaged')
      }
    }
  })

  it('asks for the bytes it needs and never past the end of the file', () => {
    const bytes = frame(new Uint8Array(1000))
    expect(readFrame(bytes.subarray(0, 50), 0, 4096, 5000, identity)).toEqual({ status: 'short', needed: 136 })
    expect(readFrame(bytes.subarray(0, 200), 0, 4096, 5000, identity)).toEqual({ status: 'short', needed: 1140 })
    expect(readFrame(bytes, 0, 4096, 1130, identity).status).toBe('damaged')
    expect(readFrame(bytes, 0, 4096, 100, identity)).toEqual({ status: 'none' })
  })
})
