import { openSync, readSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { systemRuntime } from '@moulin/core'
import type { BytesColumn, ColumnBatch, IcebergField, PrimitiveColumn } from '@moulin/core'
import { openParquet, parquetWorkers } from '@moulin/format'
import type { ParquetFile, ParquetWorkers, RangeReader } from '@moulin/format'
import type { Flight } from './schema.ts'

/** 3 000 000 flights within the United States in the first half of 2001, as npm's vega-datasets has them. */
export const sourceFile: string = fileURLToPath(
  new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')),
)

const fields: readonly IcebergField[] = [
  { id: 1, name: 'date', required: false, type: 'timestamp' },
  { id: 2, name: 'delay', required: false, type: 'long' },
  { id: 3, name: 'distance', required: false, type: 'long' },
  { id: 4, name: 'origin', required: false, type: 'string' },
  { id: 5, name: 'destination', required: false, type: 'string' },
]
const rowsPerChunk = 8192

export async function sourceRowCount(): Promise<number> {
  return (await openSource()).rowCount
}

/** The first `limit` rows of the source, in its order, some thousand at a time. Decoded in a thread, one row group ahead. */
export async function* sourceRows(limit: number): AsyncGenerator<Flight[]> {
  const workers = parquetWorkers({ threads: 1, runtime: systemRuntime() })
  try {
    const file = await openSource(workers)
    const read = (rowGroup: number): Promise<ColumnBatch> | undefined =>
      rowGroup < file.rowGroups.length ? file.read({ rowGroup, types: fields }) : undefined
    let left = limit
    let next = read(0)
    for (let rowGroup = 0; next !== undefined && left > 0; rowGroup++) {
      const batch = await next
      next = left > batch.length ? read(rowGroup + 1) : undefined
      const end = Math.min(left, batch.length)
      for (let start = 0; start < end; start += rowsPerChunk) {
        yield flightsOf(batch, start, Math.min(end, start + rowsPerChunk))
      }
      left -= end
    }
  } finally {
    await workers.close()
  }
}

function flightsOf({ columns }: ColumnBatch, start: number, end: number): Flight[] {
  const [date, delay, distance] = columns.slice(0, 3).map(({ column }) => numbers(column as Longs))
  const [origin, destination] = columns.slice(3).map(({ column }) => texts(column as BytesColumn))
  const flights: Flight[] = []
  for (let row = start; row < end; row++) {
    flights.push({
      date: new Date(date!(row) / 1000),
      delay: delay!(row),
      distance: distance!(row),
      origin: origin!(row),
      destination: destination!(row),
    })
  }
  return flights
}

type Longs = PrimitiveColumn & { readonly storage: 'int64' }

/** Two halves make a number without a BigInt between. */
function numbers({ values: { buffer, byteOffset, length } }: Longs): (row: number) => number {
  const halves = new Int32Array(buffer, byteOffset, 2 * length)
  return (row) => halves[2 * row + 1]! * 4294967296 + (halves[2 * row]! >>> 0)
}

/** One string per airport, not one per flight: their codes have three letters. */
const airports = new Map<number, string>()

function texts({ data, starts, ends }: BytesColumn): (row: number) => string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return (row) => {
    const [start, end] = [starts[row]!, ends[row]!]
    if (end - start !== 3) return bytes.toString('latin1', start, end)
    const code = bytes.readUIntLE(start, 3)
    let airport = airports.get(code)
    if (airport === undefined) airports.set(code, (airport = bytes.toString('latin1', start, end)))
    return airport
  }
}

function openSource(workers?: ParquetWorkers): Promise<ParquetFile> {
  const nameMapping = fields.map(({ id, name }) => ({ 'field-id': id, names: [name] }))
  return openParquet(localFile(sourceFile), { nameMapping, ...(workers === undefined ? {} : { workers }) })
}

function localFile(path: string): RangeReader {
  const file = openSync(path, 'r')
  return {
    name: path,
    size: statSync(path).size,
    async read(start, end) {
      const bytes = new Uint8Array(end - start)
      readSync(file, bytes, 0, bytes.length, start)
      return bytes
    },
  }
}
