import { readBatchHeader } from './batch-header.ts'
import { readRecords } from './read-batch.ts'
import { encodeBatch } from './write-batch.ts'

/**
 * The batch at `position` with only the records that pass, in the same places: framed anew, without its producer. `keeps` is asked once
 * for each record, in order. Undefined where none passes; where all do, the batch as it is, a view into `bytes`.
 * @throws `corrupt`, `unsupported`, `exhausted`.
 */
export function keptOfBatch(
  bytes: Uint8Array,
  position: number,
  keeps: (offset: bigint) => boolean,
): Uint8Array | undefined {
  const all = readRecords(bytes, position)
  const records = all.filter(({ offset }) => keeps(offset))
  const [first] = records
  if (first === undefined) return undefined
  const { sizeBytes, timestampType } = readBatchHeader(bytes, position)
  if (records.length === all.length) return bytes.subarray(position, position + sizeBytes)
  return encodeBatch({ baseOffset: first.offset, records, timestampType })
}
