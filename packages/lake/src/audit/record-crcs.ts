import { crc32cRanges, recordCrc } from '@moulin/format'
import type { BatchHeader, RecordCursor, RecordPlace } from '@moulin/format'

/** `_kafka_crc` of the records of one batch: where their contents lie, and the sums of their places. */
export class RecordCrcs {
  #starts = new Int32Array(1024)
  #ends = new Int32Array(1024)
  #sums = new Int32Array(1024)
  /** Checksums of records that had to be framed anew, by row. */
  readonly #reframed = new Map<number, number>()
  #length = 0
  #place: RecordPlace | undefined
  #isAppendTime = false

  begin({ recordCount: records, timestampType }: BatchHeader, place: RecordPlace): void {
    this.#length = 0
    this.#reframed.clear()
    this.#place = place
    this.#isAppendTime = timestampType === 'append'
    if (records <= this.#starts.length) return
    this.#starts = new Int32Array(records)
    this.#ends = new Int32Array(records)
    this.#sums = new Int32Array(records)
  }

  add(cursor: RecordCursor): void {
    const row = this.#length++
    this.#starts[row] = cursor.bodyStart
    this.#ends[row] = cursor.bodyEnd
    const { offsetHigh, offsetLow, timestampHigh, timestampLow } = cursor
    const place = this.#place!.crcAt(offsetHigh, offsetLow, timestampHigh, timestampLow, this.#isAppendTime)
    this.#sums[row] = place
    if (!cursor.isMinimal) this.#reframed.set(row, recordCrc(cursor, place))
  }

  /** Checksum by row, as signed ints; the memory is used again. */
  crcs(bytes: Uint8Array): Int32Array {
    crc32cRanges(bytes, this.#starts, this.#ends, this.#length, this.#sums)
    for (const [row, crc] of this.#reframed) this.#sums[row] = crc
    return this.#sums
  }
}
