/** A log with a real table whose process dies, and what whoever comes next must find. */
import { objectStoreCatalog } from '@moulin/catalog'
import { schema, t } from '@moulin/core'
import type { Log, ObjectStore } from '@moulin/core'
import { avro } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { expect } from 'vitest'
import { collect, openIn } from '../log/machine.ts'
import type { Machine } from '../log/machine.ts'

const Order = schema({ id: t.int53, city: t.string })

/** What the application was told: the id of the record at each offset. */
export type Acked = Map<bigint, number>

/** Opens the log as a new process of the machine. */
export type OpenLake = () => Promise<Log>

/** A log whose objects, catalog and table lie in `store`, its write-ahead data on the machine's disk. */
export function openLake(
  { runtime }: Machine,
  store: (own: ReturnType<Machine['runtime']>) => ObjectStore,
): Promise<Log> {
  const own = runtime()
  const lake = store(own)
  const tier = icebergTier({
    catalog: objectStoreCatalog({ store: lake, prefix: 'tables/', runtime: own }),
    threads: 0,
  })
  return openIn(own, { store: lake, tier, graceMs: 0 })
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
export async function lakeLife(open: OpenLake, acked: Acked): Promise<void> {
  const log = await open()
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

/**
 * Opens what is left and sends `id`: every acked record once, dense offsets, and a clean audit, before and after one more commit. Leaves the
 * log closed.
 */
export async function checkLake(open: OpenLake, acked: Acked, where: string, id = 1000): Promise<void> {
  const log = await open()
  await send(log, acked, [id])
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
  for (const [offset, sent] of acked) expect(ids[Number(offset)], `${where}: acked ${sent}`).toBe(sent)
  expect(
    before.map((row) => row.id).sort((a, b) => a - b),
    `${where}: the scan saw the same`,
  ).toEqual(ids)
  const { clean, partitions } = await topic.audit()
  expect({ clean, rows: partitions[0]!.rows }, `${where}: audit`).toEqual({ clean: true, rows: BigInt(ids.length) })
  await log.close()
}
