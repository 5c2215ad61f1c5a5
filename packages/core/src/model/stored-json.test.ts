import { describe, expect, it } from 'vitest'
import { isKind } from './errors.ts'
import { parseStored, storedBytes } from './stored-json.ts'
import type { StoredKind } from './stored-json.ts'

const kind: StoredKind = { name: 'parcel', format: 3, minimumReader: 2 }
const what = 'the parcel'

const errorOf = (text: string): unknown => {
  try {
    return parseStored(kind, text, what)
  } catch (error) {
    return error
  }
}

describe('the version rule of stored JSON', () => {
  it('writes the versions of its kind', () => {
    const json = parseStored(kind, storedBytes(kind, { epoch: 2n ** 60n }), what)
    expect(json).toEqual({ format: 3, minimumReader: 2, epoch: 2n ** 60n })
  })

  it('reads any format whose minimum reader is not above ours, unknown members and all', () => {
    const text = '{"format":900,"minimumReader":3,"later":[1],"name":"a"}'
    expect(parseStored(kind, text, what)).toMatchObject({ name: 'a' })
  })

  it('refuses a higher minimum reader by name, whatever else it holds', () => {
    const error = errorOf('{"minimumReader":4}')
    expect(isKind(error, 'unsupported', 'FORMAT_VERSION')).toBe(true)
    expect((error as Error).message).toContain('parcel format 4')
  })

  it.each(['{"format":1}', '{"minimumReader":"1"}', '{"minimumReader":1.5}', '{"minimumReader":-1}', '[]', '{'])(
    'calls %s damage',
    (text) => expect(isKind(errorOf(text), 'corrupt')).toBe(true),
  )
})
