import { getEventListeners } from 'node:events'
import { aborted, closed, exhausted } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { ByteGate } from './byte-gate.ts'
import { Admission } from './admission.ts'

/** Room that a test opens and shuts. */
function room() {
  let waiting: { readonly go: () => void; readonly refuse: () => void }[] = []
  const state = {
    isFull: false,
    enter<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
      if (!state.isFull) return work()
      return new Promise<T>((resolve, reject) => {
        const refuse = (): void => reject(exhausted('WAL_FULL', 'No room.'))
        const entry = { go: () => resolve(work()), refuse }
        waiting.push(entry)
        signal?.addEventListener('abort', () => {
          waiting = waiting.filter((other) => other !== entry)
          reject(aborted('ABORTED', 'No room so far.'))
        })
      })
    },
    open(): void {
      state.isFull = false
      for (const { go } of waiting.splice(0)) go()
    },
    refuseFirst(): void {
      waiting[0]!.refuse()
      waiting = waiting.slice(1)
    },
  }
  return state
}

describe('Admission', () => {
  it('lets in at once while there is room, in the turn of the call', () => {
    const admission = new Admission(room(), new ByteGate(10))
    const order: string[] = []
    void admission.pass(() => order.push('in'))
    order.push('after the call')
    expect(order).toEqual(['in', 'after the call'])
  })

  it('lets nobody pass who comes when there is room again, before those are resumed that waited', async () => {
    const there = room()
    const admission = new Admission(there, new ByteGate(1_000))
    there.isFull = true
    const order: string[] = []
    const early = ['a', 'b'].map((name) => admission.pass(() => order.push(name)))
    there.open()
    const late = admission.pass(() => order.push('late'))
    await Promise.all([...early, late])
    expect(order).toEqual(['a', 'b', 'late'])
  })

  it('keeps the order through both waits: for room, and for bytes that others have in flight', async () => {
    const there = room()
    const admission = new Admission(there, new ByteGate(5))
    const order: string[] = []
    const take = (name: string) => (): void => {
      order.push(name)
      admission.take(5)
    }
    await admission.pass(take('a'))
    there.isFull = true
    const calls = [admission.pass(take('b')), admission.pass(take('c'))]
    there.open()
    calls.push(admission.pass(take('d')))
    for (let given = 0; given < 3; given++) {
      expect(order).toHaveLength(given + 1)
      admission.give(5)
    }
    await Promise.all(calls)
    expect(order).toEqual(['a', 'b', 'c', 'd'])
  })

  it('refuses all that wait, for room or for bytes, and nobody else', async () => {
    const there = room()
    const admission = new Admission(there, new ByteGate(10))
    const abort = new AbortController()
    const { signal } = abort
    await admission.pass(() => admission.take(10))
    const passed: string[] = []
    const calls = [admission.pass(() => passed.push('for bytes'), signal)]
    there.isFull = true
    calls.push(admission.pass(() => passed.push('for room')))
    calls.push(admission.pass(() => passed.push('for room'), signal))
    const error = closed('OVER', 'It is over.')
    const ends = Promise.allSettled(calls)
    admission.refuse(error)
    const later = admission.pass(() => passed.push('later'), signal)
    expect((await ends).map((end) => end.status === 'rejected' && (end.reason as unknown))).toEqual([
      error,
      error,
      error,
    ])
    there.open()
    admission.give(10)
    await later
    expect(passed).toEqual(['later'])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('is settled when those who waited have been let in or refused', async () => {
    const there = room()
    const admission = new Admission(there, new ByteGate(1_000))
    there.isFull = true
    const [first, second] = [admission.pass(() => 'in'), admission.pass(() => 'in')]
    let isSettled = false
    const settled = admission.settled().then(() => (isSettled = true))
    there.refuseFirst()
    await expect(first).rejects.toMatchObject({ code: 'WAL_FULL' })
    expect(isSettled).toBe(false)
    there.open()
    await settled
    expect(await second).toBe('in')
  })
})
