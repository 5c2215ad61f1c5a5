import type { Topic } from '@moulin/core'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn } from './machine.ts'

it('tells the cold tier where each partition ended when this writer opened the log', async () => {
  const on = machine()
  const tables = fakeTables()
  const ends = (): readonly bigint[] => tables.hot.at(-1)!.recoveredOffsets()
  const tier = fakeColdTier(tables)

  const log = await openIn(on.runtime(), { tier })
  const topic = await log.createTopic('gates', { partitions: 3 })
  await fill(topic, [7, 0, 2])
  expect(ends()).toEqual([0n, 0n, 0n])
  await topic.tier()
  await log.releaseNow()
  await fill(topic, [0, 0, 3])
  await log.close()

  // Released, never written, and partly released.
  const again = await openIn(on.runtime(), { tier })
  const found = await again.topic<Uint8Array>('gates')
  expect(ends()).toEqual([7n, 0n, 5n])
  await fill(found, [4, 4, 4])
  expect(ends()).toEqual([7n, 0n, 5n])
  await again.ensureTopic('doors', { partitions: 2 })
  expect(ends()).toEqual([0n, 0n])
  await again.close()

  const reading = await openIn(on.runtime(), { tier, access: 'read-only' })
  await reading.topic('gates')
  expect(ends()).toEqual([0n, 0n, 0n])
  await reading.close()
})

async function fill(topic: Topic<Uint8Array>, counts: readonly number[]): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  for (const [partition, count] of counts.entries()) {
    for (let i = 0; i < count; i++) await producer.send({ value: bytesOf(`${partition}:${i}`), partition })
  }
  await producer.close()
}
