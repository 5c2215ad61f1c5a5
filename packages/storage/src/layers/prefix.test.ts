import { isKind, keyOf, uriOf } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { memory } from '../memory.ts'
import { prefix } from './prefix.ts'

describe('prefix', () => {
  it('keeps its objects below the prefix and sees no others', async () => {
    const whole = memory()
    const part = prefix(whole, 'a/b/')
    await whole.put('a/b', new Uint8Array(1))
    await whole.put('a/bc', new Uint8Array(1))
    await part.put('k', new Uint8Array(3))
    const keys: string[] = []
    for await (const info of part.list()) keys.push(info.key)
    expect(keys).toEqual(['k'])
    expect(await whole.head('a/b/k')).toMatchObject({ size: 3 })
    expect(await part.head('c')).toBeUndefined()
  })

  it('has the URIs of the whole', () => {
    const whole = memory({ name: 'm' })
    const part = prefix(whole, 'a b/')
    expect(uriOf(part, 'k')).toBe(uriOf(whole, 'a b/k'))
    expect(keyOf(part, uriOf(whole, 'a b/k'))).toBe('k')
    expect(prefix(part, 'c/').root).toBe('memory://m/a b/c/')
    const named = prefix({ ...whole, aliases: ['mem://m/'] }, 'a b/')
    expect(keyOf(named, 'mem://m/a b/k')).toBe('k')
  })

  it('refuses a prefix that is not a key and a slash', () => {
    for (const path of ['', '/', 'a', '../', 'a//', '/a/'])
      expect(() => prefix(memory(), path), path).toThrow(
        expect.toSatisfy((error: unknown) => isKind(error, 'invalid', 'PREFIX')),
      )
  })
})
