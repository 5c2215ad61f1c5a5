/** Keeps one core busy as a tiering worker does: encodes row groups of Parquet until it is terminated. */
import { parentPort } from 'node:worker_threads'
import type { ColumnBatch, IcebergSchema } from '@moulin/core'
import { hyparquetWriter } from '@moulin/format'

const rows = 20_000
const schema: IcebergSchema = {
  type: 'struct',
  fields: [
    { id: 1, name: 'offset', required: false, type: 'long' },
    { id: 2, name: 'value', required: false, type: 'double' },
  ],
}
const batch: ColumnBatch = {
  length: rows,
  columns: [
    { name: 'offset', column: { storage: 'int64', length: rows, validity: undefined, values: offsets() } },
    { name: 'value', column: { storage: 'float64', length: rows, validity: undefined, values: values() } },
  ],
}

parentPort!.postMessage('started')
for (;;) {
  const writer = hyparquetWriter.create({ schema, compression: 'zstd', keyValue: {} })
  writer.writeRowGroup(batch)
  writer.finish()
}

function offsets(): BigInt64Array {
  return BigInt64Array.from({ length: rows }, (_, i) => BigInt(i))
}

function values(): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => Math.sin(i))
}
