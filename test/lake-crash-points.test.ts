import { objectStoreCatalog } from '@moulin/catalog'
import { schema, t } from '@moulin/core'
import type { Log } from '@moulin/core'
import { avro } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { collect, LAKE, machine, openIn } from './log/machine.ts'
import type { Machine } from './log/machine.ts'

const Order = schema({ id: t.int53, city: t.string })
const long = process.env['MOULIN_LONG'] === '1'

/** What the application was told: the id of the record at each offset. */
type Acked = Map<bigint, number>

/** A log with a real table, all of it on the machine's one disk. */
function open({ runtime }: Machine): Promise<Log> {
  const own = runtime()
  const store = fileSystem({ root: LAKE, files: own.files })
  const tier = icebergTier({ catalog: objectStoreCatalog({ store, prefix: 'tables/', runtime: own }), threads: 0 })
  return openIn(own, { tier, graceMs: 0 })
}

async function send(log: Log, acked: Acked, ids: readonly number[]): Promise<void> {
  const topic = await log.ensureTopic('orders', { value: avro(Order) })
  const producer = topic.producer({ lingerMs: 0 })
  for (const id of ids) {
    const { offset } = await producer.send({ value: { id, city: 'ams' } })
    acked.set(offset, id)
  }
  await producer.close()
}

/** Two commits with a release after each, and records before, between and behind them. */
async function life(on: Machine, acked: Acked): Promise<void> {
  const log = await open(on)
  await send(log, acked, [1, 2, 3])
  const topic = await log.topic('orders')
  await topic.tier()
  await log.releaseNow()
  await send(log, acked, [4, 5])
  await topic.tier()
  await log.releaseNow()
  await send(log, acked, [6])
  await log.close()
}

/** Opens what is left: every acked record once, dense offsets, and a clean audit, before and after one more commit. */
async function check(on: Machine, acked: Acked, where: string): Promise<void> {
  const log = await open(on)
  await send(log, acked, [1000])
  const topic = await log.topic<{ id: number }>('orders')
  const before = await topic.scan({ columns: ['id'] }).toArray()
  await topic.tier()
  await log.releaseNow()
  const records = await collect(topic.read({ to: 'end' }))
  expect(
    records.map(({ offset }) => offset),
    `${where}: dense`,
  ).toEqual(records.map((_, index) => BigInt(index)))
  const ids = records.map(({ value }) => value!.id)
  expect(new Set(ids).size, `${where}: nothing twice`).toBe(ids.length)
  for (const [offset, id] of acked) expect(ids[Number(offset)], `${where}: acked ${id}`).toBe(id)
  expect(
    before.map(({ id }) => id).sort((a, b) => a - b),
    `${where}: the scan saw the same`,
  ).toEqual(ids)
  const { clean, partitions } = await topic.audit()
  expect({ clean, rows: partitions[0]!.rows }, `${where}: audit`).toEqual({ clean: true, rows: BigInt(ids.length) })
  await log.close()
}

describe('a crash at any effect on the disk while records go into a real table', () => {
  it(
    'loses no acked record, doubles none and leaves a clean audit',
    { timeout: long ? 1_200_000 : 180_000 },
    async () => {
      const whole = machine()
      await life(whole, new Map())
      const effects = [...whole.disk.effects]
      expect(effects.length).toBeGreaterThan(100)
      for (const [index, { kind, path }] of effects.entries()) {
        for (const [at, when] of (['before', 'during', 'after'] as const).entries()) {
          for (const [how, end] of (['crash', 'kill', 'tear'] as const).entries()) {
            // Each effect once by default, the ways of it in turn; all of them in the long run.
            if (!long && (index % 3 !== at || Math.floor(index / 3) % 3 !== how)) continue
            const one = machine(index + 1)
            const acked: Acked = new Map()
            one.disk.stopAt({ effect: index + 1, when })
            await Promise.race([life(one, acked), one.disk.halted()])
            if (end === 'kill') one.disk.kill()
            else one.disk.crash({ tear: end === 'tear' })
            one.processes.reboot()
            await check(one, acked, `${end} ${when} effect ${index + 1} (${kind} ${path})`)
          }
        }
      }
    },
  )
})
