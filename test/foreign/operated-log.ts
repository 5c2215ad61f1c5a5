import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openLog } from 'moulin'
import type { Log, Topic, TopicConfig } from 'moulin'
import { checkTopic } from './checks.ts'
import type { Meaning, Standing } from './checks.ts'
import type { RestCatalog } from './engines.ts'
import { OrderBook, PARTITIONS } from './orders.ts'
import type { Order } from './orders.ts'
import { registeredElsewhere } from './registered-table.ts'

/** Records of each part of the log. */
const WAVE = 150

export interface OperatedLog {
  readonly dir: string
  readonly book: OrderBook
  readonly at: { -readonly [K in keyof Standing]: readonly bigint[] }
}

/** A log of a topic in every state: two commits that were released, two that were not, and records that are in no table. */
export async function filledLog(config: TopicConfig<Order>): Promise<OperatedLog> {
  const dir = join(await mkdtemp(join(tmpdir(), 'moulin-foreign-')), 'lake')
  const book = new OrderBook(config.value!)
  const log = await opened(dir)
  const unbounded = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }
  const topic = await log.ensureTopic('orders', { ...config, ...unbounded, partitions: PARTITIONS, table: 'shop.orders' })
  const commit = async (): Promise<readonly bigint[]> => {
    await book.send(topic, WAVE)
    return (await topic.tier()).frontier
  }
  await commit()
  const released = await commit()
  await log.releaseNow()
  await commit()
  const frontier = await commit()
  await book.send(topic, WAVE)
  await log.close()
  return { dir, book, at: { changedBelow: frontier, released, frontier } }
}

export const opened = (dir: string): Promise<Log> => openLog(dir, { threads: 0 })

export const topicOf = (log: Log): Promise<Topic<Order>> => log.topic<Order>('orders')

export const removeLog = ({ dir }: OperatedLog): Promise<void> => rm(join(dir, '..'), { recursive: true })

/** See {@link registeredElsewhere}. */
export function operate(catalog: RestCatalog, { dir }: OperatedLog, work: (table: string) => Promise<void>): Promise<void> {
  return registeredElsewhere(catalog, join(dir, 'tables/shop/orders'), work)
}

/** Opens the log anew and checks it; again after more was sent, tiered and released; and again in another opening. */
export async function checkLog(
  operated: OperatedLog,
  meaning: Meaning,
  verdict: 'intact' | 'plausible',
): Promise<void> {
  const { dir, book, at } = operated
  const log = await opened(dir)
  const topic = await topicOf(log)
  await checkTopic(topic, book, meaning, at)
  expect(topic.stats().lineage?.verdict).toBe(verdict)

  await book.send(topic, WAVE)
  const { frontier, rows } = await topic.tier()
  expect(frontier).toEqual(book.ends)
  const untiered = sum(frontier) - sum(at.frontier)
  expect(rows).toBe(untiered)
  at.frontier = frontier
  await checkTopic(topic, book, meaning, at)
  // Our commit is main again.
  expect(topic.stats().lineage).toEqual({ verdict: 'intact', evidence: null })

  await log.releaseNow()
  at.released = at.frontier
  await checkTopic(topic, book, meaning, at)
  await log.close()

  const again = await opened(dir)
  await checkTopic(await topicOf(again), book, meaning, at)
  await again.close()
}

const sum = (offsets: readonly bigint[]): number => Number(offsets.reduce((total, offset) => total + offset, 0n))
