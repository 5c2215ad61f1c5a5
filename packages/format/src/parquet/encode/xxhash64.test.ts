import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { XxHash64 } from './xxhash64.ts'

function hashOf(bytes: Uint8Array): string {
  const hash = new XxHash64()
  // Not at the beginning of its memory.
  const padded = new Uint8Array(bytes.length + 3)
  padded.set(bytes, 3)
  hash.hash(new DataView(padded.buffer), 3, bytes.length)
  return [hash.high, hash.low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
}

const mask = 2n ** 64n - 1n
const [p1, p2, p3] = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n]
const [p4, p5] = [0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n]

/** The specification, word for word, in BigInts. */
function reference(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & mask
  const round = (sum: bigint, lane: bigint): bigint => (rotate((sum + lane * p2) & mask, 31n) * p1) & mask
  let at = 0
  let sum = p5
  if (bytes.length >= 32) {
    const lanes = [(p1 + p2) & mask, p2, 0n, -p1 & mask]
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i++) lanes[i] = round(lanes[i]!, view.getBigUint64(at + i * 8, true))
    }
    sum = [1n, 7n, 12n, 18n].reduce((total, bits, i) => (total + rotate(lanes[i]!, bits)) & mask, 0n)
    for (const lane of lanes) sum = ((sum ^ round(0n, lane)) * p1 + p4) & mask
  }
  sum = (sum + BigInt(bytes.length)) & mask
  for (; at + 8 <= bytes.length; at += 8)
    sum = (rotate(sum ^ round(0n, view.getBigUint64(at, true)), 27n) * p1 + p4) & mask
  if (at + 4 <= bytes.length) {
    sum = (rotate(sum ^ ((BigInt(view.getUint32(at, true)) * p1) & mask), 23n) * p2 + p3) & mask
    at += 4
  }
  for (; at < bytes.length; at++) sum = (rotate(sum ^ ((BigInt(bytes[at]!) * p5) & mask), 11n) * p1) & mask
  sum = ((sum ^ (sum >> 33n)) * p2) & mask
  sum = ((sum ^ (sum >> 29n)) * p3) & mask
  return (sum ^ (sum >> 32n)).toString(16).padStart(16, '0')
}

describe('XXH64', () => {
  it('gives the known hashes', () => {
    const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
    expect(hashOf(utf8(''))).toBe('ef46db3751d8e999')
    expect(hashOf(utf8('a'))).toBe('d24ec4f1a98c6e5b')
    expect(hashOf(utf8('abc'))).toBe('44bc2cf5ad770999')
    expect(hashOf(utf8('Nobody inspects the spammish repetition'))).toBe('fbcea83c8a378bf1')
  })

  it('follows the specification for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 140 }), (bytes) => {
        expect(hashOf(bytes)).toBe(reference(bytes))
      }),
      { numRuns: 500 },
    )
  })
})
