/**
 * Numbers below 65 536, each once, as one container of a roaring bitmap holds them: some of the 16-bit words of a {@link PositionSet}.
 */
export interface ChunkKind {
  /** How many are below `end`, which may be 65 536. */
  countBelow(words: Uint16Array, end: number): number
  /** Calls with runs `[from, to)` that together are those in `[start, end)`, rising; runs may touch. */
  runsIn(words: Uint16Array, start: number, end: number, each: EachRun): void
}

export type EachRun = (from: number, to: number) => void

export const CHUNK_ROWS = 65_536
/** So many take no more as a list than as bits. */
export const MAX_LISTED = 4096
export const BIT_WORDS = 4096

/** Few: themselves, rising. */
const listed: ChunkKind = {
  countBelow(values, end) {
    let low = 0
    let high = values.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (values[middle]! < end) low = middle + 1
      else high = middle
    }
    return low
  },
  runsIn(values, start, end, each) {
    for (let at = listed.countBelow(values, start); at < values.length && values[at]! < end; at++)
      each(values[at]!, values[at]! + 1)
  },
}

/** Many: a bit each, the least significant first. */
const bits: ChunkKind = {
  countBelow(words, end) {
    const whole = end >> 4
    let count = 0
    for (let at = 0; at < whole; at++) count += bitCount(words[at]!)
    const rest = end & 15
    return rest === 0 ? count : count + bitCount(words[whole]! & ((1 << rest) - 1))
  },
  runsIn(words, start, end, each) {
    for (let at = start; at < end;) {
      const rest = words[at >> 4]! >> (at & 15)
      if (rest === 0) {
        at = (at | 15) + 1
        continue
      }
      const from = at + zerosBelow(rest)
      if (from >= end) return
      let to = from + 1
      while (to < end && (words[to >> 4]! & (1 << (to & 15))) !== 0) to++
      each(from, to)
      at = to + 1
    }
  },
}

/** Neighbours: the first of each run, and how many follow it. */
const runs: ChunkKind = {
  countBelow(words, end) {
    let count = 0
    runs.runsIn(words, 0, end, (from, to) => (count += to - from))
    return count
  },
  runsIn(words, start, end, each) {
    for (let at = 0; at < words.length && words[at]! < end; at += 2) {
      const from = Math.max(start, words[at]!)
      const to = Math.min(end, words[at]! + words[at + 1]! + 1)
      if (from < to) each(from, to)
    }
  },
}

export const chunkKinds: Readonly<Record<'listed' | 'bits' | 'runs', ChunkKind>> = { listed, bits, runs }

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555)
  const fours = (pairs & 0x3333) + ((pairs >>> 2) & 0x3333)
  const eights = (fours + (fours >>> 4)) & 0x0f0f
  return (eights + (eights >>> 8)) & 0x1f
}

function zerosBelow(word: number): number {
  return 31 - Math.clz32(word & -word)
}
