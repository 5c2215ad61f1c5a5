/** What a store is asked for while a file is read: the same bytes whether it takes one range a call or several. */
import { defineObjectStore, type IcebergField, type ObjectStore, resolveRange } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { parquetWriter } from './encode/parquet-writer.ts'
import { openParquet } from './open-parquet.ts'
import { batchFrom, field, rowsOf } from './parquet.test-columns.ts'
import { storeRangeReader } from './range-reader.ts'

const ROWS = 20_000
/** Of about 160 kB each, so that no gap of 64 KiB joins two that have one between them. */
const fields: readonly IcebergField[] = Array.from({ length: 7 }, (_, at) => field(at + 1, `column${at}`, 'double'))
const rows = Array.from({ length: ROWS }, (_, row) => fields.map((_, at) => Math.sin(row * 31 + at)))
const writer = parquetWriter.create({ schema: { type: 'struct', fields }, compression: 'none' })
writer.writeRowGroup(batchFrom(fields, rows))
const content = writer.finish().bytes

interface Asked {
  readonly store: ObjectStore
  /** Calls, each with the ranges that it asks for, as text. */
  readonly calls: string[][]
}

function shelf(takesSeveral: boolean): Asked {
  const calls: string[][] = []
  const missing = (): never => {
    throw new TypeError('not part of this test')
  }
  const info = { key: 'a', size: content.length, etag: '1', modifiedMs: 0 }
  const slice = (range: Parameters<typeof resolveRange>[0]): Uint8Array => {
    const { start, end } = resolveRange(range, content.length, 'a')
    calls.at(-1)!.push(`${start}-${end}`)
    return content.slice(start, end)
  }
  const store = defineObjectStore({
    name: 'shelf',
    root: 'memory://shelf/',
    capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },
    durability: 'memory',
    listOrder: 'bytes',

    async get(_key, options) {
      calls.push([])
      return { ...info, bytes: slice(options?.range) }
    },
    getRanges: takesSeveral
      ? async (_key, ranges) => {
          calls.push([])
          return { ...info, parts: ranges.map(slice) }
        }
      : undefined,
    head: missing,
    put: missing,
    delete: missing,
    list: missing,
  })
  return { store, calls }
}

const wanted = [0, 2, 3, 6].map((at) => fields[at]!)

async function read({ store, calls }: Asked): Promise<{ rows: unknown; opening: string[][]; reading: string[][] }> {
  const file = await openParquet(storeRangeReader(store, 'a', content.length))
  const opening = calls.splice(0)
  const batch = await file.read({ rowGroup: 0, types: wanted })
  return { rows: rowsOf(batch), opening, reading: calls }
}

describe('a Parquet file in a store', () => {
  it('is opened and read by one call each where the store takes several ranges', async () => {
    const several = await read(shelf(true))
    expect(several.opening).toEqual([[`${content.length - 32 * 1024}-${content.length}`, '0-4']])
    // Columns 2 and 3 lie side by side.
    expect(several.reading.map((ranges) => ranges.length)).toEqual([3])
    expect(several.rows).toEqual(rows.map((row) => wanted.map(({ id }) => row[id - 1])))
  })

  it('is read by a call for each range where it does not: the same ranges, the same bytes', async () => {
    const [one, several] = [await read(shelf(false)), await read(shelf(true))]
    expect([one.opening.length, one.reading.length]).toEqual([2, 3])
    for (const part of ['opening', 'reading'] as const) {
      expect(one[part].flat().sort()).toEqual(several[part].flat().sort())
    }
    expect(one.rows).toEqual(several.rows)
  })
})

describe('storeRangeReader', () => {
  it.each([true, false])('takes a range past the end for a cut object; several at once: %s', async (takesSeveral) => {
    const reader = storeRangeReader(shelf(takesSeveral).store, 'a', content.length + 9)
    const beyond = { start: content.length + 2, end: content.length + 4 }
    const corrupt = { kind: 'corrupt', code: 'FILE_SIZE', context: { expected: content.length + 9 } }
    await expect(reader.read(beyond.start, beyond.end)).rejects.toMatchObject(corrupt)
    await expect(reader.readMany!([{ start: 0, end: 4 }, beyond])).rejects.toMatchObject(corrupt)
    await expect(reader.readMany!([{ start: 0, end: 4 }])).rejects.toMatchObject(corrupt)
  })
})
