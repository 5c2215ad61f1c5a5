import { describe, expect, it } from 'vitest'
import { OneByOne } from './one-by-one.ts'

async function* arrays(...items: number[][]): AsyncGenerator<number[]> {
  yield* items
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = []
  for await (const item of items) seen.push(item)
  return seen
}

describe('OneByOne', () => {
  it('gives the items of all arrays, empty ones passed over', async () => {
    expect(await all(new OneByOne(arrays([], [1, 2], [], [3], [])))).toEqual([1, 2, 3])
  })

  it('answers calls in their order, also when none was waited for', async () => {
    const items = new OneByOne(arrays([1], [2, 3]))
    const answers = await Promise.all(Array.from({ length: 5 }, () => items.next()))
    expect(answers.map(({ value }) => value as number | undefined)).toEqual([1, 2, 3, undefined, undefined])
    expect(answers.map(({ done }) => done)).toEqual([false, false, false, true, true])
  })

  it('stays ended', async () => {
    const items = new OneByOne(arrays([1]))
    await all(items)
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  it('ends its source when the reader leaves, and gives nothing more', async () => {
    let isOpen = true
    const source = async function* (): AsyncGenerator<number[]> {
      try {
        yield [1, 2, 3]
        yield [4]
      } finally {
        isOpen = false
      }
    }
    const items = new OneByOne(source())
    for await (const item of items) if (item === 2) break
    expect(isOpen).toBe(false)
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  it('throws what the source throws, after the items before it', async () => {
    const source = async function* (): AsyncGenerator<number[]> {
      yield [1]
      throw new RangeError('no more')
    }
    const items = new OneByOne(source())
    expect(await items.next()).toEqual({ done: false, value: 1 })
    await expect(items.next()).rejects.toThrow('no more')
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })
})
