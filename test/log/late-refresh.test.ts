import type { ColdTier } from '@moulin/core'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn } from './machine.ts'

it('a table is not called behind for what was released while it was asked', async () => {
  const tier = fakeColdTier(fakeTables())
  const runtime = machine().runtime()
  let seen: readonly bigint[] | undefined
  let whileAsked = async (): Promise<void> => {}
  const late: ColdTier = {
    ...tier,
    async attach(info, context) {
      const cold = await tier.attach(info, context)
      return {
        ...cold,
        frontier: () => seen ?? cold.frontier(),
        async refresh() {
          seen = [...cold.frontier()]
          await whileAsked()
        },
      }
    },
  }
  const log = await openIn(runtime, { tier: late })
  const topic = await log.ensureTopic('rides')
  const producer = topic.producer({ lingerMs: 0 })
  const tierOne = async (text: string): Promise<void> => {
    await producer.send({ value: bytesOf(text) })
    await topic.tier()
    await log.releaseNow()
  }
  await tierOne('a')
  seen = [0n]
  whileAsked = () => tierOne('b')
  await expect(topic.scan({}).count()).resolves.toBe(2)
  expect(topic.offsets()[0]).toMatchObject({ released: 2n, frontier: 1n })
  whileAsked = async () => {}
  seen = [0n]
  await expect(topic.scan({}).count()).resolves.toBe(2)
  await log.close()
})
