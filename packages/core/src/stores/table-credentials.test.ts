import { describe, expect, it } from 'vitest'
import { propertiesAt, renewed } from './table-credentials.ts'

describe('propertiesAt', () => {
  it('lays the credentials of the longest prefix over the config', () => {
    const credentials = [
      { prefix: 's3', config: { token: 'short' } },
      { prefix: 's3://lake/a', config: { token: 'long' } },
      { prefix: 's3://lake/b', config: { token: 'other' } },
    ]
    const config = { region: 'r', token: 'config' }
    expect(propertiesAt('s3://lake/a/x', config, credentials)).toEqual({ region: 'r', token: 'long' })
    expect(propertiesAt('gs://lake/a', config, credentials)).toBe(config)
  })
})

describe('renewed', () => {
  const at = (
    renew?: () => Promise<number>,
  ): { now: number; ask: (signal?: AbortSignal) => Promise<number>; calls: number } => {
    const state = { now: 0, calls: 0, ask: undefined as never as (signal?: AbortSignal) => Promise<number> }
    const counted = renew === undefined ? undefined : () => (state.calls++, renew())
    state.ask = renewed({
      clock: { now: () => state.now },
      first: 1_000,
      expiresAtMs: (value) => value,
      renew: counted,
      aheadMs: 100,
    })
    return state
  }

  it('fetches new ones ahead of time, once for all who wait', async () => {
    const state = at(() => Promise.resolve(5_000))
    expect(await state.ask()).toBe(1_000)
    state.now = 900
    expect(await Promise.all([state.ask(), state.ask()])).toEqual([5_000, 5_000])
    expect(state.calls).toBe(1)
    expect(await state.ask()).toBe(5_000)
    expect(state.calls).toBe(1)
  })

  it('keeps to the old ones while they are good, whatever becomes of the fetch', async () => {
    const state = at(() => Promise.reject(new Error('down')))
    state.now = 950
    expect(await state.ask()).toBe(1_000)
    state.now = 1_000
    await expect(state.ask()).rejects.toThrow('down')
  })

  it('has nothing to say once they have run out and nobody renews them', async () => {
    const state = at()
    state.now = 999
    expect(await state.ask()).toBe(1_000)
    state.now = 1_000
    await expect(state.ask()).rejects.toMatchObject({ kind: 'unavailable', code: 'CREDENTIALS', retryable: false })
  })

  it('ends one wait by its signal, and no other', async () => {
    let give: (value: number) => void = () => {}
    const state = at(() => new Promise((resolve) => (give = resolve)))
    state.now = 950
    const stop = new AbortController()
    const stopped = state.ask(stop.signal)
    const other = state.ask()
    stop.abort()
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted' })
    give(7_000)
    expect(await other).toBe(7_000)
  })
})
