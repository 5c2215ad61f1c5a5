import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena } from './arena.ts'
import { builderFor, BytesBuilder, Int32Builder, Int64Builder, ListBuilder, StructBuilder } from './column-builder.ts'
import type { BytesColumn, Column, FixedColumn, ListColumn, StructColumn } from './columns.ts'
import { decimalWidth, isValid, nullCount, takeRows } from './columns.ts'
import { t } from '../model/schema.ts'

function text(column: BytesColumn, row: number): string | null {
  return isValid(column, row)
    ? Buffer.from(column.data.subarray(column.starts[row], column.ends[row])).toString()
    : null
}

describe('Int64Builder', () => {
  it('stores the same 64 bits from a bigint, a safe integer and two halves', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.maxSafeInteger(), (wide, safe) => {
        const builder = new Int64Builder()
        builder.append(wide)
        builder.appendHalves(Number(BigInt.asIntN(32, wide >> 32n)), Number(BigInt.asIntN(32, wide)))
        builder.appendNumber(safe)
        expect([...(builder.finish().values as BigInt64Array)]).toEqual([wide, wide, BigInt(safe)])
      }),
    )
  })

  it('keeps nulls and values apart while it grows', () => {
    const builder = new Int64Builder()
    for (let i = 0; i < 5000; i++) i % 3 === 0 ? builder.appendNull() : builder.appendNumber(i)
    const column = builder.finish()
    expect(nullCount(column)).toBe(1667)
    for (let i = 0; i < 5000; i++) {
      expect(isValid(column, i)).toBe(i % 3 !== 0)
      if (i % 3 !== 0) expect(column.values[i]).toBe(BigInt(i))
    }
  })

  it('takes back rows', () => {
    const builder = new Int64Builder()
    builder.appendNumber(1)
    builder.appendNumber(2)
    builder.truncate(1)
    builder.appendNull()
    const column = builder.finish()
    expect([isValid(column, 0), isValid(column, 1), column.length]).toEqual([true, false, 2])
  })
})

describe('BytesBuilder', () => {
  it('keeps positions valid while the arena grows', () => {
    const arena = new Arena(8)
    const builder = new BytesBuilder(arena)
    for (let i = 0; i < 3000; i++) builder.append(Buffer.from(`value ${i}`))
    const column = builder.finish()
    expect([text(column, 0), text(column, 2999)]).toEqual(['value 0', 'value 2999'])
  })
})

describe('view and clear', () => {
  const shape = t.list(t.struct({ name: t.string.optional(), code: t.int.optional() }).optional()).optional()
  const element = fc.option(fc.record({ name: fc.option(fc.string()), code: fc.option(fc.integer()) }))
  const row = fc.option(fc.array(element, { maxLength: 3 }))
  type Row = ({ name: string | null; code: number | null } | null)[] | null

  // What stays: rows before a truncation, then the rows after it.
  function append(builder: ListBuilder, rows: readonly Row[]): void {
    const struct = builder.element as StructBuilder
    const [name, code] = struct.fields.map((field) => field.builder) as [BytesBuilder, Int32Builder]
    for (const values of rows) {
      if (values === null) {
        builder.appendNull()
        continue
      }
      for (const value of values) {
        if (value === null) {
          struct.appendNull()
          continue
        }
        if (value.name === null) name.appendNull()
        else name.append(Buffer.from(value.name))
        if (value.code === null) code.appendNull()
        else code.append(value.code)
        struct.append()
      }
      builder.append()
    }
  }

  function rowsOf(list: ListColumn): Row[] {
    const struct = list.element as StructColumn
    const [name, code] = struct.fields.map(({ column }) => column) as [BytesColumn, Column & { values: Int32Array }]
    return Array.from({ length: list.length }, (_, at) => {
      if (!isValid(list, at)) return null
      return Array.from({ length: list.offsets[at + 1]! - list.offsets[at]! }, (_unused, index) => {
        const child = list.offsets[at]! + index
        if (!isValid(struct, child)) return null
        return { name: text(name, child), code: isValid(code, child) ? code.values[child]! : null }
      })
    })
  }

  it('give the rows since the last clear, whatever was there before or taken back', () => {
    const rounds = fc.array(
      fc.record({ rows: fc.array(row, { maxLength: 20 }), undone: fc.array(row, { maxLength: 10 }) }),
    )
    fc.assert(
      fc.property(rounds, (all) => {
        const arena = new Arena(16)
        const builder = builderFor(shape, arena) as ListBuilder
        for (const { rows, undone } of all) {
          append(builder, rows)
          append(builder, undone)
          builder.truncate(rows.length)
          expect(rowsOf(builder.view() as ListColumn)).toEqual(rows)
          append(builder, rows)
          const owned = builder.finish()
          expect(rowsOf(owned)).toEqual([...rows, ...rows])
          if (owned.validity !== undefined && owned.length % 8 !== 0) {
            expect(owned.validity.at(-1)! >> (owned.length % 8)).toBe(0)
          }
          builder.clear()
          arena.clear()
        }
      }),
    )
  })

  it('need no new memory for as many rows as before', () => {
    const builder = new Int64Builder()
    for (let at = 0; at < 5000; at++) builder.appendNumber(at)
    const { buffer } = builder.view().values
    builder.clear()
    builder.appendNull()
    for (let at = 1; at < 5000; at++) builder.appendNumber(-at)
    const column = builder.view()
    expect(column.values.buffer).toBe(buffer)
    expect([nullCount(column), column.values[4999]]).toEqual([1, -4999n])
  })

  it('fill rows in one go', () => {
    const ints = new Int32Builder()
    const bytes = new BytesBuilder(new Arena())
    bytes.arena.append(Buffer.from('abc'))
    for (const builder of [ints, bytes]) builder.appendNull()
    ints.appendFill(7, 3000)
    bytes.appendFill(1, 3, 3000)
    expect([nullCount(ints.view()), ints.view().values[3000]]).toEqual([1, 7])
    expect([nullCount(bytes.view()), text(bytes.view(), 3000)]).toEqual([1, 'bc'])
  })
})

describe('takeRows', () => {
  it('picks rows of nested columns in the order asked for', () => {
    const arena = new Arena()
    const key = new BytesBuilder(arena)
    const headers = new ListBuilder(new StructBuilder([{ name: 'key', builder: key }]))
    for (let row = 0; row < 4; row++) {
      if (row === 2) {
        headers.appendNull()
        continue
      }
      for (let i = 0; i < row; i++) {
        key.append(Buffer.from(`${row}.${i}`))
        headers.element.append()
      }
      headers.append()
    }
    const taken = takeRows(headers.finish(), Int32Array.of(3, 2, 0, 1)) as ListColumn
    const keys = (taken.element as StructColumn).fields[0]!.column as BytesColumn
    expect([...taken.offsets]).toEqual([0, 3, 3, 3, 4])
    expect([0, 1, 2, 3].map((row) => isValid(taken, row))).toEqual([true, false, true, true])
    expect([0, 1, 2, 3].map((row) => text(keys, row))).toEqual(['3.0', '3.1', '3.2', '1.0'])
  })

  it('picks fixed-width rows', () => {
    const builder = builderFor(t.fixed(2), new Arena())
    if (builder.storage !== 'fixed') throw new Error('fixed is stored fixed')
    for (let i = 0; i < 10; i++) builder.append(Uint8Array.of(i, i + 1))
    expect([...(takeRows(builder.finish(), Int32Array.of(9, 0)) as FixedColumn).values]).toEqual([9, 10, 0, 1])
  })
})

describe('Arena', () => {
  it('refuses to grow above its limit', () => {
    const arena = new Arena(4, 10)
    arena.append(new Uint8Array(10))
    expect(() => arena.append(new Uint8Array(1))).toThrow('limit of 10')
  })
})

describe('decimalWidth', () => {
  it('is the fewest bytes that hold the precision', () => {
    expect([1, 2, 3, 9, 18, 19, 38].map(decimalWidth)).toEqual([1, 1, 2, 4, 8, 9, 16])
  })
})
