import { schema, t } from '@moulin/core'
import type { BatchRun, Codec, Column } from '@moulin/core'
import { avro, encodeBatch } from '@moulin/format'
import type { Shape } from './shape.ts'

export const recordsPerBatch = 500
/** Batches that a run from the log has, about. */
const batchesPerRun = 10

/** The events as the value of a topic. */
export function eventsCodec(): Codec {
  return avro(
    schema({
      offset: t.long,
      ts: t.timestamp.micros,
      user_id: t.string,
      type: t.string,
      value: t.double,
      code: t.int.optional(),
      text: t.string,
    }),
  )
}

/** The rows of the shape as a log keeps them: v2 record batches, the key is `user_id`, the value Avro, no headers. */
export function eventRuns({ batches, schema: { fields } }: Shape, codec: Codec): BatchRun[] {
  const keyAt = fields.findIndex(({ name }) => name === 'user_id')
  const timeAt = fields.findIndex(({ name }) => name === 'ts')
  const encoded: { readonly bytes: Uint8Array; readonly records: number }[] = []
  let next = 0n
  for (const { columns: named, length } of batches) {
    const columns = named.map(({ column }) => column)
    const key = columns[keyAt] as Column & { storage: 'bytes' }
    const time = columns[timeAt] as Column & { storage: 'int64' }
    for (let start = 0; start < length; start += recordsPerBatch) {
      const end = Math.min(length, start + recordsPerBatch)
      const records = Array.from({ length: end - start }, (_, at) => ({
        offset: next + BigInt(at),
        timestamp: time.values[start + at]! / 1000n,
        key: key.data.subarray(key.starts[start + at], key.ends[start + at]),
        value: valueOf(codec, columns, start + at),
        headers: [],
      }))
      encoded.push({ bytes: encodeBatch({ baseOffset: next, records, timestampType: 'create' }), records: end - start })
      next += BigInt(end - start)
    }
  }
  return inRuns(encoded)
}

const target = new Uint8Array(64 * 1024)

function valueOf(codec: Codec, columns: readonly Column[], row: number): Uint8Array {
  return target.slice(0, codec.columnar!.encodeRow(columns, row, target, 0))
}

function inRuns(encoded: readonly { readonly bytes: Uint8Array; readonly records: number }[]): BatchRun[] {
  const runs: BatchRun[] = []
  let baseOffset = 0n
  for (let start = 0; start < encoded.length; start += batchesPerRun) {
    const some = encoded.slice(start, start + batchesPerRun)
    const nextOffset = baseOffset + BigInt(some.reduce((sum, { records }) => sum + records, 0))
    const batches = new Uint8Array(Buffer.concat(some.map(({ bytes }) => bytes)))
    runs.push({ partition: 0, baseOffset, nextOffset, batches, valueSchemaIds: 1, keySchemaIds: 0 })
    baseOffset = nextOffset
  }
  return runs
}
