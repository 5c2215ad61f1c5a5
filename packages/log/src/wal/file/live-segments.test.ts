import { describe, expect, it } from 'vitest'
import { LiveSegments } from './live-segments.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

const at = (segment: string, sizeBytes: number) => ({ segment, position: 0, sizeBytes })

describe('LiveSegments.sparse', () => {
  it('names sealed segments of which little lives, those that hold least first, and no open one', () => {
    const live = new LiveSegments()
    live.add(at('a', 2_000))
    live.add(at('b', 1_000))
    live.add(at('c', 9_000))
    live.add(at('open', 10))
    for (const segment of ['a', 'b', 'c']) live.seal(segment, SEGMENT_HEADER_BYTES + 16_000)
    expect(live.sparse(1 / 4)).toEqual(['b', 'a'])
  })

  it('leaves alone what was sealed early and is short: copied on, it would be the same again', () => {
    const live = new LiveSegments()
    live.add(at('early', 1_000))
    // A header, one section, a seal.
    live.seal('early', SEGMENT_HEADER_BYTES + 1_100)
    expect(live.sparse(1 / 4)).toEqual([])
    live.add(at('later', 1_000))
    live.seal('later', SEGMENT_HEADER_BYTES + 4_100)
    expect(live.sparse(1 / 4)).toEqual(['later'])
  })
})
