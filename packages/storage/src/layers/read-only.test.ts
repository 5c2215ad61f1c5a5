import { isKind } from '@moulin/core'
import { expect, it } from 'vitest'
import { memory } from '../memory.ts'
import { bytesOf, errorOf, keysOf, textOf } from './layers.test-support.ts'
import { readOnly } from './read-only.ts'

it('reads, refuses every write by name, and claims nothing that a write needs', async () => {
  const whole = memory({ name: 'lake' })
  await whole.put('a/b', bytesOf('ab'))
  const store = readOnly(whole)
  expect(textOf((await store.get('a/b')).bytes)).toBe('ab')
  expect(textOf((await store.getRanges('a/b', [{ suffix: 1 }])).parts[0]!)).toBe('b')
  expect([await keysOf(store), await store.head('a/b')]).toEqual([['a/b'], await whole.head('a/b')])
  const writes = {
    put: () => store.put('a/b', bytesOf('x')),
    putStream: () => store.putStream('a/b', [bytesOf('x')]),
    delete: () => store.delete('a/b'),
    deleteMany: () => store.deleteMany(['a/b']),
  }
  for (const [call, write] of Object.entries(writes)) {
    const error = await errorOf(write())
    expect(isKind(error, 'invalid', 'READ_ONLY') && error.outcome).toBe('rejected')
    expect(String(error)).toContain(`readOnly(memory(lake)) is for reading: ${call} of "a/b"`)
  }
  expect(textOf((await whole.get('a/b')).bytes)).toBe('ab')
  expect(Object.values(store.capabilities)).toEqual([false, false, false])
  expect([store.root, store.durability, store.listOrder]).toEqual(['memory://lake/', 'memory', 'bytes'])
})
