import type { ByteRange } from '@moulin/core'
import { isKind } from '@moulin/core'
import { expectBytes, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { ObjectStoreCheck } from './object-store-checks.ts'
import { encode, listKeys, pattern, putAll, readText, whileOverwritten } from './object-store-checks.ts'

const ten = encode('0123456789')

/** Several ranges of one object, several keys at once, and reads of what is newer. */
export const manyChecks: readonly ObjectStoreCheck[] = [
  {
    name: 'reads several ranges in the order asked, each as get would',
    async run(store) {
      await store.put('ten', ten)
      const head = await store.head('ten')
      const ranges: readonly (readonly [ByteRange, string])[] = [
        [{ start: 7 }, '789'],
        [{ start: 2, end: 5 }, '234'],
        [{ start: 0, end: 2 }, '01'],
        [{ suffix: 3 }, '789'],
        [{ start: 4, end: 6 }, '45'],
        [{ start: 2, end: 5 }, '234'],
        [{ start: 9, end: 100 }, '9'],
        [{ suffix: 99 }, '0123456789'],
      ]
      for (const options of [{}, { maxGapBytes: 0 }, { maxGapBytes: 1 }]) {
        const asked = ranges.map(([range]) => range)
        const { parts, ...info } = await store.getRanges('ten', asked, options)
        expectEqual(info, head, 'key, size, tag and time beside the ranges')
        expectEqual(
          parts.map((part) => new TextDecoder().decode(part)),
          ranges.map(([, text]) => text),
          `${asked.length} ranges of ten bytes (${JSON.stringify(options)})`,
        )
      }
      const bytes = pattern(300_000, 3)
      await store.put('large', bytes)
      const spread = Array.from({ length: 60 }, (_, i) => {
        const start = (i * 48_271) % 290_000
        return { start, end: start + 1 + ((i * 7_919) % 9_000) }
      })
      const { parts } = await store.getRanges('large', spread, { maxGapBytes: 2_000 })
      expectEqual(parts.length, spread.length, 'how many parts come back')
      spread.forEach(({ start, end }, i) =>
        expectBytes(parts[i]!, bytes.subarray(start, end), `range [${start}, ${end}), one of many`),
      )
    },
  },
  {
    name: 'refuses ranges one of which starts at or past the end, or is none',
    async run(store) {
      await store.put('ten', ten)
      const good = { start: 0, end: 3 }
      const wrong: ByteRange[] = [
        { start: 10 },
        { start: 11, end: 20 },
        { start: 5, end: 5 },
        { start: -1 },
        { suffix: 0 },
      ]
      for (const range of wrong)
        for (const ranges of [[range], [good, range], [range, good]])
          await expectError(store.getRanges('ten', ranges), 'invalid', `the ranges ${JSON.stringify(ranges)}`, 'RANGE')
    },
  },
  {
    name: 'answers for the ranges of a missing key, and for none of a key, as head does',
    async run(store) {
      await store.put('ten', ten)
      const { parts, ...info } = await store.getRanges('ten', [])
      expectEqual([info, parts], [await store.head('ten'), []], 'no ranges of an object')
      for (const ranges of [[], [{ start: 0, end: 1 }], [{ suffix: 1 }, { start: 3 }]])
        await expectError(store.getRanges('missing', ranges), 'not-found', `${ranges.length} ranges of a missing key`)
    },
  },
  {
    name: 'gives each range in memory of its own',
    async run(store) {
      await store.put('ten', ten)
      for (const ranges of [[{ start: 0, end: 4 }, { start: 2, end: 6 }, { start: 6 }], [{ start: 0 }]]) {
        const { parts } = await store.getRanges('ten', ranges)
        const before = parts.map((part) => part.slice())
        parts[0]!.fill(0)
        parts.slice(1).forEach((part, i) => expectBytes(part, before[i + 1]!, 'a range after another one was changed'))
        expectEqual(await readText(store, 'ten'), '0123456789', 'the object after a reader changed its ranges')
        const again = await store.getRanges('ten', ranges)
        expectBytes(again.parts[0]!, before[0]!, 'the range, read again')
      }
    },
  },
  {
    name: 'reads all ranges from one version, or says that it was overwritten',
    async run(store) {
      const version = (value: number): Uint8Array => new Uint8Array(120_000).fill(value)
      const ranges = [{ start: 0, end: 10 }, { start: 60_000, end: 60_010 }, { suffix: 10 }]
      await whileOverwritten(store, 'k', version, async () => {
        try {
          const { parts } = await store.getRanges('k', ranges, { maxGapBytes: 0 })
          expectEqual(
            parts.map((part) => part[0]),
            parts.map(() => parts[0]![0]),
            'the versions that the ranges are of',
          )
        } catch (error) {
          if (!isKind(error, 'conflict', 'OVERWRITTEN')) throw error
        }
      })
    },
  },
  {
    name: 'reads only what is newer than the tag it is told',
    async run(store) {
      const { etag: first } = await store.put('k', encode('first'))
      for (const range of [undefined, { start: 1, end: 3 }]) {
        const at = range === undefined ? {} : { range }
        await expectError(
          store.get('k', { ...at, ifNoneMatch: first }),
          'exists',
          'get of the same version',
          'NOT_MODIFIED',
        )
      }
      const { etag: second } = await store.put('k', encode('second'))
      const { bytes, etag } = await store.get('k', { ifNoneMatch: first })
      expectEqual([new TextDecoder().decode(bytes), etag], ['second', second], 'get of a newer version')
      await expectError(
        store.get('k', { ifNoneMatch: second }),
        'exists',
        'get of the newer version again',
        'NOT_MODIFIED',
      )
      await store.delete('k')
      await expectError(store.get('k', { ifNoneMatch: second }), 'not-found', 'get of a deleted object')
    },
  },
  {
    name: 'deletes many keys, missing and repeated ones too, and no others',
    async run(store, { manyKeys }) {
      const kept = ['a', 'a-1', 'a0', 'b/10', 'b/1x']
      await putAll(store, [...kept, 'b/1', 'b/2', 'c'])
      const { failed } = await store.deleteMany(['b/1', 'c', 'missing', 'b/2', 'missing/below', 'b/1'])
      expectEqual(failed, [], 'what could not be deleted')
      expectEqual(await listKeys(store), kept, 'the list after a delete of many')
      expectEqual((await store.deleteMany([])).failed, [], 'the delete of none')
      expectEqual(await listKeys(store), kept, 'the list after a delete of none')
      const many = Array.from({ length: manyKeys }, (_, i) => `many/${String(i).padStart(6, '0')}`)
      await putAll(store, many)
      expectEqual((await store.deleteMany(many)).failed, [], `what could not be deleted of ${manyKeys}`)
      expectEqual(await listKeys(store), kept, `the list after the delete of ${manyKeys}`)
    },
  },
  {
    name: 'deletes nothing when one of many keys is none',
    async run(store) {
      await putAll(store, ['a', 'b'])
      for (const bad of ['', '../a', 'a//b', 'x\u0001'])
        await expectError(
          store.deleteMany(['a', bad, 'b']),
          'invalid',
          `the delete of ${JSON.stringify(bad)} among others`,
        )
      expectEqual(await listKeys(store), ['a', 'b'], 'the list after refused deletes')
    },
  },
  {
    name: 'neither reads ranges, deletes many nor takes a stream when the signal has fired already',
    async run(store) {
      await putAll(store, ['a', 'b'])
      const signal = AbortSignal.abort()
      await expectError(store.getRanges('a', [{ start: 0 }], { signal }), 'aborted', 'getRanges')
      await expectError(store.deleteMany(['a', 'b'], { signal }), 'aborted', 'deleteMany')
      for (const mode of ['overwrite', 'create'] as const)
        await expectError(store.putStream(`new-${mode}`, [ten], { signal, mode }), 'aborted', `putStream with ${mode}`)
      await expectError(store.putStream('a', [ten], { signal }), 'aborted', 'putStream over an object')
      expectEqual(await listKeys(store), ['a', 'b'], 'the list after aborted calls')
      expectEqual(await readText(store, 'a'), 'a', 'the object after aborted calls')
    },
  },
  {
    name: 'refuses odd keys, and several of them, as put does',
    async run(store) {
      for (const key of ['', '/a', 'a//b', '../a', 'a\nb']) {
        await expectError(store.getRanges(key, [{ start: 0 }]), 'invalid', `getRanges of ${JSON.stringify(key)}`)
        await expectError(store.putStream(key, [ten]), 'invalid', `putStream of ${JSON.stringify(key)}`)
        await expectError(store.deleteMany([key]), 'invalid', `deleteMany of ${JSON.stringify(key)}`)
      }
      expectTrue((await listKeys(store)).length === 0, 'nothing is listed after refused calls')
    },
  },
]
