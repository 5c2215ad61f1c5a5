/** Repeatable chance: mulberry32 with the draws that the generators need. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 32 random bits, unsigned. */
  bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return (x ^ (x >>> 14)) >>> 0
  }

  /** 0 to `count` − 1. */
  below(count: number): number {
    return Math.floor((this.bits() / 0x100000000) * count)
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  chance(share: number): boolean {
    return this.bits() < share * 0x100000000
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.bits() & 0xff)
  }

  /** A signed integer of up to `width` bits, small ones as often as large ones. */
  integer(width: number): bigint {
    const random = (BigInt(this.bits()) << 96n) | (BigInt(this.bits()) << 64n) | (BigInt(this.bits()) << 32n)
    return BigInt.asIntN(this.between(1, width), random | BigInt(this.bits()))
  }
}

/** `MOULIN_SEED` repeats a run; without it every run has its own. A failing test names the seed. */
export function runSeed(): number {
  const given = process.env['MOULIN_SEED']
  return given === undefined ? Date.now() & 0x7fffffff : Number(given)
}

/** How often a test runs: for a developer, for CI, and for `npm run test:long`. */
export function runs(local: number, ci: number, long: number): number {
  if (process.env['MOULIN_LONG'] === '1') return long
  return process.env['MOULIN_CI'] === '1' ? ci : local
}
