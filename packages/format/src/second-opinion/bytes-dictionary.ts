import type { BytesColumn } from '@moulin/core'

/** The distinct values of a column and, per row, which one it has (a null's slot holds anything). */
export interface BytesDictionary {
  readonly entries: readonly Uint8Array[]
  readonly indexes: Int32Array
}

const maxEntries = 1 << 16
const maxEntryBytes = 1 << 20
const maxProbes = 64
/** After so many rows a column that hardly repeats is given up: what follows would be wasted hashing. */
const sampleRows = 8192

/**
 * Finds the distinct values, or undefined when a dictionary would not halve the bytes. One hash and one probe a row, no
 * object but one an entry: a value that repeats is the same object, which hyparquet-writer then knows by identity.
 */
export function bytesDictionary(column: BytesColumn): BytesDictionary | undefined {
  const { data, starts, ends, validity, length } = column
  let slots = new Int32Array(1024).fill(-1)
  let mask = slots.length - 1
  const firstRows: number[] = []
  const hashes: number[] = []
  const indexes = new Int32Array(length)
  let entryBytes = 0
  let totalBytes = 0
  let seen = 0

  for (let row = 0; row < length; row++) {
    if (validity !== undefined && (validity[row >> 3]! & (1 << (row & 7))) === 0) continue
    const start = starts[row]!
    const size = ends[row]! - start
    const hash = hashOf(data, start, size)
    seen++
    totalBytes += size + 4
    let slot = hash & mask
    for (let probes = 0; ; probes++) {
      // Values made to collide would turn the search quadratic.
      if (probes === maxProbes) return undefined
      const entry = slots[slot]!
      if (entry === -1) {
        if (firstRows.length === maxEntries || (entryBytes += size + 4) > maxEntryBytes) return undefined
        slots[slot] = indexes[row] = firstRows.length
        firstRows.push(row)
        hashes.push(hash)
        break
      }
      if (hashes[entry] === hash && isSame(data, start, size, starts[firstRows[entry]!]!, ends[firstRows[entry]!]!)) {
        indexes[row] = entry
        break
      }
      slot = (slot + 1) & mask
    }
    if (firstRows.length * 2 > slots.length) {
      slots = new Int32Array(slots.length * 4).fill(-1)
      mask = slots.length - 1
      for (let entry = 0; entry < hashes.length; entry++) {
        let free = hashes[entry]! & mask
        while (slots[free] !== -1) free = (free + 1) & mask
        slots[free] = entry
      }
    }
    if (seen === sampleRows && firstRows.length > sampleRows * 0.7) return undefined
  }

  const indexBytes = (seen * Math.ceil(Math.log2(Math.max(1, firstRows.length)))) / 8
  if (2 * (entryBytes + indexBytes) > totalBytes) return undefined
  return { entries: firstRows.map((row) => data.subarray(starts[row], ends[row])), indexes }
}

// FNV-1a; values beyond 64 bytes by their ends and length, the comparison settles the rest.
function hashOf(data: Uint8Array, start: number, size: number): number {
  let hash = 0x811c9dc5 ^ size
  const head = Math.min(size, 32)
  for (let i = start; i < start + head; i++) hash = Math.imul(hash ^ data[i]!, 0x01000193)
  for (let i = Math.max(start + head, start + size - 32); i < start + size; i++)
    hash = Math.imul(hash ^ data[i]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

function isSame(data: Uint8Array, start: number, size: number, otherStart: number, otherEnd: number): boolean {
  if (otherEnd - otherStart !== size) return false
  for (let i = 0; i < size; i++) if (data[start + i] !== data[otherStart + i]) return false
  return true
}
