import { type Column, corrupt } from '@moulin/core'
import { giveBackRest } from '../../bytes/give-back.ts'
import { castColumn } from './cast.ts'
import type { DenseValues } from './dense-values.ts'
import type { LeafChunk, LeafData, RowRange } from './leaf-decoder.ts'
import { countOf, countOnes, sliceBits } from './levels.ts'
import { defaultColumn } from './default-column.ts'
import { nullColumn } from './null-column.ts'
import { physicalColumn } from './physical-column.ts'
import type { FieldConversion, LeafConversion, ListConversion, StructConversion } from './field-conversion.ts'

/** The rows of a flat column. @throws `corrupt` when they are not all there. */
export function flatColumn(conversion: LeafConversion, chunk: LeafChunk, data: LeafData, rows: RowRange): Column {
  const { values, slots, validity, firstRow } = data
  const start = rows.start - firstRow
  const end = rows.end - firstRow
  if (start < 0 || end > slots || values === undefined) throw missingRows()
  const length = end - start
  let column: Column
  if (validity === undefined) column = physicalColumn(values, chunk.physicalType, start, end, undefined, length)
  else {
    const from = countOnes(validity, 0, start)
    const to = from + countOnes(validity, start, end)
    const bits = to - from === length ? undefined : sliceBits(validity, start, end)
    column = physicalColumn(values, chunk.physicalType, from, to, bits, length)
  }
  const made = castColumn(column, conversion)
  // A page has many more rows than are often asked for.
  giveBackRest(values.memory(), memoryOf(made))
  return made
}

function memoryOf(column: Column): readonly ArrayBufferLike[] {
  if (column.storage === 'bytes') return [column.data.buffer, column.starts.buffer, column.ends.buffer]
  return 'values' in column ? [column.values.buffer] : []
}

/** The entries of a dictionary. */
export function dictionaryColumn(conversion: LeafConversion, chunk: LeafChunk, values: DenseValues): Column {
  const { count } = values
  return castColumn(physicalColumn(values, chunk.physicalType, 0, count, undefined, count), conversion)
}

/** The levels of one leaf, for the wanted rows only, and which of its values are theirs. */
interface NestedLeaf {
  readonly chunk: LeafChunk
  readonly repetition: Uint8Array
  readonly definition: Uint8Array
  readonly values: DenseValues | undefined
  readonly firstValue: number
}

/**
 * The rows of a column with levels: each leaf's slots say, for every list and struct above it, where one begins and
 * whether it is null, empty or neither.
 *
 * Spec: parquet-format, "Nested Encoding" (Dremel).
 * @throws `corrupt` when leaves disagree, or rows are not there.
 */
export function nestedColumn(
  conversion: FieldConversion,
  leaves: readonly { readonly chunk: LeafChunk; readonly data: LeafData }[],
  rows: RowRange,
): Column {
  const cut = new Map(leaves.map(({ chunk, data }) => [chunk.leaf, rowsOf(chunk, data, rows)]))
  const column = assemble(conversion, cut, 0, 0)
  if (column.length !== rows.end - rows.start) throw missingRows()
  return column
}

function rowsOf(chunk: LeafChunk, { levels, values }: LeafData, rows: RowRange): NestedLeaf {
  if (levels === undefined) throw missingRows()
  const { repetition, definition } = levels
  const { maxDefinition } = chunk
  // A page may begin within a row only after a page that is there as well.
  if (definition.length > 0 && repetition[0] !== 0) throw badLevels('begin within a row')
  const [start, firstValue] = slotOf(levels, 0, rows.start - chunk.rows.start, maxDefinition)
  const [end] = slotOf(levels, start, rows.end - rows.start, maxDefinition)
  const rowCount = chunk.rows.end - chunk.rows.start
  if (countOf(repetition, 0, repetition.length, 0) !== rowCount) throw badLevels(`do not make ${rowCount} rows`)
  return {
    chunk,
    repetition: repetition.subarray(start, end),
    definition: definition.subarray(start, end),
    values,
    firstValue,
  }
}

/** The slot where the `rows`th row from slot `at` on begins, and the values in between. */
function slotOf(
  { repetition, definition }: NonNullable<LeafData['levels']>,
  at: number,
  rows: number,
  maxDefinition: number,
): [slot: number, values: number] {
  let values = 0
  for (let left = rows; at < repetition.length; at++) {
    if (repetition[at] === 0 && left-- === 0) break
    if (definition[at] === maxDefinition) values++
  }
  return [at, values]
}

type Leaves = ReadonlyMap<number, NestedLeaf>

/** `entry` is the definition level from which on there is an entry of the nearest list above, `depth` how many lists. */
function assemble(conversion: FieldConversion, leaves: Leaves, entry: number, depth: number): Column {
  switch (conversion.kind) {
    case 'leaf':
      return leafColumn(conversion, leaves, entry)
    case 'struct':
      return structColumn(conversion, leaves, entry, depth)
    case 'list':
      return listColumn(conversion, leaves, entry, depth)
  }
}

function leafColumn(conversion: LeafConversion, leaves: Leaves, entry: number): Column {
  const { chunk, definition, values, firstValue } = leaves.get(conversion.leaf)!
  const { maxDefinition, physicalType } = chunk
  const bits = new Bits(definition.length)
  for (let i = 0; i < definition.length; i++) if (definition[i]! >= entry) bits.push(definition[i] === maxDefinition)
  const column = physicalColumn(values!, physicalType, firstValue, firstValue + bits.ones, bits.finish(), bits.length)
  return castColumn(column, conversion)
}

function structColumn(conversion: StructConversion, leaves: Leaves, entry: number, depth: number): Column {
  const { level } = conversion
  const { repetition, definition } = leaves.get(conversion.shape)!
  const bits = new Bits(definition.length)
  for (let i = 0; i < definition.length; i++)
    if (repetition[i]! <= depth && definition[i]! >= entry) bits.push(definition[i]! >= level)
  const { length } = bits
  const fields = conversion.fields.map((member) => {
    const { name, conversion: below } = member
    const column = below === undefined ? defaultColumn(member, length) : assemble(below, leaves, entry, depth)
    if (column.length !== length) throw badLevels('disagree')
    return { name, column }
  })
  return { storage: 'struct', length, validity: bits.finish(), fields }
}

function listColumn(conversion: ListConversion, leaves: Leaves, entry: number, depth: number): Column {
  const { level, entryLevel } = conversion
  const { repetition, definition } = leaves.get(conversion.shape)!
  const bits = new Bits(definition.length)
  const offsets = new Int32Array(definition.length + 1)
  let entries = 0
  for (let i = 0; i < definition.length; i++) {
    const slot = definition[i]!
    if (slot < entry || repetition[i]! > depth + 1) continue
    if (repetition[i]! <= depth) {
      offsets[bits.length] = entries
      bits.push(slot >= level)
    }
    if (slot >= entryLevel) entries++
  }
  const { length } = bits
  offsets[length] = entries
  const element =
    conversion.element === undefined
      ? nullColumn(conversion.type, entries)
      : assemble(conversion.element, leaves, entryLevel, depth + 1)
  if (element.length !== entries) throw badLevels('disagree')
  const own = offsets.length > 2 * length + 64 ? offsets.slice(0, length + 1) : offsets.subarray(0, length + 1)
  return { storage: 'list', length, validity: bits.finish(), offsets: own, element }
}

/** A validity bitmap, row after row. */
class Bits {
  readonly #bits: Uint8Array
  length = 0
  ones = 0

  constructor(capacity: number) {
    this.#bits = new Uint8Array((capacity + 7) >> 3)
  }

  push(isOne: boolean): void {
    if (isOne) {
      this.#bits[this.length >> 3]! |= 1 << (this.length & 7)
      this.ones++
    }
    this.length++
  }

  /** Undefined when all are set, as columns want it. */
  finish(): Uint8Array | undefined {
    return this.ones === this.length ? undefined : this.#bits.slice(0, (this.length + 7) >> 3)
  }
}

function missingRows(): Error {
  return corrupt('PARQUET_ROWS', 'Its pages do not hold the rows that its indexes say.')
}

function badLevels(how: string): Error {
  return corrupt('PARQUET_LEVELS', `The levels of its pages ${how}.`)
}
