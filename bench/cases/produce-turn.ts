/** Ways into a log, each driven over topics of a fresh log in a folder, where every ack waits for its sync and nothing is tiered. */
import { systemRuntime } from '@moulin/core'
import type { Producer, ProducerOptions, Topic } from '@moulin/core'
import { recordBatchBuilder } from '@moulin/format'
import { openLog } from 'moulin'
import { inFolder } from '../temporary.ts'
import { produced } from '../shapes/produced.ts'
import type { Produced } from '../shapes/produced.ts'
import { producedFeed } from '../shapes/produced-feed.ts'
import type { ProducedFormat } from '../shapes/produced.ts'

/** Figures of one turn. */
export interface Turn {
  /** Microseconds for each record (of {@link appends}: each append) that the main thread ran, and that went by. */
  readonly mainUs: number
  readonly wallUs: number
  /** Milliseconds from the call to the ack, of some calls. */
  readonly ackMs: readonly number[]
}

/** Sends records, and returns how long acks took, where that is known. */
export type Drive = (topics: readonly Topic[]) => Promise<readonly number[] | void>

export const partitions = 4
const IN_FLIGHT = 1000
/** One ack of so many is timed: asking for the time costs a tenth of a send. */
const TIMED = 16
/** Above all that is produced: no amount makes a commit due. */
const never = { commitBytes: 2 ** 50, freshnessMs: 3_600_000 }

/** What `drive` costs, by `count` records or appends, over so many topics of a codec. */
export function turn(from: Produced, topicCount: number, count: number, drive: Drive): Promise<Turn> {
  return inTopics(from, topicCount, async (topics) => {
    const stored = storedIn(topics)
    const figures = await timedTurn(count, () => drive(topics))
    if (storedIn(topics) - stored < count)
      throw new Error(`${storedIn(topics) - stored} of ${count} records are stored.`)
    return figures
  })
}

export async function timedTurn(count: number, work: () => unknown): Promise<Turn> {
  const before = process.threadCpuUsage()
  const begun = performance.now()
  const ackMs = (await work()) as readonly number[] | undefined
  const wallMs = performance.now() - begun
  const { user, system } = process.threadCpuUsage(before)
  return { mainUs: (user + system) / count, wallUs: (wallMs * 1000) / count, ackMs: ackMs ?? [] }
}

/** Topics of a log in a folder of its own. Their tables are there: the first record waits for that. */
export function inTopics<T>(
  { codec, records }: Produced,
  count: number,
  use: (topics: readonly Topic[]) => Promise<T>,
): Promise<T> {
  return inFolder(async (dir) => {
    const log = await openLog(dir, { limits: { commitBytes: never.commitBytes } })
    try {
      const config = { partitions, freshnessMs: never.freshnessMs, ...(codec === undefined ? {} : { value: codec }) }
      const topics: Topic[] = []
      for (let n = 0; n < count; n++) topics.push((await log.ensureTopic(`topic-${n}`, config as object)) as Topic)
      await sendAlls(records, topics.length * partitions)(topics)
      const used = await use(topics)
      if (topics.some((topic) => topic.offsets().some(({ frontier }) => frontier > 0n)))
        throw new Error('The log tiered while it was measured.')
      return used
    } finally {
      await log.close()
    }
  })
}

/** A producer of each topic sends its share of so many records, all at the same time. */
export function sendAlls(records: Produced['records'], count: number): Drive {
  return async (topics) => {
    await byEach(topics, {}, (producer) => producer.sendAll(records(count / topics.length)))
  }
}

/** The same one by one, with {@link IN_FLIGHT} on their way. */
export function sends(records: Produced['records'], count: number): Drive {
  return async (topics) => {
    const ackMs: number[] = []
    await byEach(topics, {}, async (producer) => {
      const source = records(count / topics.length)
      await atOnce(IN_FLIGHT / topics.length, async () => {
        let sent = 0
        for (const record of source) {
          const begun = sent++ % TIMED === 0 ? performance.now() : 0
          await producer.send(record)
          if (begun > 0) ackMs.push(performance.now() - begun)
        }
      })
    })
    return ackMs
  }
}

/** Batches of so many raw records, `inFlight` of them on their way. Codecs have no part in it. */
export function appends(recordCount: number, inFlight: number, count: number): Drive {
  const batches = oneBatch(recordCount)
  return async (topics) => {
    const ackMs: number[] = []
    let appended = 0
    await atOnce(inFlight, async () => {
      while (appended < count) {
        const n = appended++
        const begun = n % TIMED === 0 ? performance.now() : 0
        await topics[n % topics.length]!.append({ partition: Math.floor(n / topics.length) % partitions, batches })
        if (begun > 0) ackMs.push(performance.now() - begun)
      }
    })
    return ackMs
  }
}

/** Threads that yield so many records, encode them and build their batches. */
export function feeds(format: ProducedFormat, threads: number, count: number): Drive {
  return async (topics) => {
    const options = { threads, feed: producedFeed(format, count / topics.length) }
    await byEach(topics, options, (producer) => producer.sendFeed())
  }
}

async function byEach(
  topics: readonly Topic[],
  options: ProducerOptions,
  use: (producer: Producer<never>) => Promise<unknown>,
): Promise<void> {
  const one = async (topic: Topic): Promise<void> => {
    const producer = topic.producer(options) as Producer<never>
    await use(producer)
    await producer.close()
  }
  await Promise.all(topics.map(one))
}

async function atOnce(count: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, work))
}

function storedIn(topics: readonly Topic[]): number {
  let sum = 0
  for (const topic of topics) for (const { highWatermark } of topic.offsets()) sum += Number(highWatermark)
  return sum
}

function oneBatch(recordCount: number): Uint8Array {
  const timestamp = systemRuntime().clock.now()
  const builder = recordBatchBuilder()
  for (const { value } of produced('raw').records(recordCount))
    builder.append({ key: null, value: value as Uint8Array | null, headers: [], timestamp })
  return builder.finish()
}
