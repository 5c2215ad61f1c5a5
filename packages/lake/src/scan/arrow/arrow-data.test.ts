import { t, takeRows } from '@moulin/core'
import type { Column } from '@moulin/core'
import * as arrow from 'apache-arrow'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arrowOutput } from './arrow-batches.ts'
import { columnFrom, storedArbitrary, storedIn, testTypes } from './arrow.test-support.ts'
import type { Stored } from './arrow.test-support.ts'

const names = Object.keys(testTypes)

async function* batchOf(name: string, column: Column, isOwned = true): AsyncGenerator<never> {
  yield { batch: { length: column.length, columns: [{ name, column }] }, rows: undefined, isOwned } as never
}

async function dataOf(name: string, column: Column, isOwned = true): Promise<arrow.Data> {
  const output = arrowOutput(arrow, [{ name, type: testTypes[name]! }])
  const { value } = await output.batches(batchOf(name, column, isOwned)).next()
  return (value as arrow.RecordBatch).data.children[0]!
}

const bufferOf = (array: { buffer: ArrayBufferLike; byteOffset: number; length: number }): unknown[] => [
  array.buffer,
  array.byteOffset,
  array.length,
]

describe('arrowData', () => {
  it.each(names)('has the values of a column of type %s, also through IPC', async (name) => {
    const type = testTypes[name]!
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(storedArbitrary(type), { freq: 4 }), { maxLength: 40 }),
        fc.boolean(),
        async (rows, isOwned) => {
          const column = columnFrom(type, rows)
          const data = await dataOf(name, column, isOwned)
          expect(rows.map((_, row) => storedIn(type, data, row))).toEqual(rows)
          expect(data.nullCount).toBe(rows.filter((value) => value === null).length)

          const bytes = await arrowOutput(arrow, [{ name, type }]).ipc(batchOf(name, column, isOwned))
          const table = arrow.tableFromIPC(bytes)
          const read = table.batches.flatMap((batch) =>
            Array.from({ length: batch.numRows }, (_, row) => storedIn(type, batch.data.children[0]!, row)),
          )
          expect(read).toEqual(rows)
        },
      ),
      { numRuns: 60 },
    )
  })

  it.each(['int', 'long', 'int53', 'float', 'double', 'date', 'time', 'timestamp', 'timestamptz', 'uuid', 'fixed'])(
    'shares the memory of a column of type %s',
    async (name) => {
      const [sample] = fc.sample(fc.array(storedArbitrary(testTypes[name]!), { minLength: 20, maxLength: 20 }), 1)
      const column = columnFrom(testTypes[name]!, [...sample!, null]) as Extract<Column, { storage: 'int32' }>
      const data = await dataOf(name, column)
      expect(bufferOf(data.values as Int32Array)).toEqual(bufferOf(column.values))
      expect(bufferOf(data.nullBitmap)).toEqual(bufferOf(column.validity!))
      const copied = await dataOf(name, column, false)
      expect((copied.values as Int32Array).buffer).not.toBe(column.values.buffer)
    },
  )

  it('shares bytes that lie back to back, and copies others together', async () => {
    const data = new TextEncoder().encode('zoneurope')
    const offsets = Int32Array.of(1, 1, 4, 9)
    const backToBack: Column = {
      storage: 'bytes',
      length: 3,
      validity: undefined,
      data,
      starts: offsets.subarray(0, 3),
      ends: offsets.subarray(1),
    }
    const shared = await dataOf('string', backToBack)
    expect(bufferOf(shared.values as Uint8Array)).toEqual(bufferOf(data))
    expect(bufferOf(shared.valueOffsets)).toEqual(bufferOf(offsets))
    const text = (from: arrow.Data): unknown[] => [...(new arrow.Vector([from]) as arrow.Vector<arrow.Utf8>)]
    expect(text(shared)).toEqual(['', 'one', 'urope'])

    const turned = takeRows(backToBack, Int32Array.of(2, 1, 1, 0))
    const gathered = await dataOf('string', turned)
    expect((gathered.values as Uint8Array).buffer).not.toBe(data.buffer)
    expect(text(gathered)).toEqual(['urope', 'one', 'one', ''])
    expect(gathered.values).toHaveLength(11)
  })

  it('shares the offsets of lists and maps and the memory below them', async () => {
    const list = columnFrom(t.list(t.int), [[1, 2], [], [3]]) as Extract<Column, { storage: 'list' }>
    const { value } = await arrowOutput(arrow, [{ name: 'l', type: t.list(t.int) }])
      .batches(batchOf('l', list))
      .next()
    const data = (value as arrow.RecordBatch).data.children[0]!
    expect(bufferOf(data.valueOffsets)).toEqual(bufferOf(list.offsets))
    expect(data.children[0]!.values.buffer).toBe((list.element as Extract<Column, { storage: 'int32' }>).values.buffer)
  })

  it('takes no byte of a null, whatever its slot holds', async () => {
    const column: Column = {
      storage: 'bytes',
      length: 3,
      validity: Uint8Array.of(0b101),
      data: new TextEncoder().encode('abc'),
      starts: Int32Array.of(0, 1 << 30, 2),
      ends: Int32Array.of(1, -5, 3),
    }
    const data = await dataOf('string', column)
    expect([0, 1, 2].map((row) => storedIn(t.string, data, row))).toEqual([Uint8Array.of(97), null, Uint8Array.of(99)])
  })
})

describe('arrowOutput', () => {
  it('gives the schema without rows, and null for a column that a batch lacks', async () => {
    const columns = names.map((name) => ({ name, type: testTypes[name]! }))
    const output = arrowOutput(arrow, columns)
    const none = await output.table((async function* () {})())
    expect([none.numRows, none.schema.fields.map(({ name }) => name)]).toEqual([0, names])
    const bytes = await output.ipc((async function* () {})())
    expect(arrow.tableFromIPC(bytes).schema.fields.map(String)).toEqual(none.schema.fields.map(String))
    const lacking = await output.table(batchOf('other', columnFrom(t.int, [1, 2])))
    expect(lacking.numRows).toBe(2)
    for (const vector of lacking.batches[0]!.data.children) expect(vector.nullCount).toBe(2)
  })

  it('takes the rows that pass', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ int: ints(), list: storedArbitrary(testTypes['list']!) }), { minLength: 1 }),
        fc.infiniteStream(fc.boolean()),
        async (rows, coin) => {
          const kept = rows.flatMap((_, row) => (coin.next().value ? [row] : []))
          const columns = [
            {
              name: 'int',
              column: columnFrom(
                t.int,
                rows.map((row) => row.int),
              ),
            },
            {
              name: 'list',
              column: columnFrom(
                testTypes['list']!,
                rows.map((row) => row.list),
              ),
            },
          ]
          const passing = async function* (): AsyncGenerator<never> {
            yield { batch: { length: rows.length, columns }, rows: Int32Array.from(kept), isOwned: true } as never
          }
          const types = [
            { name: 'list', type: testTypes['list']! },
            { name: 'int', type: t.int },
          ]
          const table = await arrowOutput(arrow, types).table(passing())
          expect(table.numRows).toBe(kept.length)
          const [batch] = table.batches
          const read = kept.map((_, at) => types.map(({ type }, c) => storedIn(type, batch!.data.children[c]!, at)))
          expect(read).toEqual(kept.map((row) => [rows[row]!.list, rows[row]!.int]))
        },
      ),
    )
  })

  it('cuts a batch whose strings are more than 32-bit offsets reach', async () => {
    const column = takeRows(columnFrom(t.binary, [new Uint8Array(100)]), new Int32Array(6))
    const output = arrowOutput(arrow, [{ name: 'x', type: t.binary }], 250)
    const lengths: number[] = []
    for await (const batch of output.batches(batchOf('x', column))) lengths.push(batch.numRows)
    expect(lengths).toEqual([1, 2, 1, 2])
  })
})

const ints = (): fc.Arbitrary<Stored & number> => fc.integer()
