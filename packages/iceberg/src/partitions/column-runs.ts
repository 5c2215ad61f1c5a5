import { isValid, type Column, type IcebergType } from '@moulin/core'
import type { Transform } from './transform.ts'

/**
 * Where the rows from `row` on stop being known to have one partition value: after `row`, at most the column's length.
 * The value behind it may still be the same. It makes no object and no bigint, so that a batch whose rows all go to one
 * partition costs a comparison a row.
 */
export type ColumnRuns = (column: Column, row: number) => number

const MICROS_PER_HOUR = 3_600_000_000
const TWO_TO_32 = 4_294_967_296

/** Goes with `columnTransformer` of the same transform and type. */
export function columnRuns(transform: Transform, source: IcebergType): ColumnRuns {
  if (transform.kind === 'void') return (column) => column.length
  const isTime = source === 'timestamp' || source === 'timestamptz'
  switch (transform.kind) {
    case 'hour':
      return isTime ? timeRuns(MICROS_PER_HOUR) : equalRuns
    case 'day':
    case 'month':
    case 'year':
      return isTime ? timeRuns(24 * MICROS_PER_HOUR) : equalRuns
    default:
      return equalRuns
  }
}

/** Rows whose microseconds lie in the same span of `micros`. */
function timeRuns(micros: number): ColumnRuns {
  return (column, row) => {
    if (column.storage !== 'int64') return row + 1
    if (!isValid(column, row)) return nullRun(column, row)
    const { validity, length } = column
    const halves = new Int32Array(column.values.buffer, column.values.byteOffset, column.values.length * 2)
    const first = halves[row * 2 + 1]! * TWO_TO_32 + (halves[row * 2]! >>> 0)
    if (!Number.isSafeInteger(first)) return equalRuns(column, row)
    const from = Math.floor(first / micros) * micros
    const to = from + micros
    let end = row + 1
    for (; end < length; end++) {
      const value = halves[end * 2 + 1]! * TWO_TO_32 + (halves[end * 2]! >>> 0)
      if (value < from || value >= to) break
      if (validity !== undefined && (validity[end >> 3]! & (1 << (end & 7))) === 0) break
    }
    return end
  }
}

/** Rows that are equal to the first one. */
function equalRuns(column: Column, row: number): number {
  if (!isValid(column, row)) return nullRun(column, row)
  const isSame = sameAs(column, row)
  let end = row + 1
  while (end < column.length && isValid(column, end) && isSame(end)) end++
  return end
}

function nullRun(column: Column, row: number): number {
  let end = row + 1
  while (end < column.length && !isValid(column, end)) end++
  return end
}

function sameAs(column: Column, row: number): (other: number) => boolean {
  switch (column.storage) {
    case 'int64': {
      const halves = new Int32Array(column.values.buffer, column.values.byteOffset, column.values.length * 2)
      const low = halves[row * 2]
      const high = halves[row * 2 + 1]
      return (other) => halves[other * 2] === low && halves[other * 2 + 1] === high
    }
    case 'bytes': {
      const { data, starts, ends } = column
      return (other) => sameBytes(data, starts[row]!, ends[row]!, starts[other]!, ends[other]!)
    }
    case 'fixed': {
      const { values, width } = column
      return (other) => sameBytes(values, row * width, (row + 1) * width, other * width, (other + 1) * width)
    }
    case 'list':
    case 'struct':
      return () => false
    default: {
      const { values } = column
      const value = values[row]
      return (other) => Object.is(values[other], value)
    }
  }
}

function sameBytes(data: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false
  for (let at = start, other = otherStart; at < end; at++, other++) if (data[at] !== data[other]) return false
  return true
}
