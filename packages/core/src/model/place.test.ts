import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { isMoulinError } from './errors.ts'
import { folderOf, placeOf } from './place.ts'

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
      expect(refusal(place).message).toMatch(/^openLog: .*folder.*file: URL.*openLog\(\{ store, wal, tier \}\)/)
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

describe('placeOf', () => {
  it.each<[unknown, object]>([
    ['lake', { kind: 'folder', dir: resolve('lake') }],
    ['file:///data/my%20lake', { kind: 'folder', dir: '/data/my lake' }],
    ['s3://lake', { kind: 's3', bucket: 'lake', prefix: '' }],
    ['s3://lake/', { kind: 's3', bucket: 'lake', prefix: '' }],
    ['S3A://lake/a b/50%25', { kind: 's3', bucket: 'lake', prefix: 'a b/50%25/' }],
    ['s3n://lake/a/', { kind: 's3', bucket: 'lake', prefix: 'a/' }],
    ['gs://lake/a/b', { kind: 'gcs', bucket: 'lake', prefix: 'a/b/' }],
    ['az://account/lake', { kind: 'azure', account: 'account', bucket: 'lake', prefix: '' }],
    ['az://account/lake/a/', { kind: 'azure', account: 'account', bucket: 'lake', prefix: 'a/' }],
    [
      'abfss://lake@account.dfs.core.windows.net/a',
      { kind: 'azure', account: 'account', bucket: 'lake', prefix: 'a/' },
    ],
    ['wasbs://lake@account.blob.core.windows.net', { kind: 'azure', account: 'account', bucket: 'lake', prefix: '' }],
    [new URL('s3://lake/my%20lake/'), { kind: 's3', bucket: 'lake', prefix: 'my lake/' }],
    [new URL('file:///data/my%20lake'), { kind: 'folder', dir: '/data/my lake' }],
  ])('%s', (place, meant) => expect(placeOf('openLog', place)).toEqual(meant))

  it.each([
    's3://',
    's3:///a',
    's3:/lake/a',
    's3://ada:lovelace@lake/a',
    's3://lake/a//b',
    's3://lake/../b',
    's3://lake/a?x=lovelace',
    's3://lake/a#x',
    'az://account',
    'abfss://lake/a',
    'abfss://lake@lovelace.example.com/a',
    new URL('s3://lake/a?token=lovelace'),
    new URL('s3://lake/a%2F%2Fb'),
    new URL('s3://lake/%zz'),
  ])('%s is no place', (place) => {
    expect(() => placeOf('openLog', place)).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'PLACE' }) as Error,
    )
    expect(() => placeOf('openLog', place)).not.toThrow('lovelace')
  })

  it('knows no other schemes', () => {
    expect(() => placeOf('openLog', 'hdfs://name/lake')).toThrow(
      expect.objectContaining({ kind: 'unsupported', code: 'STORE_SCHEME', context: { scheme: 'hdfs' } }) as Error,
    )
  })
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
