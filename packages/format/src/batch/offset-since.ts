import { hasOffset } from '@moulin/core'
import type { OffsetRange } from '@moulin/core'
import { batchesIn } from './batch-header.ts'
import { readRecords } from './read-batch.ts'

/**
 * The first offset of the range whose record has this timestamp or a later one, but for those in `aborted`; undefined: none. Headers are
 * believed in what they say of their newest record: only where that is late enough the records of a batch are looked at, which need
 * not be in the order of their times.
 * @throws what `readRecords` throws.
 */
export function offsetSince(
  batches: Uint8Array,
  timestamp: bigint,
  range: OffsetRange,
  aborted: readonly OffsetRange[] = [],
): bigint | undefined {
  for (const { header, position } of batchesIn(batches)) {
    if (header.maxTimestamp < timestamp || header.isControl) continue
    const found = readRecords(batches, position).find(
      (record) =>
        record.timestamp >= timestamp &&
        record.offset >= range.from &&
        record.offset < range.to &&
        !hasOffset(aborted, record.offset),
    )
    if (found !== undefined) return found.offset
  }
  return undefined
}
