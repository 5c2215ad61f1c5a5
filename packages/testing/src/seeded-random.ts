import type { Random } from '@moulin/core'

/** Chance that a seed replays: the draws of core's `Random`, and the ones that tests want. */
export interface SeededRandom extends Random {
  /** A whole number in `[0, limit)`; `limit` up to 2^32. */
  below(limit: number): number
  /** True `probability` of the time. */
  chance(probability: number): boolean
  /** One of the items. */
  pick<T>(items: readonly T[]): T
  /** A generator of its own, so that draws here do not move draws there. */
  fork(): SeededRandom
}

/** Deterministic chance (sfc32, seeded by splitmix). The same seed gives the same draws on every machine. */
export function seededRandom(seed: number): SeededRandom {
  let mix = seed | 0
  const next = (): number => {
    mix = (mix + 0x9e3779b9) | 0
    let word = mix
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad)
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
    return (word ^ (word >>> 15)) | 0
  }
  let a = next()
  let b = next()
  let c = next()
  let counter = 1

  const word = (): number => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  for (let round = 0; round < 12; round++) word()

  const bytes = (length: number): Uint8Array => {
    const drawn = new Uint8Array(length)
    for (let i = 0; i < length; i += 4) {
      const four = word()
      for (let j = i; j < Math.min(i + 4, length); j++) drawn[j] = four >>> ((j - i) * 8)
    }
    return drawn
  }

  const below = (limit: number): number => Math.floor((word() / 2 ** 32) * limit)

  return {
    below,
    bytes,
    chance: (probability) => word() / 2 ** 32 < probability,
    pick: (items) => items[below(items.length)]!,
    fork: () => seededRandom(word() | 0),
    int63: () => (BigInt(word()) << 31n) | BigInt(word() >>> 1) || 1n,
    uuid() {
      const drawn = bytes(16)
      drawn[6] = (drawn[6]! & 0x0f) | 0x40
      drawn[8] = (drawn[8]! & 0x3f) | 0x80
      const hex = Array.from(drawn, (byte) => byte.toString(16).padStart(2, '0')).join('')
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
    },
  }
}
