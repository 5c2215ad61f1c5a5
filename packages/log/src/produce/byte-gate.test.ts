import { describe, expect, it } from 'vitest'
import { ByteGate } from './byte-gate.ts'

/** Takes so many bytes once it is let in, and says so. */
function taker(order: string[]) {
  return (gate: ByteGate, name: string, bytes: number, signal?: AbortSignal): Promise<void> =>
    gate.pass(() => {
      order.push(name)
      gate.take(bytes)
    }, signal)
}

describe('gates within one', () => {
  it('have room where both have some', async () => {
    const whole = new ByteGate(100)
    const [a, b] = [new ByteGate(1_000, whole), new ByteGate(30, whole)]
    const order: string[] = []
    const take = taker(order)
    await take(b, 'b', 30)
    expect([a.isOpen, b.isOpen, whole.isOpen]).toEqual([true, false, true])
    await take(a, 'a', 70)
    expect([a.isOpen, whole.isOpen, whole.bytes]).toEqual([false, false, 100])
    const waiting = take(a, 'a again', 1)
    b.give(30)
    await waiting
    expect(order).toEqual(['b', 'a', 'a again'])
    expect([whole.bytes, a.bytes, b.bytes]).toEqual([71, 71, 0])
  })

  it('hold all together at most what the whole one may, but for the one that crossed it', async () => {
    const whole = new ByteGate(100)
    const gates = Array.from({ length: 5 }, () => new ByteGate(100, whole))
    let most = 0
    const passes = gates.flatMap((gate) =>
      Array.from({ length: 20 }, () =>
        gate.pass(() => {
          gate.take(30)
          most = Math.max(most, whole.bytes)
        }),
      ),
    )
    for (let round = 0; round < 200; round++) for (const gate of gates) if (gate.bytes > 0) gate.give(30)
    await Promise.all(passes)
    expect(most).toBe(120)
    expect(whole.bytes).toBe(0)
  })

  it('take turns, each in the order of its calls', async () => {
    const whole = new ByteGate(10)
    const [a, b, first] = [new ByteGate(10, whole), new ByteGate(10, whole), new ByteGate(10, whole)]
    const order: string[] = []
    const take = taker(order)
    await take(first, 'first', 10)
    const waiting = [take(a, 'a1', 10), take(a, 'a2', 10), take(a, 'a3', 10), take(b, 'b1', 10)]
    first.give(10)
    for (const gate of [a, b, a]) gate.give(10)
    await Promise.all(waiting)
    expect(order).toEqual(['first', 'a1', 'b1', 'a2', 'a3'])
  })

  it('pass over one whose own bytes are the reason, and over one whose waits were aborted', async () => {
    const whole = new ByteGate(100)
    const [narrow, aborted, other] = [new ByteGate(10, whole), new ByteGate(50, whole), new ByteGate(100, whole)]
    const order: string[] = []
    const take = taker(order)
    await take(narrow, 'narrow', 10)
    await take(other, 'other', 90)
    const abort = new AbortController()
    const gone = take(aborted, 'gone', 1, abort.signal)
    const later = [take(narrow, 'narrow again', 10), take(other, 'other again', 10)]
    abort.abort()
    await expect(gone).rejects.toMatchObject({ kind: 'aborted' })
    other.give(90)
    await later[1]
    expect(order).toEqual(['narrow', 'other', 'other again'])
    narrow.give(10)
    await later[0]
    expect(order.at(-1)).toBe('narrow again')
  })

  it('let in at a close who waits for the whole one', async () => {
    const whole = new ByteGate(10)
    const [a, b] = [new ByteGate(10, whole), new ByteGate(10, whole)]
    const order: string[] = []
    const take = taker(order)
    await take(a, 'a', 10)
    const waiting = take(b, 'b', 5)
    b.openForGood()
    await waiting
    b.give(5)
    a.give(10)
    expect([whole.bytes, whole.isOpen]).toEqual([0, true])
  })

  it('have their holders told where somebody waits for nothing but what they hold', async () => {
    const told: string[] = []
    const whole = new ByteGate(100)
    const [a, b, c] = ['a', 'b', 'c'].map((name) => new ByteGate(100, whole, () => told.push(name))) as [
      ByteGate,
      ByteGate,
      ByteGate,
    ]
    a.hold(50)
    b.hold(20)
    c.take(30)
    const first = c.pass(() => c.hold(40))
    // What `c` took is on its way.
    expect(told).toEqual([])
    const second = c.pass(() => {})
    c.give(30)
    await first
    expect(told).toEqual(['a', 'b', 'c'])
    a.letGo(50)
    a.give(50)
    await second
    expect([told.length, whole.bytes]).toEqual([3, 60])
  })

  it('have nobody told of one that is full by itself', async () => {
    const told: string[] = []
    const whole = new ByteGate(100)
    const [a, b] = ['a', 'b'].map((name) => new ByteGate(10, whole, () => told.push(name))) as [ByteGate, ByteGate]
    a.hold(10)
    b.hold(10)
    const waiting = a.pass(() => {})
    expect(told).toEqual([])
    a.letGo(10)
    a.give(10)
    await waiting
  })

  it('forget those that are gone, wherever they stood', async () => {
    const whole = new ByteGate(1)
    const gate = new ByteGate(1_000, whole)
    whole.take(1)
    const stops = Array.from({ length: 3_000 }, () => new AbortController())
    const passed: number[] = []
    const passes = stops.map(({ signal }, at) => gate.pass(() => passed.push(at), signal))
    const settled = Promise.allSettled(passes)
    for (const [at, stop] of stops.entries()) if (at % 1_000 !== 7) stop.abort()
    expect(gate.isOpen).toBe(false)
    whole.give(1)
    await settled
    expect(passed).toEqual([7, 1_007, 2_007])
    expect(gate.isOpen).toBe(true)
    const stop = new AbortController()
    whole.take(1)
    const [last, gone] = [gate.pass(() => passed.push(-1)), gate.pass(() => {}, stop.signal)]
    stop.abort()
    await expect(gone).rejects.toMatchObject({ kind: 'aborted' })
    whole.give(1)
    await last
    expect([gate.isOpen, whole.isOpen]).toEqual([true, true])
  })
})
