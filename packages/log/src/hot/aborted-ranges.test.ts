import { describe, expect, it } from 'vitest'
import { AbortedRanges } from './aborted-ranges.ts'

describe('aborted ranges', () => {
  it('are found by the offsets that they meet, and counted', () => {
    const aborted = new AbortedRanges()
    expect(aborted.meeting({ from: 0n, to: 9n })).toEqual([])
    expect(aborted.countFrom(0n)).toBe(0n)
    aborted.add([
      { from: 2n, to: 4n },
      { from: 4n, to: 4n },
      { from: 7n, to: 10n },
    ])
    aborted.add([{ from: 20n, to: 21n }])
    expect(aborted.meeting({ from: 4n, to: 7n })).toEqual([])
    expect(aborted.meeting({ from: 3n, to: 8n })).toEqual([
      { from: 2n, to: 4n },
      { from: 7n, to: 10n },
    ])
    expect(aborted.meeting({ from: 9n, to: 100n })).toEqual([
      { from: 7n, to: 10n },
      { from: 20n, to: 21n },
    ])
    expect([0n, 3n, 9n, 10n, 21n].map((offset) => aborted.countFrom(offset))).toEqual([6n, 5n, 2n, 1n, 0n])
    aborted.dropBelow(8n)
    expect(aborted.countFrom(0n)).toBe(4n)
    aborted.dropBelow(21n)
    expect(aborted.meeting({ from: 0n, to: 100n })).toEqual([])
  })
})
