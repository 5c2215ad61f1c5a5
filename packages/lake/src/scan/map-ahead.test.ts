import { invalid } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { mapAhead } from './map-ahead.ts'

interface Deferred {
  readonly promise: Promise<number>
  readonly resolve: (value: number) => void
  readonly reject: (error: Error) => void
}
const deferred = (): Deferred => Promise.withResolvers<number>()

async function* upTo(count: number, log: string[] = []): AsyncGenerator<number> {
  try {
    for (let item = 0; item < count; item++) yield item
  } finally {
    log.push('closed')
  }
}

describe('mapAhead', () => {
  it('keeps the order, and begins no more than it may', async () => {
    const begun: Deferred[] = []
    const results = mapAhead(upTo(5), 2, () => begun[begun.push(deferred()) - 1]!.promise)
    const first = results.next()
    await new Promise(setImmediate)
    expect(begun).toHaveLength(3)
    begun[2]!.resolve(2)
    begun[1]!.resolve(1)
    begun[0]!.resolve(0)
    expect(await first).toEqual({ value: 0, done: false })
    const rest: number[] = []
    const all = (async () => {
      for await (const value of results) rest.push(value)
    })()
    for (let at = 3; at < 5; at++) {
      await new Promise(setImmediate)
      begun[at]!.resolve(at)
    }
    await all
    expect(rest).toEqual([1, 2, 3, 4])
  })

  it('gives what comes before an error first, whoever fails', async () => {
    const found: number[] = []
    const failing = async (item: number): Promise<number> => {
      if (item === 2) throw invalid('NO', 'Not that one.')
      return item
    }
    const broken = async function* (): AsyncGenerator<number> {
      yield* [0, 1]
      throw invalid('NO', 'No more.')
    }
    for (const results of [mapAhead(upTo(9), 3, failing), mapAhead(broken(), 3, async (item) => item)]) {
      found.length = 0
      await expect(
        (async () => {
          for await (const value of results) found.push(value)
        })(),
      ).rejects.toMatchObject({ code: 'NO' })
      expect(found).toEqual([0, 1])
    }
  })

  it('closes the source and waits for what runs when the loop is left', async () => {
    const log: string[] = []
    const results = mapAhead(upTo(9, log), 2, async (item) => {
      await new Promise(setImmediate)
      log.push(String(item))
      return item
    })
    for await (const value of results) if (value === 0) break
    expect(log.toSorted()).toEqual(['0', '1', '2', 'closed'])
  })
})
