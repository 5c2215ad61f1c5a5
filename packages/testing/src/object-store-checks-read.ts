import type { ByteRange } from '@moulin/core'
import { isKind } from '@moulin/core'
import { expectBytes, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { ObjectStoreCheck } from './object-store-checks.ts'
import { encode, listKeys, pattern, readText, turn, whileOverwritten } from './object-store-checks.ts'

const ten = encode('0123456789')

/** Reading: ranges, sizes, tags, freshness, copies. */
export const readChecks: readonly ObjectStoreCheck[] = [
  {
    name: 'gives back the bytes that were put',
    async run(store) {
      for (const length of [1, 4095, 4096, 65_537, 1_000_003]) {
        const bytes = pattern(length, length)
        await store.put(`size/${length}`, bytes)
        expectBytes((await store.get(`size/${length}`)).bytes, bytes, `an object of ${length} bytes`)
      }
      // A view into a larger buffer is only what it shows.
      const view = pattern(100).subarray(10, 20)
      await store.put('view', view)
      expectBytes((await store.get('view')).bytes, view, 'a view into a larger buffer')
    },
  },
  {
    name: 'keeps an empty object',
    async run(store) {
      await store.put('empty', new Uint8Array(0), { mode: 'create' })
      const object = await store.get('empty')
      expectEqual([object.size, object.bytes.length], [0, 0], 'size of an empty object')
      expectEqual((await store.head('empty'))?.size, 0, 'size by head')
      expectEqual(await listKeys(store), ['empty'], 'the list')
      expectEqual((await store.get('empty', { range: { suffix: 4 } })).bytes.length, 0, 'the last 4 bytes of none')
      await expectError(store.get('empty', { range: { start: 0 } }), 'invalid', 'a range of an empty object', 'RANGE')
    },
  },
  {
    name: 'keeps a large object whole, and ranges deep inside it',
    async run(store, { largeBytes }) {
      const bytes = pattern(largeBytes, 9)
      await store.put('large', bytes)
      expectEqual((await store.head('large'))?.size, largeBytes, 'size of the large object')
      expectBytes((await store.get('large')).bytes, bytes, 'the large object')
      const middle = Math.floor(largeBytes / 2) - 1
      const range = { start: middle, end: middle + 70_000 }
      expectBytes((await store.get('large', { range })).bytes, bytes.subarray(middle, middle + 70_000), 'its middle')
      expectBytes((await store.get('large', { range: { suffix: 5 } })).bytes, bytes.subarray(-5), 'its last 5 bytes')
    },
  },
  {
    name: 'reads ranges: start inclusive, end exclusive, an end past the object cut, no end to the end',
    async run(store) {
      await store.put('ten', ten)
      const cases: [ByteRange, string][] = [
        [{ start: 0, end: 1 }, '0'],
        [{ start: 2, end: 5 }, '234'],
        [{ start: 9, end: 10 }, '9'],
        [{ start: 0, end: 10 }, '0123456789'],
        [{ start: 8, end: 1000 }, '89'],
        [{ start: 0 }, '0123456789'],
        [{ start: 7 }, '789'],
      ]
      for (const [range, text] of cases) {
        const object = await store.get('ten', { range })
        expectBytes(object.bytes, encode(text), `range ${JSON.stringify(range)} of ten bytes`)
        expectEqual([object.key, object.size], ['ten', 10], 'key and whole size beside a range')
      }
    },
  },
  {
    name: 'reads suffixes: the last bytes, all where there are fewer',
    async run(store) {
      await store.put('ten', ten)
      for (const [suffix, text] of [
        [1, '9'],
        [3, '789'],
        [10, '0123456789'],
        [11, '0123456789'],
        [4000, '0123456789'],
      ] as const)
        expectBytes((await store.get('ten', { range: { suffix } })).bytes, encode(text), `the last ${suffix} bytes`)
    },
  },
  {
    name: 'refuses a range that starts at or past the end, and one that is none',
    async run(store) {
      await store.put('ten', ten)
      const wrong: ByteRange[] = [
        { start: 10 },
        { start: 11, end: 20 },
        { start: -1 },
        { start: 1.5 },
        { start: 5, end: 5 },
        { start: 5, end: 4 },
        { suffix: 0 },
        { suffix: -1 },
        { suffix: NaN },
      ]
      for (const range of wrong)
        await expectError(
          store.get('ten', { range }),
          'invalid',
          `range ${JSON.stringify(range)} of ten bytes`,
          'RANGE',
        )
    },
  },
  {
    name: 'answers for a missing key: not-found by get, undefined by head, nothing by list',
    async run(store) {
      await store.put('present', ten)
      for (const key of ['missing', 'present/below', 'presen', 'present2']) {
        await expectError(store.get(key), 'not-found', `get of the missing ${key}`)
        await expectError(store.get(key, { range: { start: 0, end: 1 } }), 'not-found', `range of the missing ${key}`)
        expectEqual(await store.head(key), undefined, `head of the missing ${key}`)
      }
      expectEqual(await listKeys(store, { prefix: 'missing' }), [], 'list of a missing prefix')
    },
  },
  {
    name: 'tells the same key, size, tag and time by put, get, head and list',
    async run(store) {
      const { etag } = await store.put('k', ten)
      const head = await store.head('k')
      expectTrue(head !== undefined, 'head finds the object')
      const { bytes: _bytes, ...got } = await store.get('k', { range: { start: 3 } })
      expectEqual([head.key, head.size, head.etag], ['k', 10, etag], 'key, size and tag by head')
      expectTrue(Number.isFinite(head.modifiedMs), 'the time is a number')
      expectEqual(got, head, 'get beside head')
      for await (const listed of store.list()) expectEqual(listed, head, 'list beside head')
    },
  },
  {
    name: 'shows a put at once to get, head and list',
    async run(store) {
      for (let version = 0; version < 6; version++) {
        const text = 'v'.repeat(version + 1)
        const { etag } = await store.put('k', encode(text))
        const head = await store.head('k')
        expectEqual([head?.etag, head?.size], [etag, text.length], `head right after version ${version}`)
        expectEqual(await readText(store, 'k'), text, `get right after version ${version}`)
        for await (const listed of store.list({ prefix: 'k' })) expectEqual(listed.etag, etag, 'list right after')
      }
      const keys: string[] = []
      for (let i = 0; i < 6; i++) {
        keys.push(`new/${i}`)
        await store.put(`new/${i}`, ten, { mode: 'create' })
        expectEqual(await listKeys(store, { prefix: 'new/' }), keys, `list right after create ${i}`)
      }
    },
  },
  {
    name: 'gives every version another tag, also at the same size and at once',
    async run(store) {
      const tags = new Set<string>()
      for (let version = 10; version < 30; version++) {
        tags.add((await store.put('k', encode(`v${version}`))).etag)
        if (version % 3 === 0) await store.delete('k')
      }
      expectEqual(tags.size, 20, 'different tags of 20 versions')
    },
  },
  {
    name: 'shows readers whole versions while it is overwritten',
    async run(store) {
      const version = (value: number): Uint8Array => new Uint8Array(150_000 + value).fill(value)
      await whileOverwritten(store, 'k', version, async () => {
        const { bytes, size } = await store.get('k')
        expectEqual(
          [bytes.length, size],
          [150_000 + bytes[0]!, bytes.length],
          'length of the version that a reader sees',
        )
        expectTrue(
          bytes.every((byte) => byte === bytes[0]),
          'a reader sees the bytes of one version',
        )
      })
    },
  },
  {
    name: 'shows a new object only when it is whole',
    async run(store) {
      const bytes = pattern(300_000)
      for (let round = 0; round < 8; round++) {
        const key = `new/${round}`
        let done = false
        const reader = async (): Promise<void> => {
          while (!done) {
            const size = (await store.head(key))?.size ?? bytes.length
            expectEqual(size, bytes.length, 'size that head shows while the object is put')
            try {
              expectBytes((await store.get(key)).bytes, bytes, 'bytes read while the object is put')
            } catch (error) {
              if (!isKind(error, 'not-found')) throw error
            }
            for await (const info of store.list()) expectEqual(info.size, bytes.length, 'size that list shows')
            await turn()
          }
        }
        const put = store.put(key, bytes, round % 2 === 0 ? { mode: 'create' } : {}).finally(() => (done = true))
        await Promise.all([put, reader()])
      }
    },
  },
  {
    name: 'keeps a copy of what it was given',
    async run(store) {
      for (const bytes of [encode('given'), Buffer.from('given')]) {
        await store.put('k', bytes)
        bytes.fill(0)
        expectEqual(await readText(store, 'k'), 'given', 'the object after the caller reused its buffer')
      }
    },
  },
  {
    name: 'gives every reader a copy',
    async run(store) {
      await store.put('k', ten)
      for (const range of [undefined, { start: 0, end: 4 }]) {
        const { bytes } = await store.get('k', range === undefined ? {} : { range })
        bytes.fill(0)
        expectEqual(await readText(store, 'k'), '0123456789', 'the object after a reader changed its copy')
      }
    },
  },
]
