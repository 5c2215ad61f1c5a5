import { describe, expect, it } from 'vitest'
import { isMoulinError } from '../model/errors.ts'
import { objectStoreOptions } from './object-store-options.ts'
import * as option from './option-checks.ts'
import { checkOptions, withDefaults, type OptionTable } from './options.ts'

interface Pump {
  readonly pressureBytes?: number
  readonly direction: 'in' | 'out'
  readonly waitMs?: number
  readonly limits?: { readonly maxTurns?: number }
  readonly from?: bigint
  readonly names?: readonly string[]
}

const table: OptionTable<Pump> = {
  pressureBytes: option.integer('bytes', 1, 1024),
  direction: option.required(option.oneOf('in', 'out')),
  waitMs: option.milliseconds(),
  limits: option.nested<NonNullable<Pump['limits']>>({ maxTurns: option.integer('', 1) }),
  from: option.int64('an offset'),
  names: option.listOf(option.text),
}

function refusal(options: unknown): { message: string; option: unknown } {
  try {
    checkOptions('pump', options as Pump, table)
  } catch (error) {
    if (!isMoulinError(error)) throw error
    expect(error).toMatchObject({ kind: 'invalid', code: 'OPTION', outcome: 'rejected' })
    return { message: error.message, option: error.context['option'] }
  }
  throw new Error('it was taken')
}

describe('checkOptions', () => {
  it('takes what the table allows, and undefined as left out', () => {
    checkOptions('pump', { direction: 'in' }, table)
    checkOptions('pump', { direction: 'out', pressureBytes: 1024, waitMs: 0.5, limits: {}, from: 0n, names: [] }, table)
    const left = { direction: 'in', pressureBytes: undefined, limits: { maxTurns: undefined } }
    checkOptions('pump', left as never, table)
  })

  it.each([
    [{ direction: 'inn' }, 'direction', `pump: direction is "inn"; it must be 'in' or 'out'.`],
    [
      { direction: 'in', pressureBytes: NaN },
      'pressureBytes',
      'is NaN; it must be a whole number of bytes from 1 to 1024',
    ],
    [{ direction: 'in', pressureBytes: 1025 }, 'pressureBytes', 'is 1025;'],
    [{ direction: 'in', pressureBytes: 1.5 }, 'pressureBytes', 'is 1.5;'],
    [{ direction: 'in', pressureBytes: '8' }, 'pressureBytes', 'is "8";'],
    [{ direction: 'in', waitMs: Infinity }, 'waitMs', 'is Infinity; it must be a number of milliseconds from 0.'],
    [{ direction: 'in', waitMs: -1 }, 'waitMs', 'is -1;'],
    [{ direction: 'in', from: 5 }, 'from', 'is 5; it must be an offset: a bigint from 0n.'],
    [{ direction: 'in', names: ['a', 1] }, 'names', 'is an array of 2; it must be an array, each item a string.'],
    [{ direction: 'in', limits: { maxTurns: 0 } }, 'limits.maxTurns', 'limits.maxTurns is 0;'],
    [{ direction: 'in', limits: null }, 'limits', 'limits is null;'],
    [{ direction: 'in', limits: [] }, 'limits', 'limits is an array of 0;'],
    [{}, 'direction', 'pump: direction is missing;'],
    [undefined, 'direction', 'pump: direction is missing;'],
  ])('%o names %s', (options, name, sentence) => {
    const { message, option } = refusal(options)
    expect(message).toContain(sentence)
    expect(option).toBe(name)
  })

  it.each([
    [{ direction: 'in', presureBytes: 1 }, 'there is no option presureBytes. Did you mean pressureBytes?'],
    [{ direction: 'in', wait: 1 }, 'there is no option wait. Did you mean waitMs?'],
    [{ direction: 'in', wiatMs: 1 }, 'Did you mean waitMs?'],
    [{ direction: 'in', DIRECTION: 'in' }, 'Did you mean direction?'],
    [{ direction: 'in', limits: { maxTurn: 1 } }, 'there is no option limits.maxTurn. Did you mean maxTurns?'],
    [{ direction: 'in', colour: 1 }, 'The options are pressureBytes, direction, waitMs, limits, from, names.'],
    [{ direction: 'in', ['__proto__']: 1 }, 'there is no option __proto__.'],
    [{ direction: 'in', 'two\nlines': 1 }, 'there is no option "two\\nlines".'],
    [null, 'the options must be an object, not null.'],
    [[], 'the options must be an object, not an array of 0.'],
    ['in', 'the options must be an object, not "in".'],
  ])('%o: %s', (options, sentence) => expect(refusal(options).message).toContain(sentence))

  it('shows nothing of what is given for a secret', () => {
    const door: OptionTable<{ readonly token?: object }> = { token: option.secret(option.objectOf('{ token }')) }
    const check = (): void => checkOptions('door', { token: 'CANARY' as never }, door)
    expect(check).toThrow('door: token is none; it must be { token }.')
  })

  it('calls no method of a value that it refuses', () => {
    const hostile = { toString: 5, valueOf: null, toJSON: () => expect.unreachable() }
    expect(refusal({ direction: hostile }).message).toContain('direction is an object;')
  })

  it('knows an option of a class, given by a getter', () => {
    class Given {
      get direction(): string {
        return 'up'
      }
    }
    expect(refusal(new Given()).message).toContain('direction is "up"')
  })

  it('tells the modes of a put apart from their misspellings', () => {
    const check = (mode: unknown) => () => checkOptions('put', { mode } as never, objectStoreOptions.put)
    for (const mode of ['create', 'overwrite', { ifMatch: 'tag' }, undefined]) check(mode)()
    for (const mode of ['creat', null, 5]) {
      expect(check(mode)).toThrow(`it must be 'overwrite' or 'create', or an object of ifMatch.`)
    }
    expect(check({})).toThrow('mode.ifMatch is missing; it must be a string.')
    expect(check({ ifMatch: 5 })).toThrow('mode.ifMatch is 5; it must be a string.')
    expect(check({ ifMatch: 'tag', or: 1 })).toThrow('there is no option mode.or.')
  })
})

describe('withDefaults', () => {
  it('keeps a default where undefined was given', () => {
    expect(withDefaults({ a: 1, b: 2 }, { a: undefined, b: 3 } as never)).toEqual({ a: 1, b: 3 })
    expect(withDefaults({ a: 1 }, undefined)).toEqual({ a: 1 })
  })
})
