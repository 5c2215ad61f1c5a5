import { crc32cBefore, crc32cOf, crc32cOfByte, crc32cOfInt64 } from '../bytes/crc32c.ts'

/** When and how, as `_kafka_crc` binds it: milliseconds as signed 32-bit halves, −1 for none. */
export interface RecordTime {
  readonly timestampHigh: number
  readonly timestampLow: number
  readonly timestampType: 'create' | 'append'
}

const prefix = new Uint8Array(8)
const view = new DataView(prefix.buffer)
const typeByte = { create: Uint8Array.of(0), append: Uint8Array.of(1) } as const

/**
 * Begins `_kafka_crc` of the records of one partition in one incarnation: CRC32C of what a record is bound to, which its
 * key, value and headers then continue. Big-endian: incarnation int32, partition int32, offset int64, timestamp int64 (ms,
 * −1 for none), timestamp type int8.
 */
export class RecordPlace {
  readonly #start: number

  constructor(incarnation: number, partition: number) {
    this.#start = crc32cOfInt64(incarnation, partition, 0)
  }

  /** The sum that the record's body continues, a signed int. */
  crc(offsetHigh: number, offsetLow: number, time: RecordTime): number {
    return this.crcAt(offsetHigh, offsetLow, time.timestampHigh, time.timestampLow, time.timestampType === 'append')
  }

  /** {@link crc}, for a hot path. */
  crcAt(
    offsetHigh: number,
    offsetLow: number,
    timestampHigh: number,
    timestampLow: number,
    isAppendTime: boolean,
  ): number {
    const offset = crc32cOfInt64(offsetHigh, offsetLow, this.#start)
    const timestamp = crc32cOfInt64(timestampHigh, timestampLow, offset)
    return crc32cOfByte(isAppendTime ? 1 : 0, timestamp)
  }

  /**
   * The one low half of an offset with this high half whose {@link crc} is `crc`: 32 bits of sum leave a single answer, right
   * or not. As a signed int.
   */
  lowOffsetOf(crc: number, offsetHigh: number, time: RecordTime): number {
    let sum = crc32cBefore(typeByte[time.timestampType], 0, 1, crc)
    view.setInt32(0, time.timestampHigh)
    view.setInt32(4, time.timestampLow)
    sum = crc32cBefore(prefix, 0, 8, sum)
    view.setInt32(0, offsetHigh)
    const before = crc32cOf(prefix, 0, 4, this.#start)
    // Four bytes change a sum by what they are, xored in at its low end before they are shifted out.
    view.setInt32(0, 0)
    const difference = crc32cBefore(prefix, 0, 4, sum) ^ before
    view.setInt32(0, difference, true)
    return view.getInt32(0)
  }
}
