import { describe, expect, it } from 'vitest'
import type { ObjectStore } from '../doors/object-store.ts'
import { allowedPlaces } from './allowed-places.ts'
import { defineObjectStore } from './define-object-store.ts'
import { tableFiles } from './table-files.ts'

const outside = expect.objectContaining({ kind: 'invalid', code: 'OUTSIDE_STORE' })

describe('allowed places', () => {
  const check = allowedPlaces(['s3://lake/shop', 'file:/data/my%20lake/'])

  it.each([
    's3://lake/shop/orders/data/a.parquet',
    's3://lake/shop/',
    's3://lake/shop/city=a%2Fb/x..y/...parquet',
    's3://lake/shop/100%/a',
    'file:///data/my%20lake/a',
    '/data/my%20lake/a',
    '/data/my lake/a',
  ])('hold %s', (location) => {
    expect(() => check(location)).not.toThrow()
  })

  it.each([
    's3://lake/shop',
    's3://lake/shopping/a',
    's3://lake/other/shop/a',
    's3://lakes/shop/a',
    's3://LAKE/shop/a',
    'S3://lake/shop/a',
    's3a://lake/shop/a',
    'gs://lake/shop/a',
    'file:///lake/shop/a',
    'file:/etc/passwd',
    '/etc/passwd',
    'lake/shop/a',
    '',
    's3://lake/shop/../other/a',
    's3://lake/shop/./a',
    's3://lake/shop/%2e%2e/other/a',
    's3://lake/shop/.%2E/other/a',
    's3://lake/shop/x%2f..%2f..%2fother',
    's3://lake/shop/%252e%252e/other/a',
    's3://lake/shop/..\\other',
    's3://lake/shop%2Fa',
    's3://lake%2Fshop/a',
    's3:/lake/shop/a',
    'http://s3://lake/shop/a',
    's3://lake/shop@elsewhere/a',
  ])('do not hold %s', (location) => {
    expect(() => check(location)).toThrow(outside)
  })

  it.each(['lake/shop', '', 's3:/lake', 's3://lake/../x', 's3://lake/%2e%2e/x'])('are never %j', (allow) => {
    expect(() => allowedPlaces([allow])).toThrow(expect.objectContaining({ kind: 'invalid', code: 'ALLOW' }))
  })

  it('are asked before any store is, whatever is done', async () => {
    const asked: string[] = []
    const unused = (): never => {
      throw new TypeError('not part of this test')
    }
    const stores = (location: string): ObjectStore => {
      asked.push(location)
      return defineObjectStore({
        name: 'bucket',
        root: 's3://lake/',
        capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },
        durability: 'memory',
        listOrder: 'bytes',
        ...{ head: unused, get: unused, put: unused, delete: unused, list: unused },
      })
    }
    const files = tableFiles(stores, { allow: ['s3://lake/shop/'] })
    const bad = 's3://lake/shop/%2e%2e/secret'
    const bytes = new Uint8Array(1)
    await expect(files.get(bad)).rejects.toThrow(outside)
    await expect(files.head(bad)).rejects.toThrow(outside)
    await expect(files.getRanges(bad, [])).rejects.toThrow(outside)
    await expect(files.put(bad, bytes)).rejects.toThrow(outside)
    await expect(files.deleteMany(['s3://lake/shop/a', bad])).rejects.toThrow(outside)
    await expect(files.list('s3://lake/')[Symbol.asyncIterator]().next()).rejects.toThrow(outside)
    expect(() => files.under('s3://lake/other', 'a')).toThrow(outside)
    expect(files.isSame(bad, 's3://lake/secret')).toBe(false)
    expect(asked).toEqual(['s3://lake/shop/a'])
    expect(files.canonical('s3://lake/shop/a')).toBe('s3://lake/shop/a')
    // One store for all is no other case.
    const one = tableFiles(stores('s3://lake/shop/a'), { allow: ['s3://lake/shop/'] })
    expect(() => one.canonical('s3://lake/secret')).toThrow(outside)
  })
})
