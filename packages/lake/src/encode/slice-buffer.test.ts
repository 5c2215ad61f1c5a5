import { Arena, builderFor, isValid, t } from '@moulin/core'
import type { BytesColumn, Column, ColumnBatch, ColumnBuilder, Type } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { valueReader } from '../scan/column-values.ts'
import { batchBytes, SliceBuffer } from './slice-buffer.ts'

const types = {
  bool: t.boolean.optional(),
  int: t.int.optional(),
  long: t.long.optional(),
  double: t.double.optional(),
  text: t.string.optional(),
  id: t.fixed(3).optional(),
  tags: t.list(t.struct({ name: t.string, rank: t.int.optional() }).optional()).optional(),
}

const text = fc.string({ unit: 'grapheme', maxLength: 6 })
const row = fc.record({
  bool: fc.option(fc.boolean()),
  int: fc.option(fc.integer()),
  long: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  double: fc.option(fc.double()),
  text: fc.option(text),
  id: fc.option(fc.uint8Array({ minLength: 3, maxLength: 3 })),
  tags: fc.option(fc.array(fc.option(fc.record({ name: text, rank: fc.option(fc.integer()) })), { maxLength: 3 })),
})
type Row = Record<keyof typeof types, unknown>

function append(builder: ColumnBuilder, value: unknown): void {
  if (value === null || value === undefined) return builder.appendNull()
  switch (builder.storage) {
    case 'list':
      for (const element of value as unknown[]) append(builder.element, element)
      return builder.append()
    case 'struct':
      for (const { name, builder: field } of builder.fields) append(field, (value as Record<string, unknown>)[name])
      return builder.append()
    case 'bytes':
      return builder.append(Buffer.from(value as string))
    default:
      return (builder.append as (value: unknown) => void)(value)
  }
}

function batchOf(rows: readonly Row[], arena: Arena): ColumnBatch {
  const columns = Object.entries(types).map(([name, type]) => {
    const builder = builderFor(type as Type, arena)
    for (const values of rows) append(builder, values[name as keyof Row])
    return { name, column: builder.view() }
  })
  return { length: rows.length, columns }
}

function rowsOf({ columns, length }: ColumnBatch): Row[] {
  const readers = columns.map(
    ({ name, column }) => [name, valueReader(types[name as keyof Row] as Type, column)] as const,
  )
  return Array.from({ length }, (_, at) => plain(Object.fromEntries(readers.map(([name, read]) => [name, read(at)]))))
}

// Objects without a prototype are not equal to literals.
const plain = (value: Record<string, unknown>): Row =>
  ({ ...value, tags: (value['tags'] as object[] | null)?.map((tag) => tag && { ...tag }) ?? null }) as Row

const strayBits = (column: Column): number =>
  column.validity === undefined || column.length % 8 === 0 ? 0 : column.validity.at(-1)! >> (column.length % 8)

describe('SliceBuffer', () => {
  it('holds the rows of all batches, though their memory is used again', () => {
    const rounds = fc.array(fc.array(fc.array(row, { maxLength: 20 }), { maxLength: 5 }), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(rounds, (all) => {
        const buffer = new SliceBuffer()
        for (const batches of all) {
          let bytes = 0
          for (const rows of batches) {
            const arena = new Arena()
            const batch = batchOf(rows, arena)
            bytes += batchBytes(batch)
            buffer.append(batch)
            arena.bytes.fill(0xee)
          }
          const found = buffer.view()
          const rows = batches.flat()
          expect([found.length, buffer.length]).toEqual([rows.length, rows.length])
          if (batches.length > 0) expect(rowsOf(found)).toEqual(rows.map((value) => plain(value)))
          expect(found.columns.map(({ column }) => strayBits(column))).toEqual(found.columns.map(() => 0))
          expect(batchBytes(found)).toBeCloseTo(bytes, 6)
          buffer.clear()
        }
      }),
      { numRuns: 200 },
    )
  })

  it('copies rows without a value no bytes', () => {
    const data = Buffer.from('abc')
    const positions = { starts: Int32Array.of(0, 5, 1), ends: Int32Array.of(1, 900, 3) }
    const column: Column = { storage: 'bytes', length: 3, validity: Uint8Array.of(0b101), data, ...positions }
    const buffer = new SliceBuffer()
    buffer.append({ length: 3, columns: [{ name: 'a', column }] })
    const found = buffer.view().columns[0]!.column as BytesColumn
    expect([0, 1, 2].map((at) => isValid(found, at))).toEqual([true, false, true])
    expect(Buffer.from(found.data.subarray(found.starts[2], found.ends[2])).toString()).toBe('bc')
  })
})
