import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkKey, compareKeys, keyOf, uriOf } from './object-key.ts'

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
  it('are inverse, also for keys that need escapes', () => {
    for (const key of ['tables/a/b.parquet', 'a b/ü.json', 'a%20b', 'x#y?z'])
      expect(keyOf(store, uriOf(store, key))).toBe(key)
  })

  it('understand the spellings of other engines', () => {
    expect(keyOf(store, 'file:/data/lake/a')).toBe('a')
    expect(keyOf(store, '/data/lake/a')).toBe('a')
  })

  it('refuse places outside of the store', () => {
    for (const uri of [
      'file:///data/other/a',
      's3://bucket/a',
      'file:///data/lake/../x',
      'file:///data/lake/%2e%2e/x',
      'file:///data/lakeside/x',
    ]) {
      expect(() => keyOf(store, uri), uri).toThrow()
    }
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
