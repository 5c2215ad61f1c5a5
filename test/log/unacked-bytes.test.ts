/** What a log holds in memory for those who produce: bounded over all of them together, and seen in its stats. */
import { recordBatchBuilder } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { bytesOf, machine, openIn, valuesOf } from './machine.ts'

const RECORD_BYTES = 300
const value = (text: string): Uint8Array => bytesOf(text.padEnd(RECORD_BYTES, '.'))

function batchOf(text: string): Uint8Array {
  const builder = recordBatchBuilder()
  builder.append({ key: null, value: value(text), headers: [], timestamp: 0n })
  return builder.finish()
}

describe('bytes that are not durable yet', () => {
  it('are at most maxUnackedBytes over all producers and appends of the log, whatever each was allowed', async () => {
    const on = machine()
    const log = await openIn(on.runtime(), { segmentBytes: 1024 * 1024, limits: { maxUnackedBytes: 2_000 } })
    const topics = await Promise.all(
      ['a', 'b'].map((name) => log.ensureTopic(name, { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 })),
    )
    const producers = topics.flatMap((topic) => [
      topic.producer({ lingerMs: 10 }),
      topic.producer({ lingerMs: 10, maxUnackedBytes: 1_000_000 }),
    ])
    const done: Promise<unknown>[] = []
    const sentBy = producers.map((_, by) => Array.from({ length: 12 }, (_, i) => `${by}-${i}`))
    producers.forEach((producer, by) => {
      for (const text of sentBy[by]!.slice(0, 6)) done.push(producer.send({ value: value(text) }))
      done.push(producer.sendAll(sentBy[by]!.slice(6).map((text) => ({ value: value(text) }))))
    })
    const appended = Array.from({ length: 6 }, (_, i) => `append-${i}`)
    for (const text of appended) done.push(topics[0]!.append({ partition: 0, batches: batchOf(text) }))
    let most = 0
    let isDone = false
    void Promise.all(done).then(() => (isDone = true))
    for (let round = 0; round < 500 && !isDone; round++) {
      most = Math.max(most, log.stats().unackedBytes)
      await on.clock.advance(1)
    }
    await Promise.all(done)
    // It is used, and crossed by one record at most.
    expect(most).toBeGreaterThan(1_500)
    expect(most).toBeLessThan(2_000 + RECORD_BYTES + 100)
    expect(log.stats().unackedBytes).toBe(0)
    const stored = (await Promise.all(topics.map((topic) => valuesOf(topic)))).flat()
    expect(stored.map((text) => text.replaceAll('.', '')).sort()).toEqual([...sentBy.flat(), ...appended].sort())
    await log.close()
  })

  it('are given back by what fails, and by a producer that is closed', async () => {
    const on = machine()
    const log = await openIn(on.runtime(), { limits: { maxUnackedBytes: 1_000 } })
    const topic = await log.ensureTopic('orders')
    const producer = topic.producer({ lingerMs: 60_000 })
    const stop = new AbortController()
    const held = Array.from({ length: 4 }, () => producer.send({ value: value('held') }))
    const gone = producer.send({ value: value('gone') }, { signal: stop.signal })
    stop.abort()
    await expect(gone).rejects.toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    expect(log.stats().unackedBytes).toBeGreaterThan(1_000)
    const other = topic.producer({ lingerMs: 0 })
    const waiting = other.send({ value: value('waits') })
    await producer.close()
    await Promise.all([...held, waiting])
    await other.close()
    expect(log.stats().unackedBytes).toBe(0)
    await log.close()
  })
})

describe('stats', () => {
  it('show the tail ring and what flushes are laid out in', async () => {
    const on = machine()
    const log = await openIn(on.runtime(), { segmentBytes: 1024 * 1024, limits: { tailRingBytes: 5_000 } })
    const topic = await log.ensureTopic('orders')
    const producer = topic.producer({ lingerMs: 0 })
    expect(log.stats().tailRingBytes).toBe(0)
    await producer.send({ value: value('one') })
    expect(log.stats().tailRingBytes).toBeGreaterThan(RECORD_BYTES)
    expect(log.stats().tailRingBytes).toBeLessThan(2 * RECORD_BYTES + 200)
    for (let i = 0; i < 20; i++) await producer.send({ value: value('more') })
    expect(log.stats().tailRingBytes).toBeGreaterThan(4_000)
    expect(log.stats().tailRingBytes).toBeLessThanOrEqual(5_000)
    expect(log.stats().wal.bufferBytes).toBeGreaterThan(0)
    await log.close()
  })
})
