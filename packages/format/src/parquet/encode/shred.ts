import { type Column, foldIceberg, type IcebergField, type IcebergType, invalid, typeName } from '@moulin/core'
import { primitiveType, storageOf } from '../primitive-type.ts'
import { bytesValues, type LeafValues, leafValues } from './leaf-values.ts'
import type { ScratchMemory } from './scratch.ts'

/** Some rows of one leaf, as a column chunk takes them: values without nulls, and levels that say where they belong. */
export interface LeafRows {
  readonly rowCount: number
  /** Entries of the levels: values, nulls, and empty lists. */
  readonly slotCount: number
  readonly values: LeafValues
  /** A flat column's bitmap; else, and where there are no nulls, undefined. */
  readonly validity: Uint8Array | undefined
  /** Undefined: all slots have `level`, or the bitmap tells. */
  readonly definition: Int32Array | undefined
  readonly level: number
  /** Undefined: not below a list. */
  readonly repetition: Int32Array | undefined
}

/**
 * Takes a field's column apart into its leaves, in schema order (Dremel: parquet-format, "Nested Encoding"). What a null
 * struct or list hides is not there. A missing column is all null.
 * @throws `invalid` when a storage does not fit its type, or a required field has a null.
 */
export function shredField(
  field: IcebergField,
  column: Column | undefined,
  rowCount: number,
  scratch: ScratchMemory,
): LeafRows[] {
  const { name, type, required } = field
  if (column === undefined && required) throw missing(name)
  if (typeof type === 'string') return [flatLeaf(name, type, required, column, rowCount, scratch)]
  const shredder = new Shredder(rowCount, scratch)
  const marks = scratch.ints(rowCount)
  for (let row = 0; row < rowCount; row++) marks[row] = row
  shredder.add(name, type, required, column, { marks, repetition: undefined, definition: 0, repetitionLevel: 0 })
  return shredder.leaves
}

function flatLeaf(
  path: string,
  type: string,
  required: boolean,
  column: Column | undefined,
  rowCount: number,
  scratch: ScratchMemory,
): LeafRows {
  const base = { rowCount, slotCount: rowCount, definition: undefined, repetition: undefined }
  if (column === undefined) return { ...base, values: noValues(type), validity: undefined, level: 0 }
  checkStorage(path, type, column)
  const rows = column.validity === undefined ? undefined : validRows(column.validity, rowCount, scratch)
  const hasNull = rows !== undefined && rows.length < rowCount
  if (hasNull && required)
    throw requiredNull(
      path,
      rows.findIndex((row, index) => row !== index),
    )
  const values = leafValues(path, column, hasNull ? rows : undefined, scratch)
  if (values.count === 0) return { ...base, values, validity: undefined, level: 0 }
  return { ...base, values, validity: hasNull ? column.validity : undefined, level: required ? 0 : 1 }
}

/** Where one node of the schema stands: a mark a slot, the row of its column or, below zero, `~` the level it ended at. */
interface Position {
  readonly marks: Int32Array
  readonly repetition: Int32Array | undefined
  /** Levels of what is present so far. */
  readonly definition: number
  readonly repetitionLevel: number
}

class Shredder {
  readonly leaves: LeafRows[] = []
  readonly #rowCount: number
  readonly #scratch: ScratchMemory

  constructor(rowCount: number, scratch: ScratchMemory) {
    this.#rowCount = rowCount
    this.#scratch = scratch
  }

  add(path: string, type: IcebergType, required: boolean, column: Column | undefined, above: Position): void {
    if (column !== undefined) checkStorage(path, type, column)
    const here = this.#present(path, required, column, above)
    foldIceberg<void>(type, {
      primitive: (primitive) => this.#leaf(path, primitive, column, here),
      list: (element) => {
        const below = this.#elements(path, column, here)
        const elements = column?.storage === 'list' ? column.element : undefined
        this.add(`${path}.element`, element.type, element.required, elements, below)
      },
      map: (key, value) => {
        const below = this.#elements(path, column, here)
        const entries = column?.storage === 'list' ? column.element : undefined
        if (entries !== undefined && entries.storage !== 'struct')
          throw invalid('COLUMN_STORAGE', `Column ${path} holds ${entries.storage} in its list; a map needs struct.`)
        // An entry is there with its key: it has no null of its own.
        if (entries !== undefined) this.#present(`${path}.key_value`, true, entries, below)
        this.#members(path, [key, value], entries, below)
      },
      struct: (fields) => this.#members(path, fields, column, here),
    })
  }

  #members(path: string, fields: readonly IcebergField[], column: Column | undefined, here: Position): void {
    for (const field of fields) {
      const name = `${path}.${field.name}`
      const child = column?.storage === 'struct' ? column.fields.find((entry) => entry.name === field.name) : undefined
      if (child === undefined && field.required && column !== undefined) throw missing(name)
      if (child !== undefined && child.column.length < column!.length) throw tooShort(name)
      this.add(name, field.type, field.required, child?.column, here)
    }
  }

  /** Ends the slots where this node is null. */
  #present(path: string, required: boolean, column: Column | undefined, above: Position): Position {
    const { marks, definition } = above
    const next = required ? above : { ...above, definition: definition + 1 }
    if (column !== undefined && column.validity === undefined) return next
    const validity = column?.validity
    const ended = this.#scratch.ints(marks.length)
    for (let slot = 0; slot < marks.length; slot++) {
      const row = marks[slot]!
      const isThere = row < 0 || (validity !== undefined && (validity[row >> 3]! & (1 << (row & 7))) !== 0)
      if (!isThere && required && column !== undefined) throw requiredNull(path, row)
      ended[slot] = isThere ? row : ~definition
    }
    return { ...next, marks: ended }
  }

  /** One slot an element; a list that is absent or empty keeps one. */
  #elements(path: string, column: Column | undefined, list: Position): Position {
    const { marks, repetition, definition } = list
    const repetitionLevel = list.repetitionLevel + 1
    const below = { definition: definition + 1, repetitionLevel }
    if (column?.storage !== 'list') {
      const levels = repetition ?? this.#scratch.ints(marks.length).fill(0)
      return { ...below, marks, repetition: levels }
    }
    const { offsets, element } = column
    if (offsets.length <= column.length) throw tooShort(path)
    let slots = 0
    for (let slot = 0; slot < marks.length; slot++) {
      const row = marks[slot]!
      if (row < 0) slots++
      else {
        const size = offsets[row + 1]! - offsets[row]!
        if (size < 0 || offsets[row]! < 0 || offsets[row + 1]! > element.length) throw tooShort(path)
        slots += size === 0 ? 1 : size
      }
    }
    const nextMarks = this.#scratch.ints(slots)
    const nextRepetition = this.#scratch.ints(slots)
    let at = 0
    for (let slot = 0; slot < marks.length; slot++) {
      const row = marks[slot]!
      const first = repetition === undefined ? 0 : repetition[slot]!
      const start = row < 0 ? 0 : offsets[row]!
      const end = row < 0 ? 0 : offsets[row + 1]!
      nextRepetition[at] = first
      if (start === end) {
        nextMarks[at++] = row < 0 ? row : ~definition
        continue
      }
      nextMarks[at++] = start
      for (let child = start + 1; child < end; child++) {
        nextRepetition[at] = repetitionLevel
        nextMarks[at++] = child
      }
    }
    return { ...below, marks: nextMarks, repetition: nextRepetition }
  }

  #leaf(path: string, type: string, column: Column | undefined, here: Position): void {
    const { marks, repetition, definition: maxLevel } = here
    const slotCount = marks.length
    const definition = this.#scratch.ints(slotCount)
    const rows = this.#scratch.ints(slotCount)
    let count = 0
    for (let slot = 0; slot < slotCount; slot++) {
      const row = marks[slot]!
      definition[slot] = row < 0 ? ~row : maxLevel
      if (row >= 0) rows[count++] = row
    }
    const isWhole = count === slotCount && column !== undefined && count === column.length && isIdentity(rows, count)
    const taken = isWhole ? undefined : rows.subarray(0, count)
    const values = column === undefined ? noValues(type) : leafValues(path, column, taken, this.#scratch)
    const base = { rowCount: this.#rowCount, slotCount, values, validity: undefined, repetition }
    // Where all is there, one run says so.
    this.leaves.push({ ...base, definition: count === slotCount ? undefined : definition, level: maxLevel })
  }
}

function isIdentity(rows: Int32Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (rows[i] !== i) return false
  return true
}

/** The rows that have a value. */
function validRows(validity: Uint8Array, length: number, scratch: ScratchMemory): Int32Array {
  const rows = scratch.ints(length)
  let count = 0
  for (let row = 0; row < length; row += 8) {
    const byte = validity[row >> 3]!
    const end = Math.min(row + 8, length)
    if (byte === 0xff) for (let i = row; i < end; i++) rows[count++] = i
    else for (let i = row; i < end; i++) if ((byte & (1 << (i & 7))) !== 0) rows[count++] = i
  }
  return rows.subarray(0, count)
}

function checkStorage(path: string, type: IcebergType, column: Column): void {
  const wanted = typeof type === 'string' ? storageOf(primitiveType(type)) : nestedStorage(type)
  const width = column.storage === 'fixed' ? column.width : undefined
  if (column.storage === wanted.storage && width === wanted.width) return
  const [has, needs] = [column.storage + (width ?? ''), wanted.storage + (wanted.width ?? '')]
  throw invalid('COLUMN_STORAGE', `Column ${path} holds ${has}; the type ${typeName(type)} needs ${needs}.`)
}

function nestedStorage(type: Exclude<IcebergType, string>): { storage: 'list' | 'struct'; width?: number } {
  return { storage: type.type === 'struct' ? 'struct' : 'list' }
}

function noValues(type: string): LeafValues {
  const count = 0
  switch (storageOf(primitiveType(type)).storage) {
    case 'bool':
      return { kind: 'boolean', count, values: new Uint8Array(0) }
    case 'int32':
      return { kind: 'int32', count, values: new Int32Array(0) }
    case 'int64':
      return { kind: 'int64', count, halves: new Int32Array(0) }
    case 'float32':
      return { kind: 'float', count, values: new Float32Array(0) }
    case 'float64':
      return { kind: 'double', count, values: new Float64Array(0) }
    case 'fixed':
      return { kind: 'fixed', count, width: 0, bytes: new Uint8Array(0) }
    default:
      return bytesValues(type, new Uint8Array(0), new Int32Array(0), new Int32Array(0), count)
  }
}

function missing(path: string): Error {
  return invalid('REQUIRED_NULL', `Column ${path} is required and missing from the batch.`, {
    context: { column: path },
  })
}

function requiredNull(path: string, row: number): Error {
  return invalid('REQUIRED_NULL', `Column ${path} is required and has a null in row ${row}.`, {
    context: { column: path },
  })
}

function tooShort(path: string): Error {
  return invalid('COLUMN_LENGTH', `Column ${path} has fewer values than its parent refers to.`)
}
