import { isKind } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PartitionValue } from './datum.ts'
import { decodeSingleValue, encodeSingleValue } from './single-value.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
type Present = Exclude<PartitionValue, null>

describe('single-value serialization', () => {
  // Specification, appendix D: little-endian numbers, minimal big-endian decimals, big-endian uuid.
  it.each<[string, Present, string]>([
    ['boolean', false, '00'],
    ['boolean', true, '01'],
    ['int', 34, '22000000'],
    ['int', -2147483648, '00000080'],
    ['long', 34n, '2200000000000000'],
    ['long', -(2n ** 63n), '0000000000000080'],
    ['long', 2n ** 53n + 1n, '0100000000002000'],
    ['float', 1, '0000803f'],
    ['double', -0, '0000000000000080'],
    ['date', 17486, '4e440000'],
    ['time', 81_068_000_000n, '008307e012000000'],
    ['timestamp', 1_510_871_468_000_000n, '00c3262d215e0500'],
    ['timestamptz', -1n, 'ffffffffffffffff'],
    ['string', 'iceberg\u{1f9ca}', '69636562657267f09fa78a'],
    ['string', '', ''],
    ['uuid', bytes('f79c3e09677c4bbda4793f349cb785e7'), 'f79c3e09677c4bbda4793f349cb785e7'],
    ['fixed[4]', bytes('00010203'), '00010203'],
    ['binary', bytes(''), ''],
    ['decimal(9,2)', 1420n, '058c'],
    ['decimal(9,2)', 0n, '00'],
    ['decimal(9,2)', -1n, 'ff'],
    ['decimal(9,2)', 128n, '0080'],
    ['decimal(9,2)', -128n, '80'],
    ['decimal(9,2)', -129n, 'ff7f'],
    ['decimal(38,0)', 10n ** 38n - 1n, '4b3b4ca85a86c47a098a223fffffffff'],
  ])('%s %s', (type, value, serialized) => {
    expect(hex(encodeSingleValue(type, value))).toBe(serialized)
    expect(decodeSingleValue(type, bytes(serialized))).toEqual(value)
  })

  it('brings every value back', () => {
    const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    const cases: [string, fc.Arbitrary<Present>][] = [
      ['int', fc.integer()],
      ['long', long],
      ['timestamptz', long],
      ['double', fc.double()],
      ['float', fc.float()],
      ['decimal(38,5)', fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })],
      ['string', fc.string({ unit: 'binary' })],
      ['binary', fc.uint8Array()],
    ]
    for (const [type, values] of cases) {
      fc.assert(
        fc.property(values, (value) => {
          expect(decodeSingleValue(type, encodeSingleValue(type, value))).toEqual(value)
        }),
      )
    }
  })

  it('reads what was written before an int became a long and a float a double', () => {
    expect(decodeSingleValue('long', encodeSingleValue('int', -7))).toBe(-7n)
    expect(decodeSingleValue('double', encodeSingleValue('float', 0.5))).toBe(0.5)
  })

  it('refuses bytes that are no value of the type, and nested types', () => {
    for (const [type, text] of [
      ['boolean', ''],
      ['int', '0000000000000000'],
      ['long', '000000'],
      ['date', '00'],
      ['timestamp', '000000'],
      ['decimal(9,2)', ''],
      ['decimal(9,2)', '00'.repeat(17)],
      ['uuid', '00'],
      ['fixed[2]', '000000'],
    ] as const) {
      expect(() => decodeSingleValue(type, bytes(text)), type).toThrow(
        expect.toSatisfy((error) => isKind(error, 'corrupt', 'SINGLE_VALUE')),
      )
    }
    const list = { type: 'list', 'element-id': 2, element: 'int', 'element-required': true } as const
    expect(() => encodeSingleValue(list, 1)).toThrow(expect.toSatisfy((error) => isKind(error, 'unsupported')))
  })
})
