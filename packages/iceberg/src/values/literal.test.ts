import { isKind, type Literal } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { literalDatum } from './literal.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const of = (type: string, literal: Literal): unknown => literalDatum(literal, 'c', type)

describe('literalDatum', () => {
  it.each<[string, Literal, unknown]>([
    ['boolean', true, true],
    ['int', -5, -5],
    ['long', 5, 5n],
    ['long', 2n ** 63n - 1n, 2n ** 63n - 1n],
    ['float', 0.1, Math.fround(0.1)],
    ['float', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    ['double', Number.NaN, Number.NaN],
    ['decimal(9,2)', '14.20', 1420n],
    ['decimal(9,2)', '-0.5', -50n],
    ['decimal(9,2)', '7', 700n],
    ['decimal(9,2)', '1.50000', 150n],
    ['decimal(9,0)', '12', 12n],
    ['date', '2017-11-16', 17486],
    ['date', '1969-12-31', -1],
    ['date', '-0001-01-01', -719893],
    ['date', '+12345-01-01', 3789391],
    ['time', 1500, 1_500_000n],
    ['time', 7n, 7n],
    ['timestamp', new Date(-1), -1000n],
    ['timestamptz', 3n, 3n],
    ['string', 'å', utf8('å')],
    ['binary', utf8('x'), utf8('x')],
    ['fixed[1]', utf8('x'), utf8('x')],
  ])('takes a %s as %s', (type, literal, datum) => {
    expect(of(type, literal)).toEqual(datum)
  })

  it('takes a uuid in either case', () => {
    const expected = new Uint8Array(Buffer.from('f79c3e09677c4bbda4793f349cb785e7', 'hex'))
    expect(of('uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7')).toEqual(expected)
    expect(of('uuid', 'F79C3E09-677C-4BBD-A479-3F349CB785E7')).toEqual(expected)
  })

  it.each<[string, Literal]>([
    ['boolean', 1],
    ['int', 1.5],
    ['int', 2147483648],
    ['int', 1n],
    ['long', 2 ** 53],
    ['long', 2n ** 63n],
    ['long', '1'],
    ['float', 1e39],
    ['double', '1'],
    ['decimal(9,2)', '1.234'],
    ['decimal(9,2)', '12345678.00'],
    ['decimal(9,2)', '1e3'],
    ['decimal(9,2)', 1],
    ['date', '2017-02-29'],
    ['date', '16.11.2017'],
    ['date', new Date(0)],
    ['time', 86_400_000],
    ['time', -1n],
    ['timestamp', new Date(Number.NaN)],
    ['timestamp', 5],
    ['timestamptz', '2017-11-16T00:00:00Z'],
    ['string', 1],
    ['string', '\ud800'],
    ['uuid', 'f79c3e09677c4bbda4793f349cb785e7'],
    ['fixed[2]', utf8('x')],
    ['binary', 'x'],
  ])('refuses for a %s the literal %s, naming column and type', (type, literal) => {
    expect(() => of(type, literal)).toThrow(
      expect.toSatisfy(
        (error) =>
          isKind(error, 'invalid', 'EXPRESSION') && error.message.includes('column c') && error.message.includes(type),
      ),
    )
  })
})
