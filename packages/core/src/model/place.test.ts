import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { isMoulinError } from './errors.ts'
import { folderOf } from './place.ts'

describe('folderOf', () => {
  it.each([
    ['lake', resolve('lake')],
    ['./a/../lake/', resolve('lake')],
    ['/data/my lake/', '/data/my lake'],
    ['/data/100%25', '/data/100%25'],
    ['/data/a:b', '/data/a:b'],
    ['lake:1', resolve('lake:1')],
    ['C:\\lake', resolve('C:\\lake')],
    ['c:/lake', resolve('c:/lake')],
    ['file:///data/lake/', '/data/lake'],
    ['file:/data/lake', '/data/lake'],
    ['FILE:///data/my%20lake', '/data/my lake'],
    ['file:///data/my lake', '/data/my lake'],
    ['file://localhost/data/lake', '/data/lake'],
    [new URL('file:///data/my%20lake/'), '/data/my lake'],
    [pathToFileURL('/data/50% #1?'), '/data/50% #1?'],
  ])('%s', (place, path) => expect(folderOf('openLog', place)).toBe(path))

  it.each(['s3://bucket/lake', 's3:/bucket/lake', 'gs://b/l', 'abfss://c@a.dfs.core.windows.net/l', 'hdfs://n:1/l'])(
    '%s is a store of another kind',
    (place) => {
      const scheme = place.slice(0, place.indexOf(':'))
      expect(refusal(place)).toMatchObject({ kind: 'unsupported', code: 'STORE_SCHEME', context: { scheme } })
      expect(refusal(place).message).toMatch(
        /^openLog: .*folder, by path or file: URL.*openLog\(\{ store, wal, tier \}\)/,
      )
    },
  )

  it('shows no password of a URL', () => {
    const secret = 'https://ada:lovelace@host/lake?token=lovelace'
    expect(refusal(new URL(secret)).message).not.toContain('lovelace')
    expect(refusal(secret).message).not.toContain('lovelace')
  })

  it.each([
    '',
    'a\0b',
    undefined,
    null,
    5,
    {},
    [],
    'file:///lake?x=1',
    'file:///lake#x',
    'file:///a%2Fb',
    'file:///%zz',
    'file://other-host/lake',
    'file://[/lake',
  ])('%o is no place', (place) => expect(refusal(place)).toMatchObject({ kind: 'invalid', code: 'PLACE' }))
})

function refusal(place: unknown) {
  try {
    folderOf('openLog', place)
  } catch (error) {
    if (isMoulinError(error)) return error
    throw error
  }
  throw new Error('it was taken')
}
