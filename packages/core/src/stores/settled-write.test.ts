import { describe, expect, it } from 'vitest'
import { aborted, conflict, exists, unavailable } from '../model/errors.ts'
import { settledWrite } from './settled-write.ts'
import type { ConditionalWrite, WrittenBy } from './settled-write.ts'

const lost = (): Error => unavailable('STORE_FAILED', 'No answer.', { outcome: 'unknown' })
const taken = (): Error => exists('KEY_EXISTS', 'It is there.')
const raced = (): Error => unavailable('WRITE_RACED', 'Another is writing.')
const own: WrittenBy = { etag: '"7"', attemptId: 'own' }
const other: WrittenBy = { etag: '"8"', attemptId: 'other' }
const nameless: WrittenBy = { etag: '"9"', attemptId: undefined }

interface Case {
  readonly thrown: Error
  readonly seen: WrittenBy | undefined | Error
  readonly ifMatch?: string
  readonly isEqual?: boolean | Error
  readonly isNamed?: boolean
}

async function settle({ thrown, seen, ifMatch, isEqual = false, isNamed = false }: Case): Promise<unknown> {
  const write: ConditionalWrite = {
    attemptId: 'own',
    isNamed,
    ifMatch,
    send: () => Promise.reject(thrown),
    look: () => (seen instanceof Error ? Promise.reject(seen) : Promise.resolve(seen)),
    hasBytes: () => (isEqual instanceof Error ? Promise.reject(isEqual) : Promise.resolve(isEqual)),
  }
  return await settledWrite(write).catch((error: unknown) => error)
}

describe('settledWrite', () => {
  it.each<[string, Case, object]>([
    ['own version after a lost answer', { thrown: lost(), seen: own }, { etag: '"7"' }],
    ['own version after a refusal', { thrown: taken(), seen: own }, { etag: '"7"' }],
    ['own version after a race that persists', { thrown: raced(), seen: own }, { etag: '"7"' }],
    ["another's after a refusal", { thrown: taken(), seen: other }, { kind: 'exists', outcome: 'rejected' }],
    [
      "another's after a race",
      { thrown: raced(), seen: other },
      { kind: 'exists', code: 'KEY_EXISTS', outcome: 'rejected' },
    ],
    ["another's after a lost answer", { thrown: lost(), seen: other }, { kind: 'exists', outcome: 'unknown' }],
    [
      "another's after a lost swap",
      { thrown: lost(), seen: other, ifMatch: '"1"' },
      { kind: 'conflict', code: 'TAG_MISMATCH', outcome: 'unknown', retryable: false },
    ],
    ['nothing after a lost answer', { thrown: lost(), seen: undefined }, { kind: 'unavailable', outcome: 'unknown' }],
    [
      'nothing after a race',
      { thrown: raced(), seen: undefined },
      { code: 'WRITE_RACED', outcome: 'rejected', retryable: true },
    ],
    [
      'nothing after a swap was refused',
      { thrown: conflict('TAG_MISMATCH', 'It is gone.'), seen: undefined, ifMatch: '"1"' },
      { kind: 'conflict', outcome: 'rejected' },
    ],
    [
      'the version that a lost swap expects',
      { thrown: lost(), seen: other, ifMatch: '"8"' },
      { kind: 'unavailable', outcome: 'unknown' },
    ],
    [
      'the version that a swap expects, after a race',
      { thrown: raced(), seen: other, ifMatch: '"8"' },
      { code: 'WRITE_RACED', outcome: 'rejected', retryable: true },
    ],
    [
      'its own version, of equal bytes and so of an equal tag, after a lost swap',
      { thrown: lost(), seen: { ...own, etag: '"1"' }, ifMatch: '"1"' },
      { etag: '"1"' },
    ],
    [
      'an abort in the look',
      { thrown: taken(), seen: aborted('ABORTED', 'By its signal.') },
      { kind: 'aborted', outcome: 'unknown' },
    ],
    [
      'an abort in the reading',
      { thrown: taken(), seen: nameless, isEqual: aborted('ABORTED', 'By its signal.') },
      { kind: 'aborted', outcome: 'unknown' },
    ],
    ['other bytes without an id', { thrown: taken(), seen: nameless }, { kind: 'exists', outcome: 'rejected' }],
    [
      'equal bytes without an id',
      { thrown: taken(), seen: nameless, isEqual: true },
      { kind: 'exists', outcome: 'unknown' },
    ],
    [
      'bytes without an id that cannot be read',
      { thrown: taken(), seen: nameless, isEqual: lost() },
      { kind: 'exists', outcome: 'unknown' },
    ],
    [
      'a head that cannot be read now',
      { thrown: taken(), seen: unavailable('STORE_FAILED', 'A reset.'), isNamed: true },
      { kind: 'exists', outcome: 'unknown', retryable: true },
    ],
    [
      'a head that cannot be read now, to one who does not know the id',
      { thrown: taken(), seen: unavailable('STORE_FAILED', 'A reset.') },
      { kind: 'exists', outcome: 'unknown', retryable: false },
    ],
    [
      'a head that may not be read',
      { thrown: taken(), seen: unavailable('FORBIDDEN', 'No.', { retryable: false }), isNamed: true },
      { kind: 'exists', outcome: 'unknown', retryable: false },
    ],
  ])('tells %s', async (_, given, told) => {
    expect(await settle(given)).toMatchObject(told)
  })

  it.each([
    aborted('ABORTED', 'By its signal.', { outcome: 'unknown' }),
    unavailable('SLOW_DOWN', 'Later.'),
    new Error('a bug'),
  ])('does not look after $message', async (thrown) => {
    const look = (): Promise<undefined> => Promise.reject(new Error('looked'))
    const write = {
      attemptId: 'own',
      ifMatch: undefined,
      send: () => Promise.reject(thrown),
      look,
      hasBytes: () => look(),
    }
    await expect(settledWrite(write as never)).rejects.toBe(thrown)
  })
})
