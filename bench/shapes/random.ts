/** mulberry32: the same numbers in [0, 2^32) for the same seed. */
export function randomWords(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return (x ^ (x >>> 14)) >>> 0
  }
}

export interface Random {
  readonly word: () => number
  /** In [0, 1). */
  readonly unit: () => number
  /** In [0, end). */
  readonly below: (end: number) => number
}

export function randomOf(seed: number): Random {
  const word = randomWords(seed)
  const unit = (): number => word() / 4294967296
  return { word, unit, below: (end) => Math.floor(unit() * end) }
}
