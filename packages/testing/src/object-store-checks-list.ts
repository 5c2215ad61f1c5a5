import { compareKeys, keyOf, uriOf } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from './assertions.ts'
import type { ObjectStoreCheck } from './object-store-checks.ts'
import { encode, listKeys, putAll, readText } from './object-store-checks.ts'

const byBytes = (keys: readonly string[]): string[] => [...keys].sort(compareKeys)

/** Listing, and what keys may be. */
export const listChecks: readonly ObjectStoreCheck[] = [
  {
    name: 'lists in byte order of whole keys, not folder by folder',
    order: 'bytes',
    async run(store) {
      const keys = ['a!', 'a-b/1', 'a.b', 'a/1', 'a/1-', 'a/b/c', 'a0', 'ab', 'b']
      await putAll(store, [...keys].reverse())
      expectEqual(await listKeys(store), keys, 'the list')
      for (const after of [...keys, 'a', 'a/', 'a/1!', 'a/b/', 'a-'])
        expectEqual(
          await listKeys(store, { after }),
          keys.filter((key) => compareKeys(key, after) > 0),
          `the list after ${after}`,
        )
    },
  },
  {
    name: 'lists in byte order of UTF-8, not of UTF-16',
    order: 'bytes',
    async run(store) {
      // U+1F600 is above U+FF5E, but its UTF-16 begins with D83D, which is below.
      const keys = ['k/A', 'k/_', 'k/a', 'k/\u00e9', 'k/\u20ac', 'k/\uff5e', 'k/\u{1f600}']
      await putAll(store, [...keys].reverse())
      expectEqual(await listKeys(store, { prefix: 'k/' }), keys, 'the list')
      expectEqual(await listKeys(store, { after: 'k/\uff5e' }), ['k/\u{1f600}'], 'the list after U+FF5E')
      expectEqual(await listKeys(store, { after: 'k/\u{1f600}' }), [], 'the list after U+1F600')
    },
  },
  {
    name: 'begins a list strictly after the given key, present or not',
    async run(store) {
      const keys = ['a', 'b/1', 'b/2', 'b/3', 'c']
      await putAll(store, keys)
      const after = (key: string, prefix?: string): Promise<string[]> =>
        listKeys(store, prefix === undefined ? { after: key } : { after: key, prefix })
      expectEqual(await after('b/1'), ['b/2', 'b/3', 'c'], 'after a present key')
      expectEqual(await after('b/15'), ['b/2', 'b/3', 'c'], 'after a key that is not there')
      expectEqual(await after('0'), keys, 'after a key before all')
      expectEqual(await after('c'), [], 'after the last')
      expectEqual(await after('b/2', 'b/'), ['b/3'], 'after a key inside the prefix')
      expectEqual(await after('a', 'b/'), ['b/1', 'b/2', 'b/3'], 'after a key before the prefix')
      expectEqual(await after('c', 'b/'), [], 'after a key behind the prefix')
    },
  },
  {
    name: 'takes a prefix as a string, not as a folder',
    async run(store) {
      const keys = ['ab', 'ab/c', 'ab/c/d', 'abc', 'abd/e', 'b'].filter((key) => key !== 'ab' && key !== 'ab/c')
      await putAll(store, keys)
      expectEqual(await listKeys(store, { prefix: 'ab' }), byBytes(['ab/c/d', 'abc', 'abd/e']), 'prefix ab')
      expectEqual(await listKeys(store, { prefix: 'ab/' }), ['ab/c/d'], 'prefix ab/')
      expectEqual(await listKeys(store, { prefix: 'ab/c' }), ['ab/c/d'], 'prefix ab/c')
      expectEqual(await listKeys(store, { prefix: 'abc' }), ['abc'], 'a whole key as prefix')
      expectEqual(await listKeys(store, { prefix: 'abcd' }), [], 'a prefix longer than any key')
      expectEqual(await listKeys(store, { prefix: '' }), byBytes(keys), 'the empty prefix')
      for (const prefix of ['/', '../', 'ab//', './', 'ab/../'])
        expectEqual(await listKeys(store, { prefix }), [], `the prefix ${prefix}, which no key has`)
    },
  },
  {
    name: 'lists each of many keys once, in order',
    async run(store, { manyKeys }) {
      const keys = Array.from({ length: manyKeys }, (_, i) => `many/${String(i).padStart(6, '0')}`)
      await putAll(store, [...keys].reverse())
      expectEqual(await listKeys(store, { prefix: 'many/' }), keys, `the list of ${manyKeys} keys`)
      const half = Math.floor(manyKeys / 2)
      expectEqual(await listKeys(store, { after: keys[half]! }), keys.slice(half + 1), 'the list of the second half')
    },
  },
  {
    name: 'keeps odd keys as they are',
    async run(store, { maxKeyBytes }) {
      const names = [
        ' ',
        'a b',
        '%',
        '%2F',
        '%2e%2e',
        '..%2fx',
        '+',
        '&=?#',
        '\'"`',
        '\\',
        '..\\x',
        '~',
        '*:<>|',
        '{}[]$!',
      ]
      names.push(
        '.hidden',
        '...',
        'a..b',
        '..a',
        'a.',
        '-rf',
        'é',
        'e\u0301',
        '日本',
        '\u{1f600}',
        '\u202ertl',
        '\u00a0',
      )
      names.push('__proto__', 'constructor', 'toString', 'null', 'x'.repeat(255), 'é'.repeat(127))
      const keys = names.map((name) => `odd/${name}`)
      keys.push(
        ...names.map((name) => `odd-folders/${name}/x`),
        Array.from({ length: 5 }, () => 'd'.repeat(204))
          .join('/')
          .slice(0, maxKeyBytes),
      )
      await putAll(store, keys)
      for (const key of keys) {
        expectEqual(await readText(store, key), key, `the object ${key}`)
        expectEqual((await store.head(key))?.key, key, `head of ${key}`)
        expectEqual(keyOf(store, uriOf(store, key)), key, `the key of the URI of ${key}`)
      }
      expectEqual(await listKeys(store), byBytes(keys), 'the list of odd keys')
      for (const key of keys) await store.delete(key)
      expectEqual(await listKeys(store), [], 'the list after their deletes')
    },
  },
  {
    name: 'keeps keys apart that differ only in case',
    async run(store) {
      const keys = ['Folder/key', 'folder/KEY', 'folder/key']
      await putAll(store, keys)
      for (const key of keys) expectEqual(await readText(store, key), key, `the object ${key}`)
      await store.put('FOLDER/key', encode('x'), { mode: 'create' })
      await store.delete('folder/key')
      expectEqual(await listKeys(store), ['FOLDER/key', 'Folder/key', 'folder/KEY'], 'the list')
    },
  },
  {
    name: 'keeps an object and others below its key',
    async run(store) {
      const keys = ['a', 'a/b', 'a/b/c', 'a0']
      await putAll(store, keys)
      expectEqual(await listKeys(store), keys, 'the list')
      await store.delete('a')
      await store.delete('a/b/c')
      expectEqual(await readText(store, 'a/b'), 'a/b', 'the object between two that are gone')
    },
  },
  {
    name: 'refuses keys that are none or that lead elsewhere',
    async run(store) {
      const keys = [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        './a',
        '../a',
        'a/.',
        'a/..',
        'a/../b',
        'a/./b',
        '../../etc/passwd',
      ]
      keys.push('a\0b', 'a\nb', '\u007f', '\ud800', 'a\udc00', 'k'.repeat(1025), `${'é'.repeat(512)}x`, 'a/\u0001/b')
      for (const key of keys) {
        const shown = JSON.stringify(key.slice(0, 40))
        await expectError(store.put(key, encode('x')), 'invalid', `put of ${shown}`)
        await expectError(store.put(key, encode('x'), { mode: 'create' }), 'invalid', `create of ${shown}`)
        await expectError(store.get(key), 'invalid', `get of ${shown}`)
        await expectError(store.head(key), 'invalid', `head of ${shown}`)
        await expectError(store.delete(key), 'invalid', `delete of ${shown}`)
      }
      expectEqual(await listKeys(store), [], 'the list after refused puts')
    },
  },
  {
    name: 'names its objects by absolute URIs below its root',
    async run(store) {
      expectTrue(
        /^[a-z][a-z0-9+.-]*:\/\/.*\/$/.test(store.root),
        `the root ${store.root} is a URI that ends in a slash`,
      )
      expectTrue(store.name.length > 0, 'the store has a name')
      for (const key of ['a', 'a/b c/d%20e'])
        expectEqual(keyOf(store, uriOf(store, key)), key, `the key of the URI of ${key}`)
    },
  },
  {
    name: 'has each object at root and key, as they stand',
    byLocation: true,
    async run(store, _sizes, { at }) {
      if (at === undefined) throw new TypeError('This check reads locations: give it a way.')
      const keys = [
        'plain',
        'a b/ü.x',
        'city=M%C3%BCnchen/%2F',
        '100%/+&=',
        '東京/{x}[y]*',
        "it's;a:b",
        '%41/%2541',
        'A',
      ]
      await putAll(store, keys)
      for (const key of keys) {
        const bytes = await at(store.root + key)
        expectTrue(bytes !== undefined, `there is something at ${store.root + key}`)
        expectEqual(new TextDecoder().decode(bytes), key, `what is at ${store.root + key}`)
      }
      for (const key of keys) await store.delete(key)
      for (const key of keys) expectEqual(await at(store.root + key), undefined, `what is at ${store.root + key} then`)
    },
  },
]
