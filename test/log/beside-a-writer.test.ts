import type { Log, Topic } from '@moulin/core'
import type { DiskProcess } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, machine, openIn, textOf, valuesOf, WAL, type Machine } from './machine.ts'

async function send(topic: Topic<Uint8Array>, prefix: string, count: number, size = 0): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  for (let i = 0; i < count; i++) await producer.send({ value: bytesOf(`${prefix}${i}`.padEnd(size, '.')) })
  await producer.close()
}

const short = (values: readonly string[]): string[] => values.map((value) => value.replaceAll('.', ''))
const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

describe('a read-only log', () => {
  it('offers no change, and changes nothing on disk', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    await send(await log.ensureTopic('orders'), 'a', 3)
    const beside = on.disk.process('beside')
    const reader = await openIn(on.runtime(beside.files), { access: 'read-only' })
    const topic = await reader.topic<Uint8Array>('orders')
    expect(await valuesOf(topic)).toEqual(['a0', 'a1', 'a2'])
    expect(() => topic.producer()).toThrow(/reading only/)
    await expect(topic.tier()).rejects.toMatchObject({ kind: 'invalid', code: 'READ_ONLY' })
    await expect(topic.append({ partition: 0, batches: new Uint8Array(1) })).rejects.toMatchObject({
      code: 'READ_ONLY',
    })
    await expect(reader.createTopic('more')).rejects.toMatchObject({ code: 'READ_ONLY' })
    await expect(reader.ensureTopic('more')).rejects.toMatchObject({ code: 'READ_ONLY' })
    await expect(reader.releaseNow()).rejects.toMatchObject({ code: 'READ_ONLY' })
    await reader.close()
    const kinds = on.disk.effects.filter(({ process }) => process === 'beside').map(({ kind }) => kind)
    expect([...new Set(kinds)].filter((kind) => kind !== 'syncDirectory')).toEqual(['datasync'])
    // It never fenced the writer.
    await send(await log.topic('orders'), 'b', 1)
    expect(log.epoch).toBe(1n)
    await log.close()
  })

  it('shows a section only after a sync of its own, and none once a newer writer has begun', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    const topic = await log.ensureTopic('orders')
    await send(topic, 'a', 1)
    const reader = await openIn(on.runtime(on.disk.process('beside').files), { access: 'read-only' })
    const beside = await reader.topic('orders')
    expect(await valuesOf(beside)).toEqual(['a0'])

    // An opener that is cut off: it fences, but holds nothing.
    await on.disk.files.mkdir(`${WAL}/epoch-2`)
    const producer = topic.producer({ lingerMs: 0 })
    await expect(producer.send({ value: bytesOf('never acked') })).rejects.toMatchObject({ kind: 'fenced' })
    expect(await valuesOf(beside)).toEqual(['a0'])

    const late = await openIn(on.runtime(), { access: 'read-only' })
    expect(await valuesOf(await late.topic('orders'))).toEqual([])
    await late.close()

    // The next writer settles what was not acked, the same for all.
    await log.close()
    const next = await openIn(on.runtime())
    const settled = await valuesOf(await next.topic('orders'))
    expect(settled.slice(0, 1)).toEqual(['a0'])
    expect(await valuesOf(beside)).toEqual(settled)
    expect(reader.epoch).toBe(3n)
    await reader.close()
    await next.close()
  })

  /** A reader that knows of `a0`, beside a writer that ends, or hangs, in the middle of storing `b`: what it shows then. */
  async function besideCutFlush(on: Machine, halt: (writer: DiskProcess) => void): Promise<string[]> {
    const writer = on.disk.process('writer')
    const log = await openIn(on.runtime(writer.files))
    const topic = await log.ensureTopic('orders')
    await send(topic, 'a', 1)
    await on.clock.advance(0)
    const reader = await openIn(on.runtime(on.disk.process('beside').files), { access: 'read-only' })
    const beside = await reader.topic('orders')
    expect(await valuesOf(beside)).toEqual(['a0'])
    halt(writer)
    void topic.producer({ lingerMs: 0 }).send({ value: bytesOf('b') })
    await writer.halted()
    return valuesOf(beside)
  }

  async function expectKept(on: Machine, shown: readonly string[]): Promise<void> {
    on.disk.crash()
    on.processes.reboot()
    const next = await openIn(on.runtime())
    expect(await valuesOf(await next.topic('orders'))).toEqual(shown)
    await next.close()
  }

  it('shows nothing that a power loss could take back, written by a writer that hangs before its own sync', async () => {
    const on = machine(1, { syncedWrites: false })
    const shown = await besideCutFlush(on, (writer) =>
      writer.pauseAt({ effect: writer.effectCount + 2, when: 'before' }),
    )
    expect(shown).toEqual(['a0', 'b'])
    await expectKept(on, shown)
  })

  it('shows nothing that a power loss could take back, of a write that was killed before its sync was over', async () => {
    const seen = new Set<number>()
    for (let seed = 1; seed <= 12; seed++) {
      const on = machine(seed)
      const shown = await besideCutFlush(on, (writer) =>
        writer.stopAt({ effect: writer.effectCount + 1, when: 'during' }),
      )
      seen.add(shown.length)
      await expectKept(on, shown)
    }
    expect([...seen].sort()).toEqual([1, 2])
  })

  it('follows over rolls, recycling and changes of the writer, and misses nothing', async () => {
    const on = machine()
    const tables = fakeTables()
    const open = (): Promise<Log> => openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    let log = await open()
    let topic = await log.ensureTopic('orders')
    const reader = await openIn(on.runtime(on.disk.process('beside').files), {
      access: 'read-only',
      tier: fakeColdTier(tables),
    })
    const seen: string[] = []
    const following = (async () => {
      for await (const record of (await reader.topic('orders')).read({ from: 'earliest' })) seen.push(textOf(record))
    })()
    const expected: string[] = []
    for (let round = 0; round < 8; round++) {
      await send(topic, `${round}-`, 40, 400)
      expected.push(...names(`${round}-`, 40))
      // At times the reader is far behind what is released and recycled under it.
      if (round % 3 !== 0) await on.clock.advance(1_500)
      await topic.tier()
      await log.releaseNow()
      if (round % 4 === 2) {
        await log.close()
        log = await open()
        topic = await log.ensureTopic('orders')
      }
    }
    await on.clock.advance(5_000)
    expect(short(seen)).toEqual(expected)
    await Promise.all([log.close(), reader.close()])
    await following
  })

  it('learns of records that were released before it saw them', async () => {
    const on = machine()
    const tables = fakeTables()
    const log = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    const topic = await log.ensureTopic('orders')
    const reader = await openIn(on.runtime(), { access: 'read-only', tier: fakeColdTier(tables) })
    const beside = await reader.topic('orders')
    const expected: string[] = []
    for (const prefix of ['a', 'b', 'c', 'd']) {
      await send(topic, prefix, 100, 400)
      expected.push(...names(prefix, 100))
      await topic.tier()
      await log.releaseNow()
    }
    expect(short(await valuesOf(beside))).toEqual(expected)
    await Promise.all([log.close(), reader.close()])
  })

  it('reads old offsets from the table when the section it knew of has been recycled', async () => {
    const on = machine()
    const tables = fakeTables()
    const log = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    const topic = await log.ensureTopic('orders')
    await send(topic, 'a', 60, 400)
    const reader = await openIn(on.runtime(), { access: 'read-only', tier: fakeColdTier(tables) })
    const beside = await reader.topic('orders')
    await topic.tier()
    await log.releaseNow()
    await send(topic, 'b', 120, 400)
    const found = await collect(
      beside.readAt([3, 59, 60, 179, 500].map((offset) => ({ partition: 0, offset: BigInt(offset) }))),
    )
    expect(found.map((record) => record && short([textOf(record)])[0])).toEqual(['a3', 'a59', 'b0', 'b119', undefined])
    expect(short(await valuesOf(beside))).toEqual([...names('a', 60), ...names('b', 120)])
    await Promise.all([log.close(), reader.close()])
  })
})
