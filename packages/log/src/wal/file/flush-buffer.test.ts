/** What a flush writes is what its sections were, frame by frame, whatever was written from the same memory before. */
import { crc32c } from '@moulin/format'
import { seededRandom } from '@moulin/testing'
import { expect, it } from 'vitest'
import { FlushBuffer, type PendingSection } from './flush-buffer.ts'
import { frameEnd, readFrame, uuidBytes, type SegmentIdentity } from './frame.ts'

const topics = ['0b1f3a52-5f5e-4b7a-9a53-3d6d1c1f0a12', '1c0f9a3e-7e0b-4c63-8f57-0a4b8d2f6c21']
const logId = uuidBytes('6b1f3a52-5f5e-4b7a-9a53-3d6d1c1f0a11')

it('lays out frames of every topic, partition, size and use of a file, back to back', () => {
  const random = seededRandom(11)
  const buffer = new FlushBuffer()
  // As a segment file is: the same object gets another generation when it is used again.
  const files = [1n, 2n].map((epoch) => ({ logId, epoch, generation: 1n }))
  for (let flush = 0; flush < 60; flush++) {
    const file = files[random.below(2)]!
    if (random.below(3) === 0) file.generation++
    const identity: SegmentIdentity = { ...file }
    const start = random.below(2) === 0 ? 4096 : 5 * 2 ** 32 + 8 * random.below(1_000)
    const sections = Array.from({ length: 1 + random.below(20) }, (_, at): PendingSection => {
      // Some are copied beside their headers, some are parts of their own; now and then the memory grows.
      const size = random.below(8) === 0 ? 8_000 + random.below(flush === 30 ? 90_000 : 2_000) : 9 * random.below(3)
      const batches = new Uint8Array(size).fill(flush * 7 + at)
      const baseOffset = 2n ** 53n + BigInt(random.below(1_000_000))
      const section = {
        topicId: topics[random.below(2)]!,
        incarnation: random.below(3),
        partition: random.below(50),
        baseOffset,
        lastOffset: baseOffset + BigInt(random.below(100)),
        recordCount: random.below(100) + 1,
        valueSchemaId: random.below(9),
        keySchemaId: random.below(9),
        appendedMs: 1_790_000_000_000 + random.below(1_000_000),
        batches,
      }
      return { section, batchesBytes: size, batchesCrc: crc32c(batches) }
    })
    const bytes = new Uint8Array(Buffer.concat(buffer.frames(sections, start, file)))
    let position = start
    for (const { section, batchesBytes } of sections) {
      const at = position - start
      const read = readFrame(bytes, at, position, bytes.length - at, identity)
      const { batches, ...header } = section
      const end = frameEnd(position, batchesBytes)
      expect(read).toMatchObject({ status: 'frame', frame: { kind: 'section', header, flushStart: start, end } })
      if (read.status !== 'frame') return
      const batchesAt = at + read.frame.headerBytes
      expect(bytes.subarray(batchesAt, batchesAt + batchesBytes)).toEqual(batches)
      const padding = bytes.subarray(at + read.frame.sizeBytes, end - start)
      expect(padding).toEqual(new Uint8Array(padding.length))
      position = end
    }
    expect(bytes.length).toBe(position - start)
  }
})
