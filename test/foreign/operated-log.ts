import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openLog } from 'moulin'
import type { EmbeddedOptions, Log, TierResult, Topic, TopicConfig } from 'moulin'
import { checkHot, checkTopic } from './checks.ts'
import type { Meaning, Standing } from './checks.ts'
import type { RestCatalog } from './engines.ts'
import { OrderBook, PARTITIONS } from './orders.ts'
import type { Order } from './orders.ts'
import { registeredElsewhere } from './registered-table.ts'

/** Records of each part of the log. */
const WAVE = 80

export interface OperatedLog {
  readonly dir: string
  readonly book: OrderBook
  /** Snapshot and frontier of each commit. */
  readonly commits: readonly TierResult[]
  at: Standing
}

/** A log of a topic in every state: two commits that were released, two that were not, and records that are in no table. */
export async function filledLog(config: TopicConfig<Order>, wave = WAVE): Promise<OperatedLog> {
  const dir = join(await mkdtemp(join(tmpdir(), 'moulin-foreign-')), 'lake')
  const book = new OrderBook(config.value!)
  const log = await opened(dir)
  const unbounded = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }
  const topic = await log.ensureTopic('orders', {
    ...config,
    ...unbounded,
    partitions: PARTITIONS,
    table: 'shop.orders',
  })
  const commits: TierResult[] = []
  for (let commit = 1; commit <= 4; commit++) {
    await book.send(topic, wave)
    commits.push(await topic.tier())
    if (commit === 2) await log.releaseNow()
  }
  await book.send(topic, wave)
  await log.close()
  const [released, frontier] = [commits[1]!.frontier, commits[3]!.frontier]
  return { dir, book, commits, at: { changedBelow: frontier, released, frontier } }
}

export const opened = (dir: string, options: EmbeddedOptions = {}): Promise<Log> =>
  openLog(dir, { threads: 0, ...options })

export const topicOf = (log: Log): Promise<Topic<Order>> => log.topic<Order>('orders')

export const removeLog = ({ dir }: OperatedLog): Promise<void> => rm(join(dir, '..'), { recursive: true, force: true })

/** See {@link registeredElsewhere}. */
export function operate(
  catalog: RestCatalog,
  { dir }: OperatedLog,
  work: (table: string) => Promise<unknown>,
): Promise<void> {
  return registeredElsewhere(catalog, join(dir, 'tables/shop/orders'), work)
}

/** Opens the log anew and checks it; again after more was sent, tiered and released; and again in another opening. */
export async function checkLog(
  operated: OperatedLog,
  meaning: Meaning,
  verdict: 'intact' | 'plausible',
): Promise<void> {
  const { dir, book } = operated
  const log = await opened(dir)
  const topic = await topicOf(log)
  await checkTopic(topic, book, meaning, operated.at)
  expect(topic.stats().lineage?.verdict).toBe(verdict)

  await book.send(topic, WAVE)
  const { frontier, rows } = await topic.tier()
  expect(frontier).toEqual(book.ends)
  expect(rows).toBe(sum(frontier) - sum(operated.at.frontier))
  operated.at = { ...operated.at, frontier }
  await checkTopic(topic, book, meaning, operated.at)
  // Our commit is main again.
  expect(topic.stats().lineage).toEqual({ verdict: 'intact', evidence: null })

  await log.releaseNow()
  operated.at = { ...operated.at, released: frontier }
  await checkTopic(topic, book, meaning, operated.at)
  await log.close()

  const again = await opened(dir)
  await checkTopic(await topicOf(again), book, meaning, operated.at)
  await again.close()
}

/** Opens the log anew: what needs the table is refused and `stats()` say why, all else goes on, for a reader beside it too. */
export async function checkRefused(operated: OperatedLog, refusal: object): Promise<void> {
  const { dir, book, at } = operated
  const log = await opened(dir)
  const topic = await topicOf(log)
  await checkHot(topic, book, at)
  const tail = topic.read({ partition: 0, from: 'latest' })[Symbol.asyncIterator]()
  const next = tail.next()
  const end = book.ends[0]
  await book.send(topic, 9)
  expect(await next).toMatchObject({ value: { partition: 0, offset: end, fidelity: 'exact' } })
  await tail.return?.()
  await checkHot(topic, book, at)

  const refused = expect.objectContaining(refusal) as Error
  await expect(topic.tier()).rejects.toEqual(refused)
  await expect(consumed(topic.read({ to: 'end' }))).rejects.toEqual(refused)
  await expect(topic.scan().toArray()).rejects.toEqual(refused)
  await expect(topic.scan().count()).rejects.toEqual(refused)
  await expect(topic.audit()).rejects.toEqual(refused)
  expect(topic.stats()).toMatchObject({ stoppedBy: refusal })
  await log.releaseNow().catch(() => {})
  expect(topic.offsets().map(({ released }) => released)).toEqual(at.released)

  const reading = await opened(dir, { access: 'read-only' })
  await checkHot(await topicOf(reading), book, at)
  await reading.close()
  await log.close()
}

async function consumed(records: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of records);
}

const sum = (offsets: readonly bigint[]): number => Number(offsets.reduce((total, offset) => total + offset, 0n))
