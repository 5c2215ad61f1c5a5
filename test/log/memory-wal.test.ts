/** The log over a Wal that is as unlike `fileWal` as the door allows: it assigns offsets, with several flushes under way. */
import { memoryCatalog } from '@moulin/catalog'
import { schema, t } from '@moulin/core'
import type { Log, LogRecord, ObjectStore, Topic, Wal } from '@moulin/core'
import { json } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { openLog, type OpenLogOptions } from '@moulin/log'
import { memory } from '@moulin/storage'
import { memoryWal, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, machine, textOf, valuesOf, type Machine } from './machine.ts'

interface Place {
  readonly on: Machine
  readonly store: ObjectStore
  readonly wal: Wal
}

function place(seed: number): Place {
  return { on: machine(seed), store: memory(), wal: memoryWal({ seed }) }
}

function open({ on, store, wal }: Place, options: Partial<OpenLogOptions> = {}): Promise<Log> {
  return openLog({ store, wal, runtime: on.runtime(), ...options })
}

/** Sends `count` batches to each partition, all under way together; resolves to the offsets in the order of the calls. */
async function send(topic: Topic<Uint8Array>, prefix: string, count: number): Promise<string[]> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  const acks: string[] = []
  const sent: Promise<unknown>[] = []
  for (let n = 0; n < count; n++) {
    for (let partition = 0; partition < topic.partitions; partition++) {
      const ack = producer.send({ value: bytesOf(`${prefix}${n}`), partition })
      sent.push(ack.then(({ offset }) => acks.push(`${partition}@${offset}`)))
    }
    // Into flushes of their own.
    if (n % 3 === 0) await new Promise((turn) => setImmediate(turn))
  }
  await Promise.all(sent)
  await producer.close()
  return acks
}

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

describe('a log over memoryWal', () => {
  it('sends, reads and tails, with dense offsets in the order of the calls', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const at = place(seed)
      const log = await open(at)
      expect(log.durability).toBe('memory')
      const topic = await log.ensureTopic('orders', { partitions: 2 })
      const stop = new AbortController()
      const tailed: LogRecord[] = []
      const tail = (async () => {
        for await (const record of topic.read({ partition: 1, signal: stop.signal })) tailed.push(record)
      })().catch(() => undefined)
      const acks = await send(topic, 'a', 10)
      expect(acks).toEqual(names('', 10).flatMap((n) => [`0@${n}`, `1@${n}`]))
      expect(await valuesOf(topic, 0)).toEqual(names('a', 10))
      await at.on.clock.advance(0)
      expect(tailed.map(({ offset }) => offset)).toEqual(names('', 10).map(BigInt))
      stop.abort()
      await tail
      await log.close()
    }
  })

  it('gives back what it assigned, from the Wal itself, to the next process and to readers beside it', async () => {
    const at = place(7)
    const log = await open(at, { limits: { tailRingBytes: 1 } })
    const topic = await log.ensureTopic('orders', { partitions: 2 })
    await send(topic, 'a', 5)
    const beside = await open(at, { access: 'read-only' })
    const read = await beside.topic<Uint8Array>('orders')
    expect(await valuesOf(read, 1)).toEqual(names('a', 5))
    const tailed: string[] = []
    const tail = (async () => {
      for await (const record of read.read({ partition: 1 })) tailed.push(`${record.offset} ${textOf(record)}`)
    })().catch(() => undefined)
    await log.close()

    const again = await open(at)
    expect(again.epoch).toBe(2n)
    const found = await again.topic<Uint8Array>('orders')
    await send(found, 'b', 3)
    expect(await valuesOf(found, 0)).toEqual([...names('a', 5), ...names('b', 3)])
    const all = await collect(found.read({ partition: 0, to: 'end' }))
    expect(all.map(({ offset }) => offset)).toEqual(names('', 8).map(BigInt))
    await at.on.clock.advance(2_000)
    expect(tailed).toEqual([...names('a', 5), ...names('b', 3)].map((value, offset) => `${offset} ${value}`))
    expect(beside.epoch).toBe(2n)
    await again.close()
    await beside.close()
    await tail
  })

  it('lets go of what a table has, and goes on where it was', async () => {
    const at = place(3)
    const tables = fakeTables()
    const log = await open(at, { tier: fakeColdTier(tables) })
    const topic = await log.ensureTopic('orders')
    await send(topic, 'a', 6)
    const beside = await open(at, { access: 'read-only', tier: fakeColdTier(tables) })
    expect(beside.stats().wal.liveBytes).toBe(log.stats().wal.liveBytes)
    expect((await topic.tier()).rows).toBe(6)
    await log.releaseNow()
    expect(log.stats().wal).toEqual({ liveBytes: 0, heldBytes: 0, segments: 0, liveSegments: 0, bufferBytes: 0 })
    await at.on.clock.advance(3_000)
    expect(beside.stats().wal.liveBytes).toBe(0)
    expect(await valuesOf(await beside.topic('orders'))).toEqual(names('a', 6))
    await beside.close()
    await log.close()

    // It holds nothing of the partition, and goes on all the same.
    const again = await open(at, { tier: fakeColdTier(tables) })
    const found = await again.topic<Uint8Array>('orders')
    expect(await send(found, 'b', 1)).toEqual(['0@6'])
    expect(await valuesOf(found)).toEqual([...names('a', 6), 'b0'])
    await again.close()
  })

  it('fences an older writer: what it had under way it does not know', async () => {
    const at = place(5)
    const old = await open(at)
    const topic = await old.ensureTopic('orders')
    await send(topic, 'a', 2)
    await expect(open(at)).rejects.toMatchObject({ code: 'WRITER_ALIVE' })
    const producer = topic.producer({ lingerMs: 0 })
    const late = producer.send({ value: bytesOf('late') })
    const opening = open(at, { takeover: 'newest' })
    await expect(late).rejects.toMatchObject({ kind: 'fenced', outcome: 'unknown' })
    await expect(producer.send({ value: bytesOf('later') })).rejects.toMatchObject({ kind: 'closed' })
    const log = await opening
    expect(await valuesOf(await log.topic('orders'))).toEqual(names('a', 2))
    await old.close()
    await log.close()
  })

  it('is lost with its process where nobody keeps it', async () => {
    const at = place(9)
    await (await open(at)).close()
    await expect(open({ ...at, wal: memoryWal({ seed: 9 }) })).rejects.toMatchObject({ code: 'WAL_MISSING' })
    const strange = { store: memory(), wal: at.wal, runtime: virtualRuntime({ seed: 10 }) }
    await expect(openLog(strange)).rejects.toMatchObject({ code: 'OTHER_LOG' })
    for await (const { key } of strange.store.list()) expect(key).toBe('nothing')
    // A Wal that cannot say whose it is refuses all the same, later.
    const silent = { ...strange, wal: { ...at.wal, logId: undefined as never } }
    await expect(openLog(silent)).rejects.toMatchObject({ code: 'OTHER_LOG' })
  })

  it('is opened by who looked at the store before another one began the log there', async () => {
    const at = place(12)
    const wal: Wal = {
      ...at.wal,
      async logId(options) {
        await (await open(at)).close()
        return at.wal.logId?.(options)
      },
    }
    await (await open({ ...at, wal })).close()
  })

  it('fills a table that its audit finds whole, and that is scanned together with what is still hot', async () => {
    const at = place(11)
    const tier = icebergTier({ catalog: memoryCatalog({ store: at.store, runtime: at.on.runtime() }), threads: 0 })
    const log = await open(at, { tier, limits: { tailRingBytes: 1 } })
    const value = json(schema({ n: t.int }))
    const topic = await log.createTopic('numbers', { value, partitions: 2, table: 'shop.numbers' })
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    const some = (from: number, to: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: to - from }, (_, n) => producer.send({ value: { n: from + n }, partition: n % 2 })),
      )
    await some(0, 20)
    expect((await topic.tier()).rows).toBe(20)
    await some(20, 26)
    expect(await topic.scan().count()).toBe(26)
    expect(await topic.audit({ deep: true })).toMatchObject({ clean: true })
    await log.releaseNow()
    const read = await collect(topic.read({ partition: 1, to: 'end' }))
    expect(read.map((record) => [record.offset, record.value!.n])).toEqual(
      Array.from({ length: 13 }, (_, n) => [BigInt(n), 2 * n + 1]),
    )
    await log.close()
  })
})
