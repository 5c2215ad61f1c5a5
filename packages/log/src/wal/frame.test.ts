import type { SectionHeader } from '@moulin/core'
import { crc32c } from '@moulin/format'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAME_HEADER_BYTES, frameEnd, readFrame, uuidBytes, writeFrameHeader, type SegmentIdentity } from './frame.ts'

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
}

function frame(batches: Uint8Array, position = 4096, flushStart = 4096): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + batches.length)
  const body = { batchesBytes: batches.length, batchesCrc: crc32c(batches) }
  writeFrameHeader(bytes, 0, identity, { kind: 'section', header, position, flushStart, ...body })
  bytes.set(batches, FRAME_HEADER_BYTES)
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

  it('is never taken for whole with any one bit flipped', () => {
    const bytes = frame(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]))
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const flipped = new Uint8Array(bytes)
        flipped[bit >>> 3]! ^= 1 << (bit & 7)
        expect(readFrame(flipped, 0, 4096, 10_000, identity).status).not.toBe('frame')
      }),
      { numRuns: 500 },
    )
  })

  it('asks for the bytes it needs and never past the end of the file', () => {
    const bytes = frame(new Uint8Array(1000))
    expect(readFrame(bytes.subarray(0, 50), 0, 4096, 5000, identity)).toEqual({ status: 'short', needed: 120 })
    expect(readFrame(bytes.subarray(0, 200), 0, 4096, 5000, identity)).toEqual({ status: 'short', needed: 1120 })
    expect(readFrame(bytes, 0, 4096, 1100, identity).status).toBe('damaged')
    expect(readFrame(bytes, 0, 4096, 100, identity)).toEqual({ status: 'none' })
  })
})
