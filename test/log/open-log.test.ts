import { t, schema } from '@moulin/core'
import { avro } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { bytesOf, collect, machine, openIn, textOf, valuesOf } from './machine.ts'

describe('openLog', () => {
  it('gives back what was sent, in order, before and after a clean reopen', async () => {
    const { runtime } = machine()
    const first = runtime()
    const log = await openIn(first)
    const topic = await log.ensureTopic('orders', { partitions: 2 })
    const producer = topic.producer({ lingerMs: 0 })
    const acks = await Promise.all(
      Array.from({ length: 10 }, (_, i) => producer.send({ value: bytesOf(`v${i}`), partition: i % 2, key: `k${i}` })),
    )
    expect(acks.map(({ partition, offset }) => `${partition}@${offset}`)).toEqual([
      '0@0',
      '1@0',
      '0@1',
      '1@1',
      '0@2',
      '1@2',
      '0@3',
      '1@3',
      '0@4',
      '1@4',
    ])
    expect(await valuesOf(topic, 0)).toEqual(['v0', 'v2', 'v4', 'v6', 'v8'])
    await log.close()

    const again = await openIn(runtime())
    const found = await again.topic('orders')
    expect(await valuesOf(found, 1)).toEqual(['v1', 'v3', 'v5', 'v7', 'v9'])
    const { offset } = await found.producer({ lingerMs: 0 }).send({ value: bytesOf('more'), partition: 1 })
    expect(offset).toBe(5n)
    await again.close()
  })

  it('decodes values by the schema ledger in a process that has no schema', async () => {
    const Order = schema({ id: t.int53, city: t.string })
    const { runtime } = machine()
    const log = await openIn(runtime())
    const topic = await log.ensureTopic('orders', { value: avro(Order) })
    await topic.producer({ lingerMs: 0 }).send({ value: { id: 1, city: 'ams' } })
    await log.close()

    const again = await openIn(runtime(), { access: 'read-only' })
    const records = await collect((await again.topic('orders')).read({ to: 'end' }))
    expect(records.map(({ value }) => ({ ...(value as object) }))).toEqual([{ id: 1, city: 'ams' }])
    await again.close()
  })

  it('follows new records in the writer without polling and beside it', async () => {
    const { runtime, clock } = machine()
    const log = await openIn(runtime())
    const topic = await log.ensureTopic('orders')
    const reader = await openIn(runtime(), { access: 'read-only' })
    const seen: string[] = []
    const abort = new AbortController()
    const follow = async (name: string, records: AsyncIterable<{ bytes: Uint8Array | null }>): Promise<void> => {
      for await (const record of records) seen.push(`${name} ${textOf(record)}`)
    }
    const tails = [
      follow('inside', topic.read({ signal: abort.signal })),
      follow('beside', (await reader.topic('orders')).read({ signal: abort.signal })),
    ]
    const producer = topic.producer({ lingerMs: 0 })
    await producer.send({ value: bytesOf('a') })
    await clock.advance(2_000)
    await producer.send({ value: bytesOf('b') })
    await clock.advance(2_000)
    expect(seen.sort()).toEqual(['beside a', 'beside b', 'inside a', 'inside b'])
    await Promise.all([log.close(), reader.close()])
    await Promise.all(tails)
  })
})
