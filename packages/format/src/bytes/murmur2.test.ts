import { describe, expect, it } from 'vitest'
import { murmur2 } from './murmur2.ts'

describe('murmur2', () => {
  it('gives the values of the Java client’s own test', () => {
    // org.apache.kafka.common.utils.UtilsTest, testMurmur2.
    const cases: [string, number][] = [
      ['21', -973932308],
      ['foobar', -790332482],
      ['a-little-bit-long-string', -985981536],
      ['a-little-bit-longer-string', -1486304829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
      ['abc', 479470107],
    ]
    for (const [key, hash] of cases) expect(murmur2(new TextEncoder().encode(key)), key).toBe(hash)
  })
})
