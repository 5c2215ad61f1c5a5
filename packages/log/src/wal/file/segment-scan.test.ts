import type { FileHandle } from '@moulin/core'
import { expect, it } from 'vitest'
import type { SegmentIdentity } from './frame.ts'
import { aftermathOf, framesWithoutHeader, scanSegment, wasWritten } from './segment-scan.ts'

const identity: SegmentIdentity = { logId: new Uint8Array(16), epoch: 1n, generation: 1n }

/** A file that its writer cuts after its size was asked for. */
function shrinking(before: number, after: number): { readonly file: FileHandle; readonly reads: () => number } {
  const bytes = new Uint8Array(after)
  let reads = 0
  const file = {
    size: async () => before,
    read: async (position: number, length: number) => {
      reads++
      return bytes.slice(position, position + length)
    },
  } as unknown as FileHandle
  return { file, reads: () => reads }
}

it('ends a look behind the frames of a file that became shorter, in a few reads', async () => {
  const { file, reads } = shrinking(64 * 1024 * 1024, 5_000)
  const request = { file, name: 'a segment', identity, from: 4096 }
  expect(await scanSegment(request)).toMatchObject({ frames: [], end: 4096, isSealed: false })
  expect(await aftermathOf(request)).toEqual({ durable: undefined, first: undefined, remainsEnd: undefined })
  expect(await wasWritten(request)).toBe(false)
  for await (const found of framesWithoutHeader(file, 'a segment', identity)) expect(found).toBeUndefined()
  expect(reads()).toBeLessThan(20)
})
