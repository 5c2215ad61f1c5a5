import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { notFound, unavailable, unsupported } from './errors.ts'
import {
  checkKey,
  checkRoot,
  compareKeys,
  headLocation,
  isSameLocation,
  keyOf,
  keysOf,
  openLocation,
  uriOf,
} from './object-key.ts'

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

describe('headLocation', () => {
  const asking = (present: readonly string[], uri = '/data/lake/a%62c') => {
    const asked: string[] = []
    const head = async (key: string) => {
      asked.push(key)
      if (key.length > 255) throw unsupported('KEY_SEGMENT_TOO_LONG', `${key} is too long`)
      return present.includes(key) ? { key, size: key.length, etag: '"1"', modifiedMs: 0 } : undefined
    }
    return { asked, found: headLocation({ ...store, head }, uri) }
  }

  it('asks for the raw object, and for the decoded one only where that is not there', async () => {
    const raw = asking(['a%62c', 'abc'])
    expect(await raw.found).toMatchObject({ key: 'a%62c', size: 5 })
    expect(raw.asked).toEqual(['a%62c'])
    const decoded = asking(['abc'])
    expect(await decoded.found).toMatchObject({ key: 'abc', size: 3 })
    expect(await asking([]).found).toBeUndefined()
    const long = '東'.repeat(40)
    const key = `k=${long}/x`
    expect(await asking([key], `file:///data/lake/k=${encodeURIComponent(long)}/x`).found).toMatchObject({ key })
  })

  it('passes on what the store cannot say, and refuses other places', async () => {
    const head = async () => {
      throw unavailable('TIMEOUT', 'no answer')
    }
    await expect(headLocation({ ...store, head }, '/data/lake/a%62c')).rejects.toThrow('no answer')
    await expect(asking([], 's3://bucket/a').found).rejects.toMatchObject({ code: 'OUTSIDE_STORE' })
  })
})

describe('openLocation', () => {
  const reading = (present: readonly string[]) => {
    const asked: string[] = []
    const get = async (key: string) => {
      asked.push(key)
      if (!present.includes(key)) throw notFound('OBJECT', `${key} is missing`)
      return { key, size: 1, etag: '"1"', modifiedMs: 0, bytes: new Uint8Array(1) }
    }
    return { asked, read: openLocation({ ...store, get }, '/data/lake/a%62c') }
  }

  it('prefers the raw object', async () => {
    const { asked, read } = reading(['a%62c', 'abc'])
    expect((await read()).key).toBe('a%62c')
    expect(asked).toEqual(['a%62c'])
  })

  it('stays with the spelling that answered', async () => {
    const { asked, read } = reading(['abc'])
    expect((await read()).key).toBe('abc')
    await read({ range: { start: 0, end: 1 } })
    expect(asked).toEqual(['a%62c', 'abc', 'abc'])
  })

  it('reads under its decoded key what is too long for a store when encoded', async () => {
    const long = '東'.repeat(40)
    const get = async (key: string) => {
      if (key.length > 255) throw unsupported('KEY_SEGMENT_TOO_LONG', `${key} is too long`)
      return { key, size: 1, etag: '"1"', modifiedMs: 0, bytes: new Uint8Array(1) }
    }
    const read = openLocation({ ...store, get }, `file:///data/lake/k=${encodeURIComponent(long)}/x`)
    expect((await read()).key).toBe(`k=${long}/x`)
  })

  it('passes on every other fault of the raw key', async () => {
    const asked: string[] = []
    const get = async (key: string) => {
      asked.push(key)
      throw unavailable('TIMEOUT', 'no answer')
    }
    await expect(openLocation({ ...store, get }, '/data/lake/a%62c')()).rejects.toThrow('no answer')
    expect(asked).toEqual(['a%62c'])
  })

  it('names the raw key when none is there', async () => {
    await expect(reading([]).read()).rejects.toThrow('a%62c is missing')
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
