import type { BatchRun, Fidelity } from '@moulin/core'
import { encodeBatch } from '@moulin/format'
import type { ColdRecord } from './record-decoder.ts'

/** Record bytes of one batch, about. */
const BATCH_BYTES = 1024 * 1024
const BATCH_RECORDS = 10_000
// A batch counts offsets in 31 bits.
const BATCH_SPAN = 1n << 30n

/**
 * Records of `[from, to)` as one run of v2 batches that answers for all of the range: offsets without a record stay gaps,
 * spanned by the run. Records rise by offset.
 */
export function runOf(
  partition: number,
  range: { readonly from: bigint; readonly to: bigint },
  records: readonly ColdRecord[],
): BatchRun {
  const batches: Uint8Array[] = []
  for (let start = 0; start < records.length;) {
    const end = batchEnd(records, start)
    const part = records.slice(start, end)
    const { offset: baseOffset, timestampType } = part[0]!
    batches.push(encodeBatch({ baseOffset, records: part, timestampType }))
    start = end
  }
  const fidelity = records.every((record) => record.fidelity === 'exact')
    ? undefined
    : records.map((record): Fidelity => record.fidelity)
  return {
    partition,
    baseOffset: range.from,
    nextOffset: range.to,
    batches: joined(batches),
    ...(fidelity && { fidelity }),
    valueSchemaIds: oneOrAll(records.map(({ valueSchemaId }) => valueSchemaId)),
    keySchemaIds: oneOrAll(records.map(({ keySchemaId }) => keySchemaId)),
  }
}

// Records of one batch share the kind of timestamp; those of append time the timestamp itself.
function batchEnd(records: readonly ColdRecord[], start: number): number {
  const first = records[start]!
  let bytes = 0
  let end = start
  for (; end < records.length && end - start < BATCH_RECORDS && (end === start || bytes < BATCH_BYTES); end++) {
    const record = records[end]!
    if (record.timestampType !== first.timestampType || record.offset - first.offset >= BATCH_SPAN) break
    if (first.timestampType === 'append' && record.timestamp !== first.timestamp) break
    bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0) + 16
    for (const [name, value] of record.headers) bytes += name.length + (value?.length ?? 0) + 4
  }
  return end
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function oneOrAll(ids: readonly number[]): number | readonly number[] {
  const first = ids[0] ?? 0
  return ids.every((id) => id === first) ? first : ids
}
