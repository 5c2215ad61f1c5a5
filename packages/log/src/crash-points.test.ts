import type { Log, Topic } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables, type FakeTables } from './fake-cold-tier.test-support.ts'
import { bytesOf, collect, machine, openIn, textOf, type Machine } from './log.test-support.ts'

const PARTITIONS = 2
const long = process.env['MOULIN_LONG'] === '1'

/** What the application knows: what it asked for, and what it was told. */
interface Ledger {
  sent: number
  readonly acked: Map<string, string>
}

const newLedger = (): Ledger => ({ sent: 0, acked: new Map() })

/** Sends records of about a kilobyte, so that fifteen of them fill a segment. */
async function send(topic: Topic<Uint8Array>, ledger: Ledger, count: number): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 2_000 })
  const acks = Array.from({ length: count }, async () => {
    const text = `record ${ledger.sent++} `.padEnd(900, '.')
    const { partition, offset } = await producer.send({ value: bytesOf(text), partition: ledger.sent % PARTITIONS })
    ledger.acked.set(`${partition}@${offset}`, text)
  })
  await Promise.all(acks)
  await producer.close()
}

/** Every reason to touch the disk: produce, roll, commit, checkpoint, recycle, an oversized section, close, take over. */
async function life({ runtime }: Machine, tables: FakeTables, ledger: Ledger): Promise<void> {
  const open = (): Promise<Log> => openIn(runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
  const first = await open()
  const orders = await first.ensureTopic('orders', { partitions: PARTITIONS })
  await send(orders, ledger, 10)
  await send(orders, ledger, 30)
  await orders.tier()
  await first.releaseNow()
  await send(orders, ledger, 20)
  const big = orders.producer({ lingerMs: 0 })
  const text = `big ${ledger.sent++} `.padEnd(40_000, '.')
  const { partition, offset } = await big.send({ value: bytesOf(text), partition: 0 })
  ledger.acked.set(`${partition}@${offset}`, text)
  await send(orders, ledger, 4)
  await first.close()

  const second = await open()
  const again = await second.ensureTopic('orders', { partitions: PARTITIONS })
  await send(again, ledger, 12)
  await again.tier()
  await second.releaseNow()
  await send(again, ledger, 3)
  await second.close()
}

/** Opens what is left and holds it against the ledger. */
async function check({ runtime }: Machine, tables: FakeTables, ledger: Ledger, where: string): Promise<void> {
  const log = await openIn(runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
  const topic = await log.ensureTopic('orders', { partitions: PARTITIONS })
  const more = newLedger()
  await send(topic, more, 2)
  const found = new Map<string, string>()
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records = await collect(topic.read({ partition, to: 'end' }))
    expect(
      records.map(({ offset }) => offset),
      `${where}: offsets are dense`,
    ).toEqual(records.map((_, index) => BigInt(index)))
    for (const record of records) found.set(`${partition}@${record.offset}`, textOf(record))
  }
  for (const [place, text] of [...ledger.acked, ...more.acked]) {
    expect(found.get(place)?.slice(0, 20), `${where}: acked ${place}`).toBe(text.slice(0, 20))
  }
  for (const place of more.acked.keys()) found.delete(place)
  expect(new Set(found.values()).size, `${where}: nothing twice`).toBe(found.size)
  await log.close()
}

describe('a crash at any effect on the disk', () => {
  it(
    'loses no acked record, doubles none and leaves offsets dense',
    { timeout: long ? 1_200_000 : 120_000 },
    async () => {
      const whole = machine()
      const clean = newLedger()
      await life(whole, fakeTables(), clean)
      const effects = whole.disk.effects.length
      expect(clean.acked.size).toBe(clean.sent)
      const kinds = new Set(whole.disk.effects.map(({ kind }) => kind))
      expect([...kinds]).toEqual(expect.arrayContaining(['mkdir', 'link', 'unlink', 'datasync']))

      const ends = long ? (['kill', 'crash', 'tear'] as const) : (['crash', 'tear'] as const)
      for (let effect = 1; effect <= effects; effect++) {
        for (const when of ['before', 'during', 'after'] as const) {
          for (const end of ends) {
            if (!long && when !== 'during' && end === 'tear' && effect % 4 !== 0) continue
            const one = machine(effect)
            const tables = fakeTables()
            const ledger = newLedger()
            one.disk.stopAt({ effect, when })
            await Promise.race([life(one, tables, ledger), one.disk.halted()])
            if (end === 'kill') one.disk.kill()
            else one.disk.crash({ tear: end === 'tear' })
            one.processes.reboot()
            const { kind, path } = whole.disk.effects[effect - 1]!
            await check(one, tables, ledger, `${end} ${when} effect ${effect} (${kind} ${path})`)
          }
        }
      }
    },
  )
})
