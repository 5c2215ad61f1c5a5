/** Who asked for something is told its error; what fails by itself is logged, which without a logger is one process warning. */
import { exists, unavailable, type ColdTier } from '@moulin/core'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn } from './machine.ts'

function setting(wrap: (tier: ColdTier) => ColdTier = (tier) => tier) {
  const on = machine()
  const runtime = on.runtime()
  const tables = fakeTables()
  const open = () => openIn(runtime, { tier: wrap(fakeColdTier(tables)), graceMs: 1_000 })
  const warnings = () => runtime.logs.filter(({ level }) => level === 'warn').map(({ message }) => message)
  return { on, tables, open, warnings }
}

it('a topic that is refused because of its table warns of nothing', async () => {
  const { open, warnings, on } = setting((tier) => ({
    ...tier,
    attach: (info, context) =>
      info.name === 'a_b'
        ? Promise.reject(exists('TABLE_OF_ANOTHER', 'The table is that of a.b.'))
        : tier.attach(info, context),
  }))
  const log = await open()
  await log.createTopic('a.b')
  await expect(log.ensureTopic('a_b')).rejects.toMatchObject({ code: 'TABLE_OF_ANOTHER' })
  await on.clock.advance(600_000)
  expect(warnings()).toEqual([])
  expect(log.stats().lastError).toBeNull()
  await log.close()
})

it('a commit and a release that somebody asked for warn of nothing, and what goes on by itself does', async () => {
  const { open, warnings, on, tables } = setting()
  const log = await open()
  const topic = await log.createTopic('orders', { freshnessMs: 30_000 })
  let isDown = true
  const work = async (): Promise<void> => {
    if (isDown) throw unavailable('DOWN', 'The catalog is down.')
  }
  tables.beforeCommit = work
  tables.beforeRelease = work
  await topic.producer({ lingerMs: 0 }).send({ value: bytesOf('one') })
  await expect(topic.tier()).rejects.toMatchObject({ code: 'DOWN' })
  expect(topic.stats().lastError).toMatchObject({ code: 'DOWN' })
  expect(warnings()).toEqual([])
  await on.clock.advance(30_000)
  expect(warnings()).toEqual(['Tiering failed: it will be tried again'])
  isDown = false
  await topic.tier()
  isDown = true
  await expect(log.releaseNow()).rejects.toMatchObject({ code: 'DOWN' })
  expect(warnings()).toHaveLength(1)
  await on.clock.advance(10_000)
  expect(warnings().slice(1)).toContain('Releasing write-ahead data failed: it will be tried again')
  isDown = false
  await log.close()
})

it('a look at the table for a reader warns of nothing', async () => {
  let isDown = false
  const { open, warnings } = setting((tier) => ({
    ...tier,
    attach: (info, context) =>
      isDown ? Promise.reject(unavailable('DOWN', 'The catalog is down.')) : tier.attach(info, context),
  }))
  const log = await open()
  await log.createTopic('orders')
  await log.close()
  const again = await open()
  isDown = true
  const topic = await again.topic('orders')
  expect(warnings()).toEqual(['The table cannot be used now: records stay in the write-ahead tier'])
  await expect(topic.tier()).rejects.toMatchObject({ code: 'DOWN' })
  await expect(topic.audit()).rejects.toMatchObject({ code: 'DOWN' })
  expect(warnings()).toHaveLength(1)
  await again.close()
})
