import { BIT_WORDS, CHUNK_ROWS, chunkKinds } from './chunk-kinds.ts'
import { ChunkList } from './position-set.ts'
import type { Chunk, PositionSet } from './position-set.ts'

/**
 * What is in any of the sets. It goes by chunks, never by positions: time is that of the sets' own bytes, about, however many positions they
 * stand for, and the union takes twice the sets' memory at most.
 */
export function positionUnion(sets: readonly PositionSet[]): PositionSet {
  if (sets.length === 1) return sets[0]!
  const chunks = sets.flatMap((set) => set.chunks()).sort((a, b) => a.number - b.number)
  const all = new ChunkList(chunks.reduce((sum, { words }) => sum + words.length, 0))
  for (let at = 0; at < chunks.length;) {
    const { number } = chunks[at]!
    let end = at + 1
    while (end < chunks.length && chunks[end]!.number === number) end++
    const { kind, words } = joined(chunks.slice(at, end))
    all.push(number, kind, words)
    at = end
  }
  return all.finish()
}

type Words = Pick<Chunk, 'kind' | 'words'>

function joined(parts: readonly Chunk[]): Words {
  if (parts.length === 1) return parts[0]!
  const whole = parts.find(({ kind, words }) => kind.countBelow(words, CHUNK_ROWS) === CHUNK_ROWS)
  if (whole !== undefined) return whole
  // As runs they take more on the way than as bits: many lists of the same are as many times as long.
  const words = parts.reduce((sum, part) => sum + part.words.length, 0)
  return words >= BIT_WORDS ? asBits(parts) : asRuns(parts)
}

/** They take as much together already. */
function asBits(parts: readonly Chunk[]): Words {
  const all = new Uint16Array(BIT_WORDS)
  for (const { kind, words } of parts) {
    if (kind === chunkKinds.bits) words.forEach((word, at) => (all[at]! |= word))
    else kind.runsIn(words, 0, CHUNK_ROWS, (from, to) => setBits(all, from, to))
  }
  return { kind: chunkKinds.bits, words: all }
}

function setBits(words: Uint16Array, from: number, to: number): void {
  const [first, last] = [from >> 4, (to - 1) >> 4]
  const [low, high] = [0xffff << (from & 15), 0xffff >> (15 - ((to - 1) & 15))]
  if (first === last) {
    words[first]! |= low & high
    return
  }
  words[first]! |= low
  words.fill(0xffff, first + 1, last)
  words[last]! |= high
}

/** Few words: as runs, or as a list or bits where those take less. */
function asRuns(parts: readonly Chunk[]): Words {
  const runs: number[] = []
  const sorted = Float64Array.from(parts.flatMap(runsOf)).sort()
  let [count, end] = [0, -1]
  for (const run of sorted) {
    const from = Math.floor(run / RUN_ENDS)
    const to = run % RUN_ENDS
    if (from > end) {
      runs.push(from, to - from - 1)
      count += to - from
    } else if (to > end) {
      runs[runs.length - 1]! += to - end
      count += to - end
    }
    end = Math.max(end, to)
  }
  const asThey = { kind: chunkKinds.runs, words: Uint16Array.from(runs) }
  if (Math.min(count, BIT_WORDS) >= runs.length) return asThey
  if (count > BIT_WORDS) return asBits([{ number: 0, ...asThey }])
  const list = new Uint16Array(count)
  let length = 0
  chunkKinds.runs.runsIn(asThey.words, 0, CHUNK_ROWS, (from, to) => {
    for (let value = from; value < to; value++) list[length++] = value
  })
  return { kind: chunkKinds.listed, words: list }
}

/** More than where any run ends: both ends of one are one number, and such numbers sort as their runs. */
const RUN_ENDS = 2 ** 17

function runsOf({ kind, words }: Chunk): number[] {
  const runs: number[] = []
  kind.runsIn(words, 0, CHUNK_ROWS, (from, to) => runs.push(from * RUN_ENDS + to))
  return runs
}
