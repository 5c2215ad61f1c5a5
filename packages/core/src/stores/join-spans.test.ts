import { describe, expect, it } from 'vitest'
import { joinSpans } from './join-spans.ts'

const MiB = 1024 * 1024

describe('joinSpans', () => {
  it('joins what touches, overlaps or lies within the gap, and leaves the rest', () => {
    const [far, first, inside, near] = [
      { start: 500, end: 501 },
      { start: 0, end: 10 },
      { start: 5, end: 20 },
      { start: 84, end: 90 },
    ]
    expect(joinSpans([far, first, inside, near], 64)).toEqual([
      { start: 0, end: 90, members: [first, inside, near] },
      { start: 500, end: 501, members: [far] },
    ])
    expect(joinSpans([first, inside, near], 63).map(({ start }) => start)).toEqual([0, 84])
  })

  it('does not grow above 16 MiB where only a gap joins, but where they overlap', () => {
    const first = { start: 0, end: 16 * MiB }
    expect(joinSpans([first, { start: 16 * MiB, end: 17 * MiB }], MiB)).toHaveLength(2)
    expect(joinSpans([first, { start: 16 * MiB - 1, end: Infinity }], 0)).toMatchObject([{ start: 0, end: Infinity }])
  })
})
