import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkKey, checkRoot, compareKeys, isSameLocation, keyOf, keysOf, uriOf } from './object-key.ts'

const store = { root: 'file:///data/lake/', name: 'fileSystem(/data/lake)' }

describe('checkKey', () => {
  it('refuses what some store would read differently', () => {
    for (const bad of [
      '',
      '/a',
      'a/',
      'a//b',
      './a',
      'a/../b',
      'a\u0000',
      'a\u007f',
      '\ud800',
      'x'.repeat(1025),
      'ü'.repeat(513),
    ]) {
      expect(() => checkKey(bad), JSON.stringify(bad)).toThrow('The key')
    }
    for (const good of ['a', 'a/b.c', 'ü', ' ', '..a', 'x'.repeat(1024)]) checkKey(good)
  })
})

describe('keyOf and uriOf', () => {
  it('are inverse, and nothing is escaped on the way', () => {
    for (const key of ['tables/a/b.parquet', 'a b/ü.json', 'a%20b', 'x#y?z'])
      expect(keyOf(store, uriOf(store, key))).toBe(key)
    expect(uriOf({ root: 'file:///Öl lake/50%/' }, 'a b/ü%2F.json')).toBe('file:///Öl lake/50%/a b/ü%2F.json')
  })

  it('understand the spellings of other engines', () => {
    expect(keyOf(store, 'file:/data/lake/a')).toBe('a')
    expect(keyOf(store, '/data/lake/a')).toBe('a')
  })

  it('refuse places outside of the store', () => {
    for (const uri of ['file:///data/other/a', 's3://bucket/a', 'file:///data/lake/../x', 'file:///data/lakeside/x']) {
      expect(() => keyOf(store, uri), uri).toThrow()
    }
  })
})

describe('a store with other names', () => {
  const bucket = { root: 's3://lake/a b/', name: 'bucket', aliases: ['s3a://lake/a b/', 's3n://lake/a b/'] }

  it('has one key for all of them, raw and decoded', () => {
    for (const scheme of ['s3', 's3a', 's3n']) expect(keyOf(bucket, `${scheme}://lake/a b/t/x%20`)).toBe('t/x%20')
    expect(keysOf(bucket, 's3a://lake/a b/x%20')).toEqual(['x%20', 'x '])
    expect(keysOf(bucket, 's3n://lake/a%20b/x')).toEqual(['x'])
  })

  it('is no other one', () => {
    for (const uri of ['gs://lake/a b/x', 's3a://lakes/a b/x', 's3a://lake/a b', 's3a://lake/a b/../x'])
      expect(() => keysOf(bucket, uri), uri).toThrow()
  })
})

describe('keysOf', () => {
  it('takes a location raw first, then percent-decoded', () => {
    expect(keysOf(store, 'file:/data/lake/plain')).toEqual(['plain'])
    expect(keysOf(store, '/data/lake/k=%C3%84%20b/x%23')).toEqual(['k=%C3%84%20b/x%23', 'k=Ä b/x#'])
    expect(keysOf({ root: 'file:///my data/', name: 'm' }, 'file:///my%20data/q%25')).toEqual(['q%'])
    expect(keysOf({ root: 'file:///x%41/', name: 'm' }, 'file:///x%41/q%42')).toEqual(['q%42', 'qB'])
    expect(keysOf(store, 'file:///data/lake/100%')).toEqual(['100%'])
  })

  it('never decodes its way out of the store', () => {
    expect(keysOf(store, 'file:///data/lake/%2e%2e/x')).toEqual(['%2e%2e/x'])
    expect(() => keysOf(store, 'file:///data/%2e%2e/x')).toThrow('outside')
  })
})

describe('isSameLocation', () => {
  it('knows the spellings of a file and compares all else raw', () => {
    expect(isSameLocation('file:/a b/', '/a b')).toBe(true)
    expect(isSameLocation('file:///a b', 'file:/a b')).toBe(true)
    expect(isSameLocation('file:///a%20b', 'file:///a b')).toBe(false)
  })
})

describe('checkRoot', () => {
  it('refuses what engines read as another place', () => {
    for (const bad of [
      'file:///a#/',
      'file:///q?/x/',
      'file:///"/',
      'file:///n\n/',
      'file:///\udc00/',
      'file:///a',
      '/a/',
    ]) {
      expect(() => checkRoot({ root: bad, name: 'it' }), bad).toThrow('Choose another place')
    }
    for (const good of [
      'file:///my lake/',
      'file:///Müll/',
      'file:///a%41b/',
      'memory://m/{x}/',
      "file:///[x]*;&+='\\: /",
    ])
      checkRoot({ root: good, name: 'it' })
  })
})

describe('compareKeys', () => {
  it('orders by UTF-8 bytes, not by UTF-16 units', () => {
    expect(compareKeys('\uffee', '\u{10000}')).toBeLessThan(0)
    expect('\uffee' < '\u{10000}').toBe(false)
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
    )
  })
})
