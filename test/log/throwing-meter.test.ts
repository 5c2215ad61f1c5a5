/** A meter that fails breaks nothing of what it measures. */
import process from 'node:process'
import type { Meter } from '@moulin/core'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn, valuesOf } from './machine.ts'

const fail = (): never => {
  throw new Error('the exporter is gone')
}
const reject = (() => Promise.reject(new Error('the collector is gone'))) as () => void
const failing = (use: () => void): Meter => ({
  counter: () => ({ add: use }),
  histogram: () => ({ record: use }),
  gauge: (_name, _options, observe) => {
    observe(use)
    return { close: use }
  },
})

it('is refused by name where it is none, in a runtime too', async () => {
  const runtime = machine(32).runtime()
  for (const meter of [5, {}, { counter: fail, histogram: fail }]) {
    const opened = openIn({ ...runtime, meter: meter as unknown as Meter })
    await expect(opened).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION', context: { option: 'runtime' } })
    await expect(opened).rejects.toThrow('meter, a Meter, an object with counter, histogram, gauge')
  }
})

it.each<[string, Meter]>([
  ['has no instruments', { counter: fail, histogram: fail, gauge: fail }],
  ['throws', failing(fail)],
  ['rejects', failing(reject)],
])('records are acked, tiered, released and found again with a meter that %s', async (_, meter) => {
  const lost: unknown[] = []
  const take = (reason: unknown): void => void lost.push(reason)
  process.on('unhandledRejection', take)
  const on = machine(31)
  const runtime = { ...on.runtime(), meter }
  const log = await openIn(runtime, { tier: fakeColdTier(fakeTables()), graceMs: 0 })
  const topic = await log.createTopic('readings')
  const producer = topic.producer({ lingerMs: 0 })
  const values = Array.from({ length: 40 }, (_, n) => `reading ${n}`)
  for (const value of values) await producer.send({ value: bytesOf(value) })
  await expect(topic.tier()).resolves.toMatchObject({ rows: 40 })
  await log.releaseNow()
  await producer.send({ value: bytesOf('one more') })
  expect(await valuesOf(topic)).toEqual([...values, 'one more'])
  await log.close()
  process.off('unhandledRejection', take)
  expect(lost).toEqual([])
})
