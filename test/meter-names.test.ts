/** A meter that refuses a name that it knows, as some registries do, hears of every topic. */
import type { Log, Meter, MetricAttributes } from '@moulin/core'
import { expect, it } from 'vitest'
import { batchOf, virtualLake } from './support/virtual-lake.ts'

const topics = ['orders', 'returns', 'visits']

it('is asked once for each name, whatever opens, closes and is attached again, and hears of all topics', async () => {
  const lake = virtualLake(3)
  const refused: string[] = []
  const open = new Map<string, (see: (value: number, attributes?: MetricAttributes) => void) => void>()
  const heard = new Map<string, Set<unknown>>()
  const known = (name: string): void => {
    if (open.has(name)) {
      refused.push(name)
      throw new Error(`${name} has already been registered`)
    }
    open.set(name, () => {})
    heard.set(name, heard.get(name) ?? new Set())
  }
  const tell =
    (name: string) =>
    (_value: number, attributes: MetricAttributes = {}): void =>
      void heard.get(name)!.add(attributes['messaging.destination.name'])
  const meter: Meter = {
    counter: (name) => (known(name), { add: tell(name) }),
    histogram: (name) => (known(name), { record: tell(name) }),
    gauge(name, _, observe) {
      known(name)
      open.set(name, observe)
      return { close: () => void open.delete(name) }
    },
  }
  const use = async (log: Log, topic: string): Promise<void> => {
    const { settled } = lake
    const found = await settled(log.ensureTopic(topic, { timestampBeforeMaxMs: -1 }))
    await found.append({ partition: 0, batches: batchOf([{ value: Buffer.from('v'), timestamp: 1n }]) })
    await settled(found.tier())
    // What is read next is in the table alone.
    await settled(log.releaseNow())
    let read = 0
    const reading = (async () => {
      for await (const _ of found.read({ to: 'end' })) read++
    })()
    await settled(reading)
    expect(read).toBeGreaterThan(0)
  }
  for (let session = 0; session < 2; session++) {
    const log = await lake.open({ runtime: { ...lake.runtime, meter } })
    for (const topic of topics) await use(log, topic)
    for (const [name, observe] of open) if (name.startsWith('moulin.untiered')) observe(tell(name))
    await lake.settled(log.close())
  }
  expect(refused).toEqual([])
  const ofTopics = [...heard].filter(([name]) => !/^moulin\.(file|wal|worker|commit\.conflicts)/.test(name))
  expect(ofTopics.map(([name]) => name)).toContain('moulin.cold.reads')
  for (const [name, names] of ofTopics) expect([name, [...names].sort()]).toEqual([name, topics])
})
