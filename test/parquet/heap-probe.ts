/**
 * Measures memory in a process of its own, and prints it as JSON.
 *
 *     node --expose-gc --conditions=moulin-source heap-probe.ts encode ROWS      one file through a sink
 *     node --expose-gc --conditions=moulin-source heap-probe.ts files COUNT      many files written and read
 */
import type { ColumnBatch, IcebergField, IcebergSchema } from '@moulin/core'
import { bytesRangeReader, openParquet, parquetWriter } from '@moulin/format'
import { Dice } from './dice.ts'
import { caseOf } from './random-case.ts'

import { ourTable } from './readers.ts'
import { primitives, write } from './cases.ts'

const KiB = 1024

export interface EncodeReport {
  readonly rows: number
  readonly fileBytes: number
  readonly sinkCalls: number
  /** How far the peak of the resident memory rose above what it was before. */
  readonly risenBytes: number
}

export interface FilesReport {
  readonly files: number
  /** Live memory after collection: after the first tenth of the files, and after all. */
  readonly earlyBytes: number
  readonly lateBytes: number
}

const field = (id: number, name: string, type: IcebergField['type']): IcebergField => ({
  id,
  name,
  type,
  required: false,
})

/** Rows of events, made once and handed over again and again: what grows is the writer's. */
function encode(rows: number): EncodeReport {
  const schema: IcebergSchema = {
    type: 'struct',
    fields: [
      field(1, 'offset', 'long'),
      field(2, 'ts', 'timestamptz'),
      field(3, 'type', 'string'),
      field(4, 'text', 'string'),
      field(5, 'value', 'double'),
      field(6, 'code', 'int'),
      field(7, 'uid', 'uuid'),
      field(8, 'tags', { type: 'list', 'element-id': 9, element: 'string', 'element-required': false }),
    ],
  }
  const length = 20_000
  const dice = new Dice(1)
  const batch = eventBatch(length, dice)
  let [fileBytes, sinkCalls] = [0, 0]
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  const writer = parquetWriter.create({
    schema,
    columnIndexes: 'all',
    sink: (bytes) => {
      fileBytes += bytes.length
      sinkCalls++
    },
  })
  const offsets = (batch.columns[0]!.column as { values: BigInt64Array }).values
  for (let row = 0; row < rows; row += length) {
    // Offsets go on, and texts change, so that no page is like the one before it.
    for (let i = 0; i < length; i++) offsets[i] = BigInt(row + i)
    const text = batch.columns[3]!.column as { data: Uint8Array }
    for (let at = row % 97; at < text.data.length; at += 97) text.data[at] = 97 + dice.below(26)
    writer.write(batch)
  }
  const { rowCount } = writer.finish()
  return { rows: rowCount, fileBytes, sinkCalls, risenBytes: process.resourceUsage().maxRSS * KiB - before }
}

function eventBatch(length: number, dice: Dice): ColumnBatch {
  const bytes = (size: () => number): { data: Uint8Array; starts: Int32Array; ends: Int32Array } => {
    const offsets = new Int32Array(length + 1)
    for (let i = 0; i < length; i++) offsets[i + 1] = offsets[i]! + size()
    const data = new Uint8Array(offsets[length]!).map(() => 97 + dice.below(26))
    return { data, starts: offsets.subarray(0, length), ends: offsets.subarray(1) }
  }
  const base = { length, validity: undefined }
  const listOffsets = Int32Array.from({ length: length + 1 }, (_, i) => Math.floor(i / 2))
  const elements = { ...base, length: length / 2, storage: 'bytes', ...bytes(() => 5) } as const
  const long = (): BigInt64Array => BigInt64Array.from({ length }, (_, i) => BigInt(i * 1000 + dice.below(1000)))
  return {
    length,
    columns: [
      { name: 'offset', column: { storage: 'int64', ...base, values: long() } },
      { name: 'ts', column: { storage: 'int64', ...base, values: long() } },
      { name: 'type', column: { storage: 'bytes', ...base, ...bytes(() => 1) } },
      { name: 'text', column: { storage: 'bytes', ...base, ...bytes(() => dice.between(20, 40)) } },
      {
        name: 'value',
        column: { storage: 'float64', ...base, values: Float64Array.from({ length }, () => dice.bits() / 7) },
      },
      {
        name: 'code',
        column: { storage: 'int32', ...base, values: Int32Array.from({ length }, () => dice.below(9999)) },
      },
      { name: 'uid', column: { storage: 'fixed', ...base, width: 16, values: dice.bytes(length * 16) } },
      { name: 'tags', column: { storage: 'list', ...base, offsets: listOffsets, element: { ...elements } } },
    ],
  }
}

/** Files of all kinds, each written, opened and read, by turns through a sink and not. */
async function files(count: number): Promise<FilesReport> {
  const live = (): number => {
    // Twice: what the first run finalises, the second frees.
    globalThis.gc?.()
    globalThis.gc?.()
    const { heapUsed, external, arrayBuffers } = process.memoryUsage()
    return heapUsed + external + arrayBuffers
  }
  let earlyBytes = 0
  for (let i = 0; i < count; i++) {
    // The same few files over and over: whatever grows with their number is kept by mistake.
    const each = caseOf({ seed: i % 25, columns: 4, depth: i % 4, rows: 200, kinds: primitives })
    const { bytes } = write(parquetWriter, each)
    await ourTable(bytes, each.schema.fields)
    const file = await openParquet(bytesRangeReader(bytes, `leak-${i}.parquet`))
    for (const { id } of each.schema.fields) await file.pageBounds({ rowGroup: 0, fieldId: id })
    await new Promise(setImmediate)
    if (i === Math.floor(count / 10)) earlyBytes = live()
  }
  return { files: count, earlyBytes, lateBytes: live() }
}

const [what, amount] = process.argv.slice(2)
const report = what === 'encode' ? encode(Number(amount)) : await files(Number(amount))
console.log(JSON.stringify(report))
