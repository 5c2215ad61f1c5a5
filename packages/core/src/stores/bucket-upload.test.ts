import { systemRuntime } from '../system/system-runtime.ts'
import { describe, expect, it } from 'vitest'
import { opened, thrown } from './bucket.test-support.ts'

const { timers } = systemRuntime()

describe('a stream into a bucket', () => {
  it('removes an upload that began when nobody waited any more', async () => {
    const { bucket, store, runtime } = opened({ partBytes: 16 })
    let answer = (): void => {}
    bucket.after = (call) => (call === 'begin' ? new Promise((resolve) => (answer = resolve)) : undefined)
    const stop = new AbortController()
    const aborted = store
      .putStream('k', [new Uint8Array(100)], { signal: stop.signal })
      .catch((error: unknown) => error)
    while (bucket.uploads.size === 0) await timers.turn()
    stop.abort()
    expect(await aborted).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    answer()
    for (let turn = 0; turn < 20 && bucket.uploads.size > 0; turn++) await timers.turn()
    expect(bucket.uploads.size).toBe(0)

    const late = store.putStream('k', [new Uint8Array(100)]).catch((error: unknown) => error)
    while (bucket.uploads.size === 0) await timers.turn()
    await runtime.clock.advance(1_001)
    expect(await late).toMatchObject({ code: 'DEADLINE', outcome: 'rejected' })
    answer()
    for (let turn = 0; turn < 20 && bucket.uploads.size > 0; turn++) await timers.turn()
    expect(bucket.uploads.size).toBe(0)
    expect(bucket.calls).toEqual(['begin', 'abort', 'begin', 'abort'])
  })

  it('goes out as an upload of one part where one request does not take it', async () => {
    const { bucket, store } = opened({ partBytes: 64, maxPutBytes: 40 })
    await store.putStream('small', [new Uint8Array(40)])
    await store.putStream('k', [new Uint8Array(64)], { mode: 'create' })
    expect(bucket.calls).toEqual(['put', 'begin', 'part', 'complete'])
    expect(bucket.objects.get('a b/k')).toMatchObject({ size: 64 })
  })

  it('fails with its part, also while its source says nothing', async () => {
    const { bucket, store } = opened({ partBytes: 16 })
    async function* source(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(40)
      await new Promise<never>(() => {})
    }
    bucket.before = (call) => {
      if (call === 'part') throw thrown(500)
    }
    let error: unknown
    void store.putStream('k', source()).catch((thrown: unknown) => (error = thrown))
    for (let turn = 0; turn < 20 && error === undefined; turn++) await timers.turn()
    expect(error).toMatchObject({ code: 'STORE_FAILED', outcome: 'rejected' })
    expect(bucket.uploads.size).toBe(0)
  })

  it('waits longer for an end that joins more parts', async () => {
    const { bucket, store, runtime } = opened({ partBytes: 16, deadlineMs: 1_000 })
    bucket.before = (call) => (call === 'complete' ? new Promise(() => {}) : undefined)
    let error: unknown
    const put = store.putStream('k', [new Uint8Array(16 * 50)]).catch((thrown: unknown) => (error = thrown))
    while (!bucket.calls.includes('complete')) await timers.turn()
    await runtime.clock.advance(5_999)
    expect(error).toBeUndefined()
    await runtime.clock.advance(2)
    await put
    expect(error).toMatchObject({ code: 'DEADLINE', outcome: 'unknown' })
  })
})
