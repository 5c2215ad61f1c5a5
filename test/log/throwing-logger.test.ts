/** A logger that fails breaks nothing of what it is told about. */
import process from 'node:process'
import { unavailable, type Logger, type Runtime } from '@moulin/core'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { machine, openIn, SEGMENT_BYTES } from './machine.ts'

const fail = (): never => {
  throw new Error('the disk of the log lines is full')
}
const reject = (): Promise<never> => Promise.reject(new Error('the log server is gone'))

it.each<[string, () => void]>([
  ['throws', fail],
  ['rejects', reject],
])('a full tier empties itself, and producers go on, with a logger that %s', async (_, line) => {
  const lost: unknown[] = []
  const take = (reason: unknown): void => void lost.push(reason)
  process.on('unhandledRejection', take)
  const on = machine()
  const logger: Logger = { debug: line, info: line, warn: line, error: line }
  const runtime: Runtime = { ...on.runtime(), logger }
  const tables = fakeTables()
  let isDown = true
  tables.beforeCommit = async () => {
    if (isDown) throw unavailable('DOWN', 'The catalog is down.')
  }
  const tier = fakeColdTier(tables)
  const limits = { maxWalBytes: 2 * SEGMENT_BYTES }
  const log = await openIn(runtime, { tier, graceMs: 0, maxBlockMs: 600_000, limits })
  const topic = await log.createTopic('orders')
  await expect(topic.tier()).resolves.toMatchObject({ rows: 0 })
  const producer = topic.producer({ lingerMs: 0 })
  const acks: Promise<unknown>[] = []
  for (let n = 0; n < 60; n++) {
    acks.push(producer.send({ value: new Uint8Array(1_500) }))
    await on.clock.advance(1)
  }
  expect(log.stats().walFull).not.toBeNull()
  isDown = false
  await on.clock.advance(120_000)
  expect(log.stats()).toMatchObject({ walFull: null, lastError: null })
  await Promise.all(acks)
  await expect(topic.tier()).resolves.toMatchObject({ frontier: [60n] })
  await log.close()
  process.off('unhandledRejection', take)
  expect(lost).toEqual([])
})
