import { type Column, foldIceberg, type IcebergField, type IcebergType, isValid } from '@moulin/core'
import { type FileNode, listShape } from '../parquet/file-node.ts'
import { neutralName } from '../parquet/parquet-schema.ts'
import { primitiveType } from '../parquet/primitive-type.ts'
import type { PhysicalGroup, PhysicalValue } from './second-reader.ts'
import { bigEndian, printedStored, sameStored, type Stored } from './stored-value.ts'

/** Where two values part, and what each is there. */
export interface Flaw {
  /** From the value down, as `[2].key`; empty for the value itself. */
  readonly path: string
  readonly ours: string
  readonly theirs: string
}

/** Compares our value at a row of the column with theirs: null is null, NaN is NaN, −0 is not 0, all else to the bit. */
export type Comparer = (row: number, theirs: PhysicalValue) => Flaw | undefined

/** @param node What the column was read from; its own repetition, if any, makes it a list. */
export function valueComparer(type: IcebergType, node: FileNode, column: Column): Comparer {
  if (typeof type === 'object' && type.type === 'list') {
    const { repeated, element } = listShape(node)!
    const items = comparerOf(type.element, element, listOf(column).element)
    const compare: Comparer = (row, theirs) => {
      const group = repeated === node ? theirs : member(theirs, 0)
      const lists = ((group as readonly PhysicalValue[] | null | undefined) ?? []).map((item) =>
        element === repeated ? item : member(item, 0),
      )
      return itemsFlaw(listOf(column), row, lists, items)
    }
    // Without a group around it a list is never null; hyparquet has no other word for one that is empty.
    return repeated === node ? compare : orNull(column, compare)
  }
  return comparerOf(type, node, column)
}

/** The same where a list around the node has seen to its repetition. */
function comparerOf(type: IcebergType, node: FileNode, column: Column): Comparer {
  return foldIceberg<Comparer>(type, {
    primitive: (primitive) => leafComparer(primitive, node, column),
    list: () => valueComparer(type, node, column),
    map(key, value) {
      const items = structComparer([key, value], node.children[0]!, listOf(column).element)
      return orNull(column, (row, theirs) =>
        itemsFlaw(listOf(column), row, (member(theirs, 0) ?? []) as readonly PhysicalValue[], items),
      )
    },
    struct: (fields) => structComparer(fields, node, column),
  })
}

type ListColumn = Extract<Column, { readonly storage: 'list' }>

function listOf(column: Column): ListColumn {
  return column as ListColumn
}

function member(group: PhysicalValue, index: number): PhysicalValue {
  return (group as PhysicalGroup | null | undefined)?.[neutralName(index)]
}

function itemsFlaw(
  { offsets }: ListColumn,
  row: number,
  theirs: readonly PhysicalValue[],
  items: Comparer,
): Flaw | undefined {
  const start = offsets[row]!
  const length = offsets[row + 1]! - start
  if (length !== theirs.length) return { path: '', ours: `${length} entries`, theirs: `${theirs.length} entries` }
  for (let index = 0; index < length; index++) {
    const flaw = items(start + index, theirs[index])
    if (flaw !== undefined) return { ...flaw, path: `[${index}]${flaw.path}` }
  }
  return undefined
}

function structComparer(members: readonly IcebergField[], node: FileNode, column: Column): Comparer {
  const { fields } = column as Extract<Column, { readonly storage: 'struct' }>
  const compares = members.map(({ type }, index) => valueComparer(type, node.children[index]!, fields[index]!.column))
  return orNull(column, (row, theirs) => {
    for (const [index, compare] of compares.entries()) {
      const flaw = compare(row, member(theirs, index))
      if (flaw !== undefined) return { ...flaw, path: `.${fields[index]!.name}${flaw.path}` }
    }
    return undefined
  })
}

function orNull(column: Column, compare: Comparer): Comparer {
  return (row, theirs) => {
    const hasOurs = isValid(column, row)
    const hasTheirs = theirs !== null && theirs !== undefined
    if (hasOurs && hasTheirs) return compare(row, theirs)
    if (hasOurs === hasTheirs) return undefined
    const told = (has: boolean): string => (has ? 'a value' : 'null')
    return { path: '', ours: told(hasOurs), theirs: told(hasTheirs) }
  }
}

function leafComparer(type: string, node: FileNode, column: Column): Comparer {
  const ours = ownValue(type, column)
  const meant = meaningOf(type, node)
  return (row, value) => {
    const mine = isValid(column, row) ? ours(row) : null
    const theirs = value === null || value === undefined ? null : meant(value as Stored)
    if (sameStored(mine, theirs)) return undefined
    return { path: '', ours: printedStored(type, mine, theirs), theirs: printedStored(type, theirs, mine) }
  }
}

/** As stored: integers, days, times and unscaled decimals as number or bigint; strings and all that is bytes as bytes. */
function ownValue(type: string, column: Column): (row: number) => Stored {
  switch (column.storage) {
    case 'bool':
      return (row) => column.values[row] === 1
    case 'bytes':
      return (row) => column.data.subarray(column.starts[row], column.ends[row])
    case 'fixed': {
      const { width, values } = column
      const bytes = (row: number): Uint8Array => values.subarray(row * width, (row + 1) * width)
      return primitiveType(type).kind === 'decimal' ? (row) => bigEndian(bytes(row)) : bytes
    }
    default:
      return (row) => (column as Extract<Column, { readonly storage: 'int32' }>).values[row]!
  }
}

/** What a value of the file's physical type is as the type: said here once more, apart from our reader's own casts. */
function meaningOf(type: string, { element: { type: physical, annotation } }: FileNode): (value: Stored) => Stored {
  const { kind } = primitiveType(type)
  if (kind === 'decimal') return (value) => (value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number))
  // INT96 comes as nanoseconds; our reader cuts them down to microseconds.
  if (physical === 'INT96') return (value) => ((value as bigint) - mod(value as bigint, 1000n)) / 1000n
  const isMillis = (annotation.kind === 'time' || annotation.kind === 'timestamp') && annotation.unit === 'MILLIS'
  if (isMillis) return (value) => BigInt(value as number | bigint) * 1000n
  if (kind === 'long' && physical === 'INT32') return (value) => BigInt((value as number) >>> 0)
  if (kind === 'long') return (value) => BigInt.asIntN(64, value as bigint)
  return (value) => value
}

function mod(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by
}
