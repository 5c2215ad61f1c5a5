import { crc32cOf, crc32cTables } from './crc32c.ts'
import { checksumPairs, wasm, type ChecksumPairs } from './crc32c-wasm.ts'

/** From this mean length on, a native call each is as fast. */
const NATIVE_FROM_BYTES = 1024
const PAGE_BYTES = 64 * 1024
/** Ranges of one call, and bytes from the first one's start to the last one's end. */
const MAX_RANGES = 1024
const MAX_BYTES = 256 * 1024
const SLICES = 16

/**
 * Continues each `sums[i]`, in place, by the range `[starts[i], ends[i])` of `bytes`: CRC32C as signed ints, 0 where a sum
 * begins. Many short records at the cost of one call; ranges that rise and lie near each other are fastest.
 */
export function crc32cRanges(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  length: number,
  sums: Int32Array,
): void {
  const shared = scratch()
  for (let from = 0; from < length;) {
    const first = starts[from]!
    let end = first
    let to = from
    while (to < length && to - from < MAX_RANGES && starts[to]! >= first && ends[to]! - first <= MAX_BYTES) {
      end = Math.max(end, ends[to++]!)
    }
    if (shared === undefined || to === from || end - first >= (to - from) * NATIVE_FROM_BYTES) {
      to = Math.max(to, from + 1)
      for (let at = from; at < to; at++) sums[at] = crc32cOf(bytes, starts[at]!, ends[at]!, sums[at])
    } else {
      shared.bytes.set(bytes.subarray(first, end), DATA)
      inScratch(shared, starts, ends, from, to, sums)
    }
    from = to
  }
}

interface Scratch {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly pairs: ChecksumPairs
}

const TABLES = 0
const STARTS = TABLES + SLICES * 1024
const ENDS = STARTS + MAX_RANGES * 4
const SUMS = ENDS + MAX_RANGES * 4
const DATA = SUMS + MAX_RANGES * 4

// The bytes lie in the scratch memory already.
function inScratch(
  { words, pairs }: Scratch,
  starts: Int32Array,
  ends: Int32Array,
  from: number,
  to: number,
  sums: Int32Array,
): void {
  const first = starts[from]!
  const count = to - from
  for (let at = 0; at < count; at++) {
    words[STARTS / 4 + at] = starts[from + at]! - first + DATA
    words[ENDS / 4 + at] = ends[from + at]! - first + DATA
    words[SUMS / 4 + at] = sums[from + at]!
  }
  // The partner of an odd last one is empty.
  if ((count & 1) === 1) words[STARTS / 4 + count] = words[ENDS / 4 + count] = DATA
  pairs(STARTS, ENDS, (count + 1) >> 1, SUMS)
  for (let at = 0; at < count; at++) sums[from + at] = words[SUMS / 4 + at]!
}

let made: Scratch | undefined
let isMade = false

// Made when first needed; undefined where there is no WebAssembly (`--jitless`).
function scratch(): Scratch | undefined {
  if (isMade) return made
  isMade = true
  if (wasm === undefined) return undefined
  const memory = new wasm.Memory({ initial: Math.ceil((DATA + MAX_BYTES) / PAGE_BYTES) })
  const words = new Int32Array(memory.buffer)
  words.set(crc32cTables(SLICES), TABLES / 4)
  made = { bytes: new Uint8Array(memory.buffer), words, pairs: checksumPairs(wasm, memory) }
  return made
}
