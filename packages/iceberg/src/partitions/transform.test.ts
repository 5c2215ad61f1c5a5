import { isKind } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { murmur3, murmur3Long } from '../values/murmur3.ts'
import { parseTransform, transformResultType, valueTransform } from './transform.ts'
import type { PartitionValue } from '../values/datum.ts'

const micros = (iso: string): bigint => BigInt(Date.parse(iso)) * 1000n
const days = (iso: string): number => Date.parse(iso) / 86_400_000
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(/[^0-9a-f]/gi, ''), 'hex'))
const apply = (transform: string, type: string, value: PartitionValue): PartitionValue =>
  valueTransform(parseTransform(transform), type)(value)
const INT_MAX = 0x7fffffff

describe('bucket', () => {
  // Specification, appendix B: type, value, hash.
  const published: [string, PartitionValue, number][] = [
    ['int', 34, 2017239379],
    ['long', 34n, 2017239379],
    ['decimal(9,2)', 1420n, -500754589],
    ['date', days('2017-11-16'), -653330422],
    ['time', 81_068_000_000n, -662762989],
    ['timestamp', micros('2017-11-16T22:31:08Z'), -2047944441],
    ['timestamp', micros('2017-11-16T22:31:08Z') + 1n, -1207196810],
    ['timestamptz', micros('2017-11-16T14:31:08-08:00'), -2047944441],
    ['timestamptz', micros('2017-11-16T14:31:08-08:00') + 1n, -1207196810],
    ['string', 'iceberg', 1210000089],
    ['uuid', bytes('f79c3e09-677c-4bbd-a479-3f349cb785e7'), 1488055340],
    ['fixed[4]', bytes('00010203'), -188683207],
    ['binary', bytes('00010203'), -188683207],
  ]
  it.each(published)('hashes a %s as the specification publishes it', (type, value, hash) => {
    for (const buckets of [1, 2, 16, 128, 1000, INT_MAX]) {
      expect(apply(`bucket[${buckets}]`, type, value)).toBe((hash & INT_MAX) % buckets)
    }
  })

  it('gives the published hashes bit for bit', () => {
    expect(murmur3Long(0, 34)).toBe(2017239379)
    expect(murmur3(new TextEncoder().encode('iceberg'))).toBe(1210000089)
    expect(murmur3(bytes('ff 00 01 02 03 ff'), 1, 5)).toBe(-188683207)
    // The reference implementation's own check values, for every length of tail.
    expect(murmur3(bytes(''))).toBe(0)
    expect(murmur3(bytes('21')) >>> 0).toBe(0x72661cf4)
    expect(murmur3(bytes('2143')) >>> 0).toBe(0xa0f7b07a)
    expect(murmur3(bytes('214365')) >>> 0).toBe(0x7e4a8634)
    expect(murmur3(bytes('21436587')) >>> 0).toBe(0xf55b516b)
  })

  it('hashes an int like the long that it may be promoted to', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(apply('bucket[1000000]', 'int', value)).toBe(apply('bucket[1000000]', 'long', BigInt(value)))
      }),
    )
  })
})

describe('truncate', () => {
  it.each<[string, string, PartitionValue, PartitionValue]>([
    ['truncate[10]', 'int', 1, 0],
    ['truncate[10]', 'int', -1, -10],
    ['truncate[10]', 'long', 1n, 0n],
    ['truncate[10]', 'long', -1n, -10n],
    ['truncate[10]', 'long', -10n, -10n],
    ['truncate[50]', 'decimal(9,2)', 1065n, 1050n],
    ['truncate[50]', 'decimal(9,2)', -1n, -50n],
    ['truncate[3]', 'string', 'iceberg', 'ice'],
    ['truncate[3]', 'string', 'ic', 'ic'],
    ['truncate[2]', 'string', 'a\u{1f9ca}b', 'a\u{1f9ca}'],
    ['truncate[2]', 'string', '\u{1f9ca}\u{1f9ca}\u{1f9ca}', '\u{1f9ca}\u{1f9ca}'],
  ])('%s of %s', (transform, type, value, result) => {
    expect(apply(transform, type, value)).toBe(result)
  })

  it('cuts binary to bytes', () => {
    expect(apply('truncate[3]', 'binary', bytes('0102030405'))).toEqual(bytes('010203'))
  })

  it('keeps order and range where the multiple has no room in the type', () => {
    expect(apply('truncate[10]', 'int', -2147483648)).toBe(-2147483648)
    expect(apply('truncate[10]', 'long', -(2n ** 63n))).toBe(-(2n ** 63n))
    expect(apply('truncate[1000000]', 'decimal(4,0)', -1n)).toBe(-32768n)
  })
})

describe('year, month, day, hour', () => {
  it.each<[string, string, PartitionValue, number]>([
    ['year', 'date', days('2017-11-16'), 47],
    ['month', 'date', days('2017-11-16'), 574],
    ['day', 'date', days('2017-11-16'), 17486],
    ['year', 'timestamp', micros('2017-11-16T22:31:08Z'), 47],
    ['month', 'timestamptz', micros('2017-11-16T22:31:08Z'), 574],
    ['day', 'timestamp', micros('2017-11-16T22:31:08Z'), 17486],
    ['hour', 'timestamp', micros('2017-11-16T22:31:08Z'), 419686],
    ['year', 'timestamp', -1n, -1],
    ['month', 'timestamp', -1n, -1],
    ['day', 'timestamp', -1n, -1],
    ['hour', 'timestamp', -1n, -1],
    ['hour', 'timestamp', 0n, 0],
    ['year', 'date', -1, -1],
    ['month', 'date', days('1969-01-01'), -12],
    ['month', 'date', days('1968-12-31'), -13],
    ['year', 'date', days('1969-01-01'), -1],
    ['year', 'date', days('1968-12-31'), -2],
  ])('%s of a %s %s is %i', (transform, type, value, result) => {
    expect(apply(transform, type, value)).toBe(result)
  })

  it('takes the extremes of 64 bits', () => {
    expect(apply('year', 'timestamp', -(2n ** 63n))).toBe(-290308 - 1970)
    expect(apply('year', 'timestamp', 2n ** 63n - 1n)).toBe(294247 - 1970)
    expect(apply('hour', 'timestamp', 2n ** 63n - 1n)).toBe(INT_MAX)
    expect(apply('hour', 'timestamp', -(2n ** 63n))).toBe(-INT_MAX - 1)
  })
})

describe('every transform', () => {
  it('turns null into null, and void turns all into null', () => {
    for (const name of ['identity', 'bucket[4]', 'truncate[4]', 'void']) expect(apply(name, 'string', null)).toBeNull()
    for (const name of ['year', 'month', 'day', 'hour']) expect(apply(name, 'timestamp', null)).toBeNull()
    expect(apply('void', 'string', 'x')).toBeNull()
  })

  it('says its result type, and refuses a column that it does not take', () => {
    expect(transformResultType(parseTransform('identity'), 'decimal(9,2)')).toBe('decimal(9,2)')
    expect(transformResultType(parseTransform('bucket[3]'), 'uuid')).toBe('int')
    expect(transformResultType(parseTransform('truncate[3]'), 'binary')).toBe('binary')
    expect(transformResultType(parseTransform('day'), 'timestamptz')).toBe('int')
    expect(transformResultType(parseTransform('void'), 'double')).toBe('double')
    const refused: [string, string][] = [
      ['bucket[3]', 'double'],
      ['bucket[3]', 'boolean'],
      ['truncate[3]', 'date'],
      ['truncate[3]', 'fixed[8]'],
      ['year', 'long'],
      ['day', 'time'],
      ['hour', 'date'],
    ]
    for (const [name, type] of refused) {
      expect(() => transformResultType(parseTransform(name), type), `${name} of ${type}`).toThrow(
        expect.toSatisfy((error) => isKind(error, 'invalid', 'PARTITION_SPEC') && String(error).includes(name)),
      )
    }
  })

  it('is refused by name when it is unknown, and as invalid when its number is out of range', () => {
    for (const text of ['zorder', 'bucket', 'bucket[-1]', 'truncate[ 3 ]', 'days', '__proto__']) {
      expect(() => parseTransform(text)).toThrow(
        expect.toSatisfy((error) => isKind(error, 'unsupported', 'TRANSFORM') && String(error).includes(text)),
      )
    }
    expect(() => parseTransform('bucket[0]')).toThrow(expect.toSatisfy((error) => isKind(error, 'invalid')))
    expect(() => parseTransform('truncate[2147483648]')).toThrow(expect.toSatisfy((error) => isKind(error, 'invalid')))
  })
})
