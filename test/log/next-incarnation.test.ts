/** A topic takes the next incarnation while its disk stops at any effect, and a checkpoint that knows more than the topic. */
import type { Log, Topic } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables, stalledTier, type FakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, LAKE, machine, openIn, SEGMENT_BYTES, textOf, type Machine } from './machine.ts'

const PARTITIONS = 2
const JUMP = 2n ** 20n

async function send(topic: Topic<Uint8Array>, partition: number, ...texts: readonly string[]): Promise<bigint[]> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  const offsets: bigint[] = []
  for (const text of texts) offsets.push((await producer.send({ value: bytesOf(text), partition })).offset)
  await producer.close()
  return offsets
}

const open = (on: Machine, tables: FakeTables): Promise<Log> => openIn(on.runtime(), { tier: fakeColdTier(tables) })
const topicOf = (log: Log): Promise<Topic<Uint8Array>> => log.ensureTopic('tides', { partitions: PARTITIONS })

/** Partition 0 has 4 records in the log, 2 of them released, and 9 in the table; partition 1 has 2 and none. */
async function older(on: Machine): Promise<FakeTables> {
  const tables = fakeTables()
  const log = await open(on, tables)
  const topic = await topicOf(log)
  await send(topic, 0, 'a', 'b')
  await topic.tier()
  await log.releaseNow()
  await send(topic, 0, 'c', 'd')
  await send(topic, 1, 'e', 'f')
  await log.close()
  tables.tables.get(topic.id)!.frontier[0] = 9n
  return tables
}

async function adoptAndSend(on: Machine, tables: FakeTables, acked: Map<bigint, string>): Promise<void> {
  const log = await open(on, tables)
  const topic = await topicOf(log)
  await topic.adoptTable()
  for (const text of ['x', 'y']) acked.set((await send(topic, 0, text))[0]!, text)
  await log.close()
}

const isBehind = (topic: Topic<Uint8Array>): boolean =>
  (topic.stats().stoppedBy as { code?: string } | null)?.code === 'LOG_BEHIND_TABLE'

async function check(on: Machine, tables: FakeTables, acked: Map<bigint, string>, where: string): Promise<void> {
  const log = await open(on, tables)
  const topic = await topicOf(log)
  if (isBehind(topic)) {
    expect(acked.size, where).toBe(0)
    await expect(send(topic, 0, 'no'), where).rejects.toMatchObject({ code: 'LOG_BEHIND_TABLE' })
    await topic.adoptTable()
  }
  for (const offset of await send(topic, 0, 'z')) {
    expect(offset >= 9n + JUMP && !acked.has(offset), `${where}: ${offset} is new`).toBe(true)
    acked.set(offset, 'z')
  }
  expect(topic.incarnation, where).toBeGreaterThan(0)
  await log.close()
  const last = await open(on, tables)
  const again = await topicOf(last)
  expect(again.stats().earlier, where).toMatchObject([
    { incarnation: 0, partition: 0, from: 2n, to: 4n },
    { incarnation: 0, partition: 1, from: 0n, to: 2n },
  ])
  const read = await collect(again.read({ partition: 0, to: 'end' }))
  const found = new Map(read.map((record) => [record.offset, textOf(record)]))
  for (const [offset, text] of acked) expect(found.get(offset), `${where}: acked ${offset}`).toBe(text)
  await last.close()
}

it('is in one incarnation or the next, whatever effect on the disk is the last one', { timeout: 120_000 }, async () => {
  const whole = machine()
  const tables = await older(whole)
  const [first, before] = [whole.disk.effectCount, whole.disk.effects.length]
  await adoptAndSend(whole, tables, new Map())
  const effects = whole.disk.effects.slice(before)
  expect(effects.length).toBeGreaterThan(20)
  for (const [index, { kind, path }] of effects.entries()) {
    for (const when of ['before', 'after'] as const) {
      const one = machine(index + 1)
      const theirs = await older(one)
      const acked = new Map<bigint, string>()
      one.disk.stopAt({ effect: first + index + 1, when })
      await Promise.race([adoptAndSend(one, theirs, acked), one.disk.halted()])
      one.disk.crash({ tear: index % 2 === 0 })
      one.processes.reboot()
      await check(one, theirs, acked, `${when} effect ${index + 1} (${kind} ${path})`)
    }
  }
})

it('refuses a log whose checkpoint knows an incarnation that no version of the topic names', async () => {
  const on = machine()
  const tables = await older(on)
  await adoptAndSend(on, tables, new Map())
  const store = fileSystem({ root: LAKE, files: on.disk.files })
  await store.delete('log/topics/tides/0000000002.json')
  await expect(open(on, tables)).rejects.toMatchObject({
    kind: 'corrupt',
    code: 'TOPIC_OUTDATED',
    message: expect.stringMatching(/tides/),
  })
})

it('has nothing to adopt for a read-only log, and without tables', async () => {
  const on = machine()
  const tables = await older(on)
  const reader = await openIn(on.runtime(), { tier: fakeColdTier(tables), access: 'read-only' })
  const seen = (await reader.topic('tides')) as Topic<Uint8Array>
  await expect(seen.adoptTable()).rejects.toMatchObject({ kind: 'invalid', code: 'READ_ONLY' })
  await reader.close()
  const plain = await openIn(on.runtime())
  await expect((await topicOf(plain)).adoptTable()).rejects.toMatchObject({ kind: 'invalid', code: 'NO_COLD_TIER' })
  await plain.close()
})

it('names what earlier incarnations hold to producers that wait for room, and lets them in once that is dropped', async () => {
  const on = machine()
  const tables = fakeTables()
  const first = await open(on, tables)
  const before = await topicOf(first)
  for (let n = 0; n < 8; n++) await send(before, 1, `${n}`.padEnd(9_000, '.'))
  // Others hold something, too, but less.
  const others = ['ash', 'birch', 'cedar', 'fir']
  for (const name of others) {
    const other = await first.ensureTopic(name)
    await other.producer({ lingerMs: 0 }).send({ value: bytesOf(name) })
  }
  await first.close()
  // Never committed: a table that somebody else has filled.
  const partitions = Array.from({ length: PARTITIONS }, () => [])
  const table = { partitions, frontier: [9n, 0n], schemaId: 0, snapshotId: null, committedAtMs: undefined }
  tables.tables.set(before.id, table)
  const limits = { maxWalBytes: 3 * SEGMENT_BYTES }
  const tier = others.reduce(stalledTier, fakeColdTier(tables))
  const log = await openIn(on.runtime(), { tier, graceMs: 0, limits })
  const topic = await topicOf(log)
  await topic.adoptTable()
  const producer = topic.producer({ lingerMs: 0 })
  producer.send({ value: bytesOf('first'), partition: 0 }).catch(() => undefined)
  await on.clock.advance(0)
  const earlier = topic.stats().earlier.reduce((bytes, range) => bytes + range.bytes, 0)
  expect(earlier).toBeGreaterThan(limits.maxWalBytes)
  expect(log.stats().walFull!.reason).toMatch(`topic tides ${earlier} bytes of earlier incarnations`)
  expect(log.stats().walFull!.reason).toMatch('topic.dropEarlier()')
  const refused = expect(producer.send({ value: bytesOf('refused'), partition: 0 })).rejects.toMatchObject({
    code: 'WAL_FULL',
    message: expect.stringMatching(/dropEarlier/),
  })
  await on.clock.advance(60_000)
  await refused
  let isIn = false
  const patient = producer.send({ value: bytesOf('patient'), partition: 0 }).then(() => (isIn = true))
  await on.clock.advance(0)
  expect(isIn).toBe(false)
  await topic.dropEarlier()
  // At once: no timer has to come.
  await on.clock.advance(0)
  expect(isIn).toBe(true)
  await patient
  expect(log.stats().walFull).toBeNull()
  await log.close()
})
