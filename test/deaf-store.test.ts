/** A store and a Wal that do not listen to signals: calls end with theirs all the same. */
import type { Log, ObjectStore, Topic, Wal } from '@moulin/core'
import { memoryWal } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { batchOf, virtualLake, type VirtualLake } from './support/virtual-lake.ts'

/** Holds calls up while it is shut, whoever gives up meanwhile. */
class Gate {
  #open: (() => void) | undefined
  #opened: Promise<void> = Promise.resolve()

  shut(): void {
    this.#opened = new Promise((resolve) => (this.#open = resolve))
  }

  open(): void {
    this.#open?.()
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    await this.#opened
    return work()
  }
}

function deafStore(store: ObjectStore, gate: Gate): ObjectStore {
  const held = <T>(key: string, work: () => Promise<T>): Promise<T> =>
    key.includes('/data/') ? gate.pass(work) : work()
  return {
    ...store,
    get: (key, { signal, ...options } = {}) => held(key, () => store.get(key, options)),
    getRanges: (key, ranges, { signal, ...options } = {}) => held(key, () => store.getRanges(key, ranges, options)),
  }
}

function deafWal(wal: Wal, gate: Gate): Wal {
  return {
    ...wal,
    name: wal.name,
    openReader: (options) => wal.openReader(options),
    async openWriter(options) {
      const writer = await wal.openWriter(options)
      return new Proxy(writer, {
        get(of, name) {
          if (name === 'read') return (at: Parameters<typeof of.read>[0]) => gate.pass(() => of.read(at))
          const member: unknown = Reflect.get(of, name)
          return typeof member === 'function' ? (member.bind(of) as unknown) : member
        },
      })
    },
  }
}

const first = async <T>(items: AsyncIterable<T>): Promise<T | undefined> => {
  for await (const item of items) return item
  return undefined
}

const calls: Readonly<Record<string, (topic: Topic, signal: AbortSignal) => Promise<unknown>>> = {
  fetch: (topic, signal) => topic.fetch({ partition: 0, from: 0n, minBytes: 1e6, maxWaitMs: 1e6, signal }),
  offsetFor: (topic, signal) => topic.offsetFor(5n, { signal }),
  read: (topic, signal) => first(topic.read({ to: 'end', signal })),
  'read from a time': (topic, signal) => first(topic.read({ from: { timestamp: 5n }, to: 'end', signal })),
  'scan, its rows': (topic, signal) => first(topic.scan({ signal })),
  'scan, as an array': (topic, signal) => topic.scan({ signal }).toArray(),
  'scan, as Arrow': (topic, signal) => topic.scan({ signal }).toArrow(),
  'scan, as a stream': (topic, signal) => topic.scan({ signal }).toIpc(),
  readAt: (topic, signal) => first(topic.readAt([{ partition: 0, offset: 1n }], { signal })),
}

interface Opened {
  readonly lake: VirtualLake
  readonly log: Log
  readonly topic: Topic
  readonly gate: Gate
}

/** Two records, in the table alone or in the write-ahead tier alone, and nothing of them in memory. */
async function opened(where: 'cold' | 'hot'): Promise<Opened> {
  const lake = virtualLake(6)
  const gate = new Gate()
  const store = deafStore(lake.store, gate)
  const wal = deafWal(memoryWal({ seed: 6 }), gate)
  const limits = { tailRingBytes: 1 }
  const log = await lake.settled(lake.open({ store, wal, limits }))
  const topic = (await lake.settled(log.createTopic('orders', { timestampBeforeMaxMs: -1 }))) as Topic<unknown>
  const records = [5n, 6n].map((timestamp) => ({ value: Buffer.from('a value'), timestamp }))
  await lake.settled(topic.append({ partition: 0, batches: batchOf(records) }))
  if (where === 'cold') {
    await lake.settled(topic.tier())
    await lake.settled(log.releaseNow())
  }
  return { lake, log, topic, gate }
}

describe.each(['cold', 'hot'] as const)('%s records that do not come', (where) => {
  it.each(Object.keys(calls))('are waited for by %s until its signal, and no longer', async (name) => {
    const { lake, log, topic, gate } = await opened(where)
    gate.shut()
    const stop = new AbortController()
    let state: unknown = 'waits'
    calls[name]!(topic, stop.signal).then(
      (found) => (state = ['found', found]),
      (error: unknown) => (state = error),
    )
    for (let turn = 0; turn < 50; turn++) await lake.runtime.clock.advance(0)
    expect(state).toBe('waits')
    stop.abort()
    await lake.runtime.clock.advance(0)
    expect(state).toMatchObject({ kind: 'aborted' })
    // What was under way ends by itself, and harms nobody.
    gate.open()
    const whole = await lake.settled(topic.fetch({ partition: 0, from: 0n }))
    expect(whole.nextOffset).toBe(2n)
    await lake.settled(log.close())
  })
})

describe('a fetch whose signal fires while it reads a section', () => {
  it('rejects, whenever that is: it gives no part of what it waits for', async () => {
    const lake = virtualLake(8)
    const log = await lake.open({ wal: memoryWal({ seed: 8 }), limits: { tailRingBytes: 1 } })
    const topic = (await lake.settled(log.createTopic('orders', { timestampBeforeMaxMs: -1 }))) as Topic<unknown>
    for (const timestamp of [1n, 2n]) {
      const batches = batchOf([{ value: Buffer.from('a value'), timestamp }])
      await lake.settled(topic.append({ partition: 0, batches }))
    }
    for (let turns = 0; turns < 60; turns++) {
      const stop = new AbortController()
      const call = topic.fetch({ partition: 0, from: 0n, minBytes: 5_000, maxWaitMs: 1e6, signal: stop.signal })
      const ended = expect(call).rejects.toMatchObject({ kind: 'aborted' })
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      stop.abort()
      await lake.settled(ended)
    }
    await log.close()
  })
})
