/** A file that holds nothing any more and cannot be removed: it stands in nobody's way, is shown, and goes later. */
import type { DiskSize, Files, Log, Topic } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn, SEGMENT_BYTES, valuesOf, WAL, type Machine } from './machine.ts'

interface Setting {
  readonly on: Machine
  readonly log: Log
  readonly topic: Topic<Uint8Array>
  /** Opens the log again, at the same table. */
  readonly again: () => Promise<Log>
}

async function setting(on = machine(), files: Files = on.disk.files): Promise<Setting> {
  const tables = fakeTables()
  const open = (): Promise<Log> => openIn(on.runtime(files), { tier: fakeColdTier(tables), graceMs: 0 })
  const log = await open()
  return { on, log, topic: await log.createTopic('orders'), again: open }
}

async function send(topic: Topic<Uint8Array>, from: number, to: number, bytes = 1_500): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  for (let n = from; n < to; n++) await producer.send({ value: bytesOf(`${n} `.padEnd(bytes, '.')) })
  await producer.close()
}

const filesIn = async ({ disk }: Machine, epoch: number): Promise<string[]> =>
  (await disk.files.readdir(`${WAL}/epoch-${epoch}`)).map(({ name }) => name).filter((name) => name.endsWith('.wal'))

describe('an older checkpoint that cannot be removed', () => {
  it('keeps nothing from being released, and goes with a later one', async () => {
    const { on, log, topic } = await setting()
    const rule = on.disk.fail({ fault: 'EIO', call: 'unlink', path: /checkpoints/, times: Infinity })
    const count = async (): Promise<number> => (await on.disk.files.readdir('/lake/log/checkpoints')).length
    for (let round = 0; round < 5; round++) {
      await send(topic, round * 20, round * 20 + 20)
      await topic.tier()
      await log.releaseNow()
      expect(log.stats().wal.liveBytes).toBe(0)
    }
    expect(await count()).toBeGreaterThan(5)
    rule.remove()
    const first = on.disk.fail({ fault: 'EIO', call: 'unlink', path: /checkpoints\/.*0001\.json/, times: Infinity })
    for (const expected of [3, 2]) {
      await send(topic, 100, 101)
      await topic.tier()
      await log.releaseNow()
      expect(await count()).toBe(expected)
      first.remove()
    }
    await log.close()
  })
})

describe('a checkpoint that cannot be removed', () => {
  it('is shown, and goes by itself as soon as it can', async () => {
    const { on, log, topic } = await setting()
    const names = async (): Promise<string[]> =>
      (await on.disk.files.readdir('/lake/log/checkpoints')).map(({ name }) => name)
    const rule = on.disk.fail({ fault: 'READ_ONLY', call: 'unlink', path: /checkpoints\/.*2\.json/, times: Infinity })
    for (let round = 0; round < 4; round++) {
      await send(topic, round, round + 1)
      await topic.tier()
      await log.releaseNow()
    }
    expect(await names()).toHaveLength(3)
    expect(log.stats().lastError).toMatchObject({ kind: 'unavailable', code: 'READ_ONLY' })
    await on.clock.advance(10_000)
    expect(log.stats().retries).toBeGreaterThan(2)
    rule.remove()
    await on.clock.advance(60_000)
    expect(log.stats()).toMatchObject({ lastError: null, failingSinceMs: null })
    expect(await names()).toHaveLength(2)
    await log.close()
    await on.clock.advance(600_000)
  })

  it('is left alone by a log that is closed', async () => {
    const { on, log, topic } = await setting()
    on.disk.fail({ fault: 'EIO', call: 'unlink', path: /checkpoints/, times: Infinity })
    for (let round = 0; round < 3; round++) {
      await send(topic, round, round + 1)
      await topic.tier()
      await log.releaseNow()
    }
    await log.close()
    // Refused effects are counted, too.
    const count = on.disk.effects.length
    await on.clock.advance(600_000)
    expect(on.disk.effects.length).toBe(count)
  })
})

describe('a segment file that cannot be removed', () => {
  it.each([1, 2])(
    'keeps no other from being freed, and goes as soon as it can, by the writer of epoch %s',
    async (writer) => {
      const { on, log, topic, again } = await setting()
      await send(topic, 0, 90)
      if (writer === 2) await log.close()
      const own = writer === 2 ? await again() : log
      const orders = (await own.topic('orders')) as Topic<Uint8Array>
      const before = await filesIn(on, 1)
      expect(before.length).toBeGreaterThan(8)
      const stuck = before.slice(1, 3)
      const rules = stuck.map((name) =>
        on.disk.fail({ fault: 'EIO', call: 'unlink', path: `${WAL}/epoch-1/${name}`, times: Infinity }),
      )
      // Two are kept for later before any is removed, where they are its own.
      await orders.tier()
      await own.releaseNow()
      expect(own.stats().wal).toMatchObject({ liveBytes: 0, heldBytes: 0, liveSegments: 0 })
      const left = await filesIn(on, 1)
      if (writer === 2) expect(left).toEqual(stuck)
      else expect(left.length).toBeLessThan(6)
      const isStuck = left.filter((name) => stuck.includes(name)).length > 0
      expect(own.stats().lastError).toMatchObject({ kind: 'unavailable', code: 'EIO' })
      expect(isStuck).toBe(true)
      expect(own.stats().wal.segments).toBe(
        (await filesIn(on, 1)).length + (writer === 2 ? (await filesIn(on, 2)).length : 0),
      )
      await send(orders, 90, 100)
      await on.clock.advance(10_000)
      expect(own.stats().lastError).toMatchObject({ code: 'EIO' })
      expect(own.stats().retries).toBeGreaterThan(1)
      for (const rule of rules) rule.remove()
      await on.clock.advance(60_000)
      expect(own.stats().lastError).toBeNull()
      expect((await filesIn(on, 1)).filter((name) => stuck.includes(name) && writer === 2)).toEqual([])
      expect(await valuesOf(orders)).toHaveLength(100)
      await own.close()
    },
  )

  it('fails no append', async () => {
    const { on, log, topic, again } = await setting()
    // Too large to be used again.
    await send(topic, 0, 1, 2 * SEGMENT_BYTES)
    await topic.tier()
    await log.releaseNow()
    const rule = on.disk.fail({ fault: 'READ_ONLY', call: 'unlink', path: `${WAL}/epoch-1`, times: Infinity })
    await send(topic, 1, 40)
    expect(log.stats().lastError).toMatchObject({ code: 'READ_ONLY' })
    rule.remove()
    // Whatever is freed next tries it, too.
    await topic.tier()
    await log.releaseNow()
    await on.clock.advance(2_000)
    expect(log.stats().lastError).toBeNull()
    await log.close()
    const next = await again()
    expect(await valuesOf(await next.topic('orders'))).toHaveLength(40)
    await next.close()
  })

  it('and was made ahead of need is left without a header: what comes behind it is no damage', async () => {
    const on = machine()
    let isLow = false
    const spaceOf = async (): Promise<DiskSize> => ({ totalBytes: 160_000, freeBytes: isLow ? 1_000 : 150_000 })
    const { log, topic, again } = await setting(on, { ...on.disk.files, spaceOf })
    await send(topic, 0, 5)
    await on.clock.advance(0)
    const [, ahead] = await filesIn(on, 1)
    const rule = on.disk.fail({ fault: 'EIO', call: 'unlink', path: /\.wal$/, times: Infinity })
    isLow = true
    const producer = topic.producer({ lingerMs: 0 })
    for (let n = 0; n < 3 && log.stats().walFull === null; n++) {
      producer.send({ value: new Uint8Array(700) }).catch(() => undefined)
      await on.clock.advance(1_000)
    }
    isLow = false
    await on.clock.advance(2_000)
    expect(log.stats()).toMatchObject({ walFull: null, lastError: { code: 'EIO' } })
    const acked = Number(topic.offsets()[0]!.highWatermark)
    await send(topic, acked, acked + 40)
    expect(await on.disk.files.stat(`${WAL}/epoch-1/${ahead!}`)).toMatchObject({ size: 0 })
    await log.close()
    rule.remove()
    const next = await again()
    expect(await valuesOf(await next.topic('orders'))).toHaveLength(acked + 40)
    expect(next.recovery.torn).toEqual([])
    await next.close()
  })
})
