import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  assert,
  exhausted,
  exists,
  fromErrorData,
  hasOutcome,
  invalid,
  isKind,
  isMoulinError,
  mayBeThere,
  toErrorData,
  unavailable,
  withOutcome,
} from './errors.ts'
import { redacted } from './redacted.ts'

describe('errors', () => {
  it('are recognised by brand, also when another copy of core made them', () => {
    const foreign = Object.assign(new Error('x'), { kind: 'invalid', code: 'X' })
    Object.defineProperty(foreign, Symbol.for('moulin.error'), { value: true })
    expect(isMoulinError(foreign)).toBe(true)
    expect(isMoulinError(new Error('x'))).toBe(false)
    expect(isMoulinError(null)).toBe(false)
  })

  it('say whether to try again: only what was rejected for an environment fault', () => {
    expect(unavailable('X', 'x').retryable).toBe(true)
    expect(unavailable('X', 'x', { outcome: 'unknown' }).retryable).toBe(false)
    expect(invalid('X', 'x').retryable).toBe(false)
    expect(invalid('X', 'x').outcome).toBe('rejected')
  })

  it('say of a create whether the thing may be there: not what was rejected, nor what is no error of ours', () => {
    const unknown = unavailable('PUT', 'x', { outcome: 'unknown' })
    expect([unknown, exists('TAKEN', 'x'), unavailable('PUT', 'x')].map(mayBeThere)).toEqual([true, true, false])
    expect([{ outcome: 'unknown' }, undefined, null].map(mayBeThere)).toEqual([false, false, false])
    expect([hasOutcome(unknown, 'unknown'), hasOutcome(unknown, 'rejected')]).toEqual([true, false])
    expect(hasOutcome({ outcome: 'rejected' }, 'rejected')).toBe(false)
  })

  it('cross a worker border as plain data', () => {
    const error = unavailable('DISK', 'The disk is gone.', { outcome: 'unknown', context: { offset: 5n } })
    const back = fromErrorData(structuredClone(toErrorData(error)))
    expect(back).toMatchObject({ kind: 'unavailable', code: 'DISK', outcome: 'unknown', context: { offset: 5n } })
    expect(back.stack).toBe(error.stack)
    expect(isKind(back, 'unavailable', 'DISK')).toBe(true)
    expect(toErrorData(new TypeError('boom'))).toMatchObject({ kind: 'internal', outcome: 'unknown' })
  })

  it('take another outcome, and whether to try again with it unless told', () => {
    const full = exhausted('NO_SPACE', 'full', { context: { path: '/a' }, retryable: true })
    const unknown = withOutcome(full, 'unknown')
    const fault = withOutcome(unavailable('DISK', 'gone', { outcome: 'unknown' }), 'rejected')
    expect(unknown).toMatchObject({ kind: 'exhausted', code: 'NO_SPACE', outcome: 'unknown', retryable: false })
    expect(unknown).toMatchObject({ message: 'full', context: { path: '/a' }, cause: full })
    expect(fault.retryable).toBe(true)
    expect(withOutcome(fault, 'unknown', true).retryable).toBe(true)
    expect(withOutcome(full, 'rejected', false)).toMatchObject({ outcome: 'rejected', retryable: false })
    const stranger = new TypeError('boom')
    expect([withOutcome(full, 'rejected'), withOutcome(stranger, 'rejected')]).toEqual([full, stranger])
  })

  it('assert throws an internal error naming the assumption', () => {
    expect(() => assert(1 > 2, 'one is more than two')).toThrow('one is more than two')
  })
})

describe('redacted', () => {
  it('shows a placeholder however it is printed', () => {
    const secret = redacted('hunter2')
    expect(`${secret} ${JSON.stringify({ secret })} ${inspect({ secret })}`).not.toContain('hunter2')
    expect(secret.reveal()).toBe('hunter2')
  })
})
