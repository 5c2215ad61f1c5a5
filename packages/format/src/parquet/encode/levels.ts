import type { Leaf } from '../parquet-schema.ts'
import type { BytesValues } from './leaf-values.ts'
import type { PageBuffer } from './page-buffer.ts'
import { writeRun, writeRuns, writeValidity } from './rle-encoder.ts'
import type { LeafRows } from './shred.ts'

/** Some slots of a leaf and the values among them: what becomes one page. */
export interface Cut {
  readonly slotEnd: number
  readonly valueEnd: number
  readonly rowCount: number
}

/** Rows at which a page ends, whatever its bytes: what one needle costs at most (parquet-java's default, too). */
export const maxPageRows = 20_000

/**
 * Where the page that begins at `slot` and `value` ends: at a row, before `maxValue`, and about when its values have
 * `maxBytes`. `width` is the size of a value, undefined for strings. No rows: the first one reaches over `maxValue`.
 */
export function cutPage(
  rows: LeafRows,
  slot: number,
  value: number,
  maxValue: number,
  width: number | undefined,
  maxBytes: number,
): Cut {
  const { slotCount, values } = rows
  if (values.count === slotCount && rows.repetition === undefined && width !== undefined) {
    const fitting = Math.max(1, Math.floor(maxBytes / width))
    const count = Math.min(maxPageRows, fitting >= 8 ? fitting & ~7 : fitting, maxValue - value)
    return { slotEnd: slot + count, valueEnd: value + count, rowCount: count }
  }
  if (values.kind === 'bytes' && values.isContiguous && values.count === slotCount && rows.repetition === undefined) {
    const count = fittingStrings(values, value, Math.min(maxValue, value + maxPageRows), maxBytes)
    return { slotEnd: slot + count, valueEnd: value + count, rowCount: count }
  }
  return walk(rows, slot, value, maxValue, width, maxBytes)
}

/** How many strings from `value` on, and before `end`, it takes to reach `maxBytes`. */
function fittingStrings({ starts, ends }: BytesValues, value: number, end: number, maxBytes: number): number {
  const start = starts[value]!
  let low = value
  let high = end - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (ends[middle]! - start + 4 * (middle + 1 - value) >= maxBytes) high = middle
    else low = middle + 1
  }
  return low + 1 - value
}

function walk(
  rows: LeafRows,
  slot: number,
  value: number,
  maxValue: number,
  width: number | undefined,
  maxBytes: number,
): Cut {
  const { slotCount, values, repetition, definition, validity, level } = rows
  const isWhole = values.count === slotCount
  const strings = width === undefined && values.kind === 'bytes' ? values : undefined
  let size = 0
  let rowCount = 0
  let rowSlot = slot
  let rowValue = value
  let valueEnd = value
  for (let at = slot; at < slotCount; at++) {
    if (repetition === undefined || repetition[at] === 0) {
      if (rowCount === maxPageRows || size >= maxBytes) return { slotEnd: at, valueEnd, rowCount }
      rowSlot = at
      rowValue = valueEnd
      rowCount++
    }
    const isValue =
      isWhole ||
      (definition !== undefined
        ? definition[at] === level
        : validity !== undefined && (validity[at >> 3]! & (1 << (at & 7))) !== 0)
    if (!isValue) continue
    if (valueEnd === maxValue) return { slotEnd: rowSlot, valueEnd: rowValue, rowCount: rowCount - 1 }
    size += strings !== undefined ? 4 + strings.ends[valueEnd]! - strings.starts[valueEnd]! : (width ?? 0)
    valueEnd++
  }
  return { slotEnd: slotCount, valueEnd, rowCount }
}

/** Slots by level, as size statistics have them. Empty where there is but one level. */
export interface LevelCounts {
  readonly repetition: number[]
  readonly definition: number[]
}

export function noLevels(leaf: Leaf): LevelCounts {
  const counts = (max: number): number[] => (max === 0 ? [] : new Array<number>(max + 1).fill(0))
  return { repetition: counts(leaf.maxRepetition), definition: counts(leaf.maxDefinition) }
}

/** Counts slots `[from, to)`, `valueCount` of which are values. */
export function countLevels(
  rows: LeafRows,
  leaf: Leaf,
  from: number,
  to: number,
  valueCount: number,
  counts: LevelCounts,
): void {
  const { definition, repetition, level } = rows
  if (repetition !== undefined) for (let i = from; i < to; i++) counts.repetition[repetition[i]!]!++
  if (leaf.maxDefinition === 0) return
  if (definition !== undefined) {
    for (let i = from; i < to; i++) counts.definition[definition[i]!]!++
  } else if (rows.validity !== undefined) {
    counts.definition[1]! += valueCount
    counts.definition[0]! += to - from - valueCount
  } else counts.definition[level]! += to - from
}

/** Sizes of the levels in a page, with the length that stands before them in version 1. */
export interface LevelBytes {
  readonly repetitionBytes: number
  readonly definitionBytes: number
}

/** Repetition and definition levels of slots `[from, to)`, `valueCount` of which are values. */
export function writeLevels(
  out: PageBuffer,
  rows: LeafRows,
  leaf: Leaf,
  from: number,
  to: number,
  valueCount: number,
  pageVersion: 1 | 2,
): LevelBytes {
  const { maxRepetition, maxDefinition } = leaf
  const repetitionBytes = framed(out, maxRepetition, pageVersion, () => {
    writeRuns(out, rows.repetition!, from, to, bitWidth(maxRepetition))
  })
  const definitionBytes = framed(out, maxDefinition, pageVersion, () => {
    const width = bitWidth(maxDefinition)
    if (valueCount === to - from) writeRun(out, maxDefinition, to - from, width)
    else if (rows.definition !== undefined) writeRuns(out, rows.definition, from, to, width)
    else if (rows.validity !== undefined && valueCount > 0) writeValidity(out, rows.validity, from, to)
    else writeRun(out, rows.validity !== undefined ? 0 : rows.level, to - from, width)
  })
  return { repetitionBytes, definitionBytes }
}

function framed(out: PageBuffer, maxLevel: number, pageVersion: 1 | 2, write: () => void): number {
  if (maxLevel === 0) return 0
  const start = out.length
  if (pageVersion === 1) out.int32(0)
  write()
  if (pageVersion === 1) out.view.setInt32(start, out.length - start - 4, true)
  return out.length - start
}

function bitWidth(maxLevel: number): number {
  return 32 - Math.clz32(maxLevel)
}
