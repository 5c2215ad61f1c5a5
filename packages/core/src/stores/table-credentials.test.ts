import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { propertiesAt, renewed, tableAccess, timeOf } from './table-credentials.ts'
import type { RenewedAccess, StoreProperties } from './table-credentials.ts'

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

interface Bench {
  readonly runtime: ReturnType<typeof virtualRuntime>
  readonly ask: (signal?: AbortSignal) => Promise<number>
  readonly signals: AbortSignal[]
}

/** Times from zero on, of which each is its own end. */
function bench(renew?: () => Promise<number>, first = 1_000_000, aheadMs = 100_000): Bench {
  const runtime = virtualRuntime({ seed: 1, startMs: 0 })
  const signals: AbortSignal[] = []
  const counted = renew === undefined ? undefined : (signal: AbortSignal) => (signals.push(signal), renew())
  return { runtime, signals, ask: renewed({ runtime, first, expiresAtMs: (value) => value, renew: counted, aheadMs }) }
}

describe('renewed', () => {
  it('fetches new ones ahead of time, once for all who wait', async () => {
    const { runtime, ask, signals } = bench(() => Promise.resolve(5_000_000))
    expect(await ask()).toBe(1_000_000)
    await runtime.clock.advance(900_000)
    expect(await Promise.all([ask(), ask()])).toEqual([5_000_000, 5_000_000])
    expect(await ask()).toBe(5_000_000)
    expect(signals).toHaveLength(1)
  })

  it('does not fetch for every request those that are short-lived by nature', async () => {
    const { runtime, ask, signals } = bench(() => Promise.resolve(runtime.clock.now() + 60_000), 60_000)
    for (let second = 0; second < 120; second++) {
      await ask()
      await runtime.clock.advance(1_000)
    }
    expect(signals).toHaveLength(3)
  })

  it('keeps to the old ones while they are good, whatever becomes of the fetch, and asks seldom', async () => {
    const { runtime, ask, signals } = bench(() => Promise.reject(new Error('down')))
    await runtime.clock.advance(950_000)
    for (let second = 0; second < 25; second++) {
      expect(await ask()).toBe(1_000_000)
      await runtime.clock.advance(1_000)
    }
    expect(signals).toHaveLength(3)
    await runtime.clock.advance(25_000)
    await expect(ask()).rejects.toThrow('down')
    await expect(ask()).rejects.toThrow('down')
    expect(signals).toHaveLength(5)
  })

  it('waits a while for a fetch that says nothing, then no more, and ends it', async () => {
    const { runtime, ask, signals } = bench(() => new Promise(() => {}))
    await runtime.clock.advance(930_000)
    let first: unknown
    const waiting = ask().then((value) => (first = value))
    await runtime.clock.advance(4_999)
    expect(first).toBeUndefined()
    await runtime.clock.advance(1)
    await waiting
    expect([first, await ask()]).toEqual([1_000_000, 1_000_000])
    await runtime.clock.advance(60_000)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    await runtime.clock.advance(10_000)
    const late = ask().catch((error: unknown) => error)
    await runtime.clock.advance(60_000)
    expect(await late).toMatchObject({ kind: 'unavailable', code: 'CREDENTIALS', retryable: true })
    expect(signals).toHaveLength(2)
  })

  it('takes what a fetch brought when its end was late', async () => {
    let give: (value: number) => void = () => {}
    const { runtime, ask } = bench(() => new Promise((resolve) => (give = resolve)))
    await runtime.clock.advance(999_000)
    const asked = ask()
    await runtime.clock.advance(20_000)
    give(7_000_000)
    expect([await asked, await ask()]).toEqual([7_000_000, 7_000_000])
  })

  it('has nothing to say once they have run out and nobody renews them', async () => {
    const { runtime, ask } = bench()
    await runtime.clock.advance(999_999)
    expect(await ask()).toBe(1_000_000)
    await runtime.clock.advance(1)
    await expect(ask()).rejects.toMatchObject({ kind: 'unavailable', code: 'CREDENTIALS', retryable: false })
  })

  it('ends one wait by its signal, and no other', async () => {
    let give: (value: number) => void = () => {}
    const { runtime, ask } = bench(() => new Promise((resolve) => (give = resolve)))
    await runtime.clock.advance(950_000)
    const stop = new AbortController()
    const stopped = ask(stop.signal)
    const other = ask()
    stop.abort()
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted' })
    give(7_000_000)
    expect(await other).toBe(7_000_000)
  })
})

describe('tableAccess', () => {
  const opened = (config: StoreProperties, renew: () => Promise<RenewedAccess>) =>
    tableAccess({
      runtime: virtualRuntime({ seed: 1, startMs: 1_000 }),
      location: 's3://lake/t/x',
      config,
      credentials: [],
      renew,
      isAccess: ({ key }) => key !== undefined,
      expiresAtMs: ({ until }) => timeOf('until', until),
    })

  it('keeps nothing of what was renewed', async () => {
    let renewals = 0
    const { properties, current } = opened({ key: 'old', token: 'old', until: '1' }, () => {
      renewals++
      return Promise.resolve({ credentials: [{ prefix: 's3://lake/', config: { key: 'new' } }] })
    })
    expect(properties).toEqual({ key: 'old', token: 'old', until: '1' })
    // Not the old token beside the new key, nor the old end, by which it would be fetched each time.
    expect([await current(), await current()]).toEqual([{ key: 'new' }, { key: 'new' }])
    expect(renewals).toBe(1)
  })

  it.each([
    ['nothing for the place', { credentials: [{ prefix: 's3://attic/', config: { key: 'new' } }] }, 'unavailable'],
    ['an end that is none', { config: { key: 'new', until: 'soon' } }, 'invalid'],
  ])('takes no answer that gives %s', async (_, access, kind) => {
    const { current } = opened({ key: 'old', until: '1' }, () => Promise.resolve(access))
    await expect(current()).rejects.toMatchObject({ kind, code: 'CREDENTIALS' })
    const stillGood = opened({ key: 'old', until: '2000' }, () => Promise.resolve(access))
    expect(await stillGood.current()).toEqual({ key: 'old', until: '2000' })
  })

  it.each(['soon', '', ' ', '1h'])('refuses %j for a time', (until) => {
    const open = (): unknown => opened({ key: 'old', until }, () => Promise.resolve({}))
    expect(open).toThrow(expect.objectContaining({ kind: 'invalid', code: 'CREDENTIALS' }) as Error)
  })
})
