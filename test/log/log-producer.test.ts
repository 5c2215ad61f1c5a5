import { isKind, type BatchAck, type ProducerOptions, type Topic, type TopicConfig } from '@moulin/core'
import { murmur2 } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { bytesOf, collect, flushesOn, machine, openIn, textOf, valuesOf, type Machine } from './machine.ts'

interface Setting {
  readonly on: Machine
  readonly topic: Topic<Uint8Array>
  close(): Promise<void>
}

async function setting(config: TopicConfig<Uint8Array> = {}): Promise<Setting> {
  const on = machine()
  const log = await openIn(on.runtime(), { segmentBytes: 1024 * 1024 })
  return { on, topic: await log.ensureTopic('orders', config), close: () => log.close() }
}

const flushes = ({ on }: Setting): number => flushesOn(on)

/** Lets everything that is ready run. */
const settle = (on: Machine): Promise<void> => on.clock.advance(0)

describe('a producer', () => {
  it('waits for company up to lingerMs, then sends what there is in one flush', async () => {
    const at = await setting()
    const producer = at.topic.producer({ lingerMs: 50 })
    const before = flushes(at)
    const acks = ['a', 'b', 'c'].map((text) => producer.send({ value: bytesOf(text) }))
    await at.on.clock.advance(49)
    expect(flushes(at)).toBe(before)
    await at.on.clock.advance(1)
    expect((await Promise.all(acks)).map(({ offset }) => offset)).toEqual([0n, 1n, 2n])
    expect(flushes(at)).toBe(before + 1)
    await at.close()
    expect(at.on.clock.waiting).toBe(0)
  })

  it('sends a full batch at once', async () => {
    const at = await setting()
    const producer = at.topic.producer({ lingerMs: 60_000, batchBytes: 100 })
    const { offset } = await producer.send({ value: new Uint8Array(200) })
    expect(offset).toBe(0n)
    await at.close()
  })

  it('holds senders back above maxUnackedBytes, and lets them in in order', async () => {
    const at = await setting()
    const producer = at.topic.producer({ lingerMs: 10, maxUnackedBytes: 500 })
    const accepted: string[] = []
    const sends = Array.from({ length: 12 }, async (_, i) => {
      await producer.send({ value: bytesOf(`${i}`.padEnd(200, '.')) })
      accepted.push(String(i))
    })
    await settle(at.on)
    await at.on.clock.advance(10)
    expect(accepted).toEqual(['0', '1', '2'])
    for (let i = 0; i < 5; i++) await at.on.clock.advance(10)
    await Promise.all(sends)
    expect((await valuesOf(at.topic)).map((value) => value.replaceAll('.', ''))).toEqual(accepted)
    expect(accepted).toHaveLength(12)
    await at.close()
  })

  it('gives up a send that waits when its signal fires, and the record is not there', async () => {
    const at = await setting()
    const producer = at.topic.producer({ lingerMs: 10, maxUnackedBytes: 1 })
    const first = producer.send({ value: bytesOf('in') })
    const abort = new AbortController()
    const waiting = producer.send({ value: bytesOf('out') }, { signal: abort.signal })
    abort.abort()
    await expect(waiting).rejects.toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    await at.on.clock.advance(10)
    await first
    await producer.close()
    expect(await valuesOf(at.topic)).toEqual(['in'])
  })

  it('puts keys where Kafka’s Java client does, and keyless records round robin by batch', async () => {
    const at = await setting({ partitions: 4 })
    const producer = at.topic.producer({ lingerMs: 0 })
    for (const key of ['ams', 'ber', '', 'kraków', 'x'.repeat(100)]) {
      const { partition } = await producer.send({ key, value: bytesOf('v') })
      expect(partition).toBe((murmur2(bytesOf(key)) & 0x7fffffff) % 4)
    }
    const partitions: number[] = []
    for (let i = 0; i < 5; i++) {
      const acks = await Promise.all([1, 2].map(() => producer.send({ value: bytesOf('v') })))
      expect(acks[0]!.partition).toBe(acks[1]!.partition)
      partitions.push(acks[0]!.partition)
    }
    expect(partitions.slice(1).every((partition, i) => partition === (partitions[i]! + 1) % 4)).toBe(true)
    expect((await producer.send({ key: 'ams', value: bytesOf('v'), partition: 2 })).partition).toBe(2)
    await at.close()
  })

  it('keeps headers in order with repeats, nulls and empties, and null keys apart from empty ones', async () => {
    const at = await setting()
    const headers = [
      ['a', bytesOf('1')],
      ['b', null],
      ['a', new Uint8Array(0)],
      ['é', bytesOf('2')],
    ] as const
    const producer = at.topic.producer({ lingerMs: 0 })
    await producer.send({ value: bytesOf('v'), headers, key: '' })
    await producer.send({ value: bytesOf('v'), headers: { trace: 'x', none: null } })
    await producer.send({ value: null })
    const records = await collect(at.topic.read({ to: 'end' }))
    const shown = records.map((record) =>
      record.headers.map(([key, value]) => [key, value && Buffer.from(value).toString()]),
    )
    expect(shown).toEqual([
      [
        ['a', '1'],
        ['b', null],
        ['a', ''],
        ['é', '2'],
      ],
      [
        ['trace', 'x'],
        ['none', null],
      ],
      [],
    ])
    expect(records.map(({ key }) => key?.length ?? null)).toEqual([0, null, null])
    expect(records.map(({ bytes }) => bytes?.length ?? null)).toEqual([1, 1, null])
    await at.close()
  })

  it('writes compressed batches that read back the same', async () => {
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      const at = await setting()
      const producer = at.topic.producer({ lingerMs: 0, compression } satisfies ProducerOptions)
      await Promise.all(Array.from({ length: 50 }, (_, i) => producer.send({ value: bytesOf(`value ${i}`) })))
      expect(await valuesOf(at.topic)).toEqual(Array.from({ length: 50 }, (_, i) => `value ${i}`))
      await at.close()
    }
  })

  it('sends all of an iterable with one ack per batch and no promise per record', async () => {
    const at = await setting({ partitions: 3 })
    await at.topic.producer({ lingerMs: 0 }).send({ value: bytesOf('first'), partition: 1 })
    const acks: BatchAck[] = []
    async function* records(): AsyncGenerator<{ value: Uint8Array; partition: number }> {
      for (let i = 0; i < 1_000; i++) yield { value: bytesOf(`${i}`.padEnd(50, '.')), partition: i % 2 }
    }
    const sent = await at.topic.producer({ batchBytes: 4_096 }).sendAll(records(), { onAck: (ack) => acks.push(ack) })
    expect(sent).toEqual({ records: 1_000, next: [500n, 501n, 0n] })
    expect(acks.reduce((sum, ack) => sum + ack.records, 0)).toBe(1_000)
    expect(acks.length).toBeLessThan(30)
    expect(acks.findLast(({ partition }) => partition === 0)).toMatchObject({ lastOffset: 499n })
    await at.close()
  })

  it('stops sendAll at its signal; what was accepted is there', async () => {
    const at = await setting()
    const abort = new AbortController()
    function* records(): Generator<{ value: Uint8Array }> {
      for (let i = 0; ; i++) {
        if (i === 100) abort.abort()
        yield { value: bytesOf(String(i)) }
      }
    }
    const producer = at.topic.producer()
    await expect(producer.sendAll(records(), { signal: abort.signal })).rejects.toMatchObject({ kind: 'aborted' })
    await producer.flush()
    expect(await valuesOf(at.topic)).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
    await at.close()
  })

  it('flushes all accepted so far, and after close refuses new ones', async () => {
    const at = await setting()
    const producer = at.topic.producer({ lingerMs: 60_000 })
    const ack = producer.send({ value: bytesOf('a') })
    await producer.flush()
    await ack
    const last = producer.send({ value: bytesOf('b') })
    await Promise.all([producer.close(), producer.close()])
    expect((await last).offset).toBe(1n)
    await expect(producer.send({ value: bytesOf('c') })).rejects.toMatchObject({ kind: 'closed' })
    await expect(producer.sendAll([{ value: bytesOf('c') }])).rejects.toMatchObject({ kind: 'closed' })
    expect(await valuesOf(at.topic)).toEqual(['a', 'b'])
    await at.close()
    await at.close()
    expect(() => at.topic.producer()).toThrow(/closed/)
  })

  it('is final after an unknown outcome: nothing is sent twice, nothing out of order', async () => {
    const at = await setting()
    const producer = at.topic.producer({ lingerMs: 0, batchBytes: 1 })
    await producer.send({ value: bytesOf('a') })
    at.on.disk.fail({ fault: 'EIO', call: 'datasync', path: /\.wal$/ })
    const outcomes = await Promise.allSettled(['b', 'c', 'd'].map((text) => producer.send({ value: bytesOf(text) })))
    const errors = outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as unknown) : undefined))
    expect(errors.every((error) => isKind(error, 'unavailable') || isKind(error, 'closed'))).toBe(true)
    expect(isKind(errors[0], 'unavailable')).toBe(true)
    await expect(producer.flush()).rejects.toMatchObject({ kind: 'closed' })
    await at.close()
    expect(textOf({ bytes: bytesOf('x') })).toBe('x')
  })
})
