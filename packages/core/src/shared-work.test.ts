import { describe, expect, it } from 'vitest'
import { isKind } from './model/errors.ts'
import { SharedWork, waitFor } from './shared-work.ts'

/** Work that ends when told, or with its signal. */
function work(): { shared: SharedWork<string>; signal: AbortSignal; end: (how: string | Error) => void } {
  let end!: (how: string | Error) => void
  let signal!: AbortSignal
  const shared = new SharedWork<string>((own) => {
    signal = own
    return new Promise((resolve, reject) => {
      end = (how) => (typeof how === 'string' ? resolve(how) : reject(how))
      own.addEventListener('abort', () => reject(new Error('it was stopped')))
    })
  })
  return { shared, signal, end }
}

const failed = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  )

describe('SharedWork', () => {
  it('goes on while one waits, whoever began it', async () => {
    const { shared, signal, end } = work()
    const [first, second] = [new AbortController(), new AbortController()]
    const waits = [shared.wait(first.signal), shared.wait(), shared.wait(second.signal)].map((wait) => failed(wait))
    first.abort(new Error('enough'))
    second.abort()
    const error = await waits[0]!
    expect(isKind(error, 'aborted') && [error.outcome, (error.cause as Error).message]).toEqual(['unknown', 'enough'])
    expect(await waits[2]).toSatisfy((e) => isKind(e, 'aborted'))
    expect([signal.aborted, shared.isAbandoned]).toEqual([false, false])
    end('done')
    expect(await waits[1]).toBe('no error')
    expect(signal.aborted).toBe(false)
  })

  it('is aborted with the last one, and then unfit for a new one', async () => {
    const { shared, signal } = work()
    const stops = [new AbortController(), new AbortController()]
    const waits = stops.map((stop) => failed(shared.wait(stop.signal)))
    stops[1]!.abort()
    await waits[1]
    expect(signal.aborted).toBe(false)
    stops[0]!.abort()
    await waits[0]
    expect([signal.aborted, shared.isAbandoned]).toEqual([true, true])
    expect(await failed(shared.done)).toEqual(new Error('it was stopped'))
  })

  it('gives its failure to all, and aborts nothing that is over', async () => {
    const { shared, signal, end } = work()
    const waits = [failed(shared.wait()), failed(shared.wait(new AbortController().signal))]
    end(new Error('no room'))
    expect(await Promise.all(waits)).toEqual([new Error('no room'), new Error('no room')])
    expect(signal.aborted).toBe(false)
  })
})

describe('waitFor', () => {
  it('says what a signal leaves open, also where that has fired before', async () => {
    const signal = AbortSignal.abort(new Error('early'))
    const work = Promise.resolve('done')
    expect(await failed(waitFor(work, signal, 'unknown'))).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    expect(await failed(waitFor(work, signal))).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
  })

  it('takes no notice of what the work does after the wait', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    try {
      let fail!: (error: Error) => void
      const late = new Promise<void>((_, reject) => (fail = reject))
      const stop = new AbortController()
      const wait = failed(waitFor(late, stop.signal))
      stop.abort()
      expect(await wait).toSatisfy((e) => isKind(e, 'aborted'))
      expect(await failed(waitFor(late, stop.signal))).toSatisfy((e) => isKind(e, 'aborted'))
      fail(new Error('too late'))
      await new Promise((resolve) => setImmediate(resolve))
      expect(unhandled).toEqual([])
    } finally {
      process.off('unhandledRejection', note)
    }
  })
})
