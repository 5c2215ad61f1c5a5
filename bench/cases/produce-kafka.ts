/**
 * Records of 200 bytes into Apache Kafka by its own tool, with acks=all, beside the same into a topic of ours: as much as goes, and then at
 * half of the highest rate of Kafka, where the p99 of acks is compared. Once with Kafka as it ships, which acknowledges from the page cache,
 * once with a sync before every ack, which ours has in both. Kafka's client and broker are two processes, ours is one.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Producer } from '@moulin/core'
import { alone, beside, quantile } from '../bench.ts'
import type { Bench, Reach } from '../bench.ts'
import { paced } from '../paced.ts'
import type { KafkaFigures } from '../peers/kafka-figures.ts'
import { startKafka } from '../peers/kafka.ts'
import type { Kafka } from '../peers/kafka.ts'
import { produced, producedBytes } from '../shapes/produced.ts'
import { inFolder } from '../temporary.ts'
import { inTopics, partitions, sendAlls, turn } from './produce-turn.ts'
import type { Turn } from './produce-turn.ts'

const run = promisify(execFile)
const raw = produced('raw')
/** Ours as much as goes; Kafka's number is in its mode, so that each takes some seconds. */
const defaultRows = 2_000_000
const half = { seconds: 20, warmUpSeconds: 8 }

interface Mode {
  readonly name: string
  readonly isFlushed: boolean
  /** Of which a third is warm-up. */
  readonly records: number
  readonly rate: Reach
  readonly p99?: Reach
}

const modes: readonly Mode[] = [
  { name: 'page cache', isFlushed: false, records: 3_000_000, rate: { ratio: 1 } },
  { name: 'fsync', isFlushed: true, records: 600_000, rate: { ratio: 1 / 3 }, p99: { ratio: 0.1 } },
]

interface Round {
  readonly kafka: KafkaFigures
  readonly own: Turn
  /** Milliseconds at half the load. */
  readonly kafkaP99: number
  readonly ownP99: number
}

export const besideKafka: Bench = async (print, options) => {
  for (const mode of modes) {
    const name = `kafka/${mode.name}`
    if (name.includes(options.only)) lines(name, mode, await measure(mode))
  }

  function measure(mode: Mode): Promise<Round[]> {
    return inFolder(async (dir) => {
      const kafka = await startKafka({ dir, partitions, isFlushed: mode.isFlushed })
      try {
        // A round that is not counted, for what the broker and we have to get warm.
        await highest(kafka, mode)
        const seen: Round[] = []
        let perSecond = 0
        for (let round = 0; round < options.rounds; round++) {
          const most = await highest(kafka, mode)
          // Of its rounds until now: at more than half it would queue.
          perSecond = Math.max(perSecond, most.kafka.perSecond)
          seen.push({ ...most, ...(await atHalf(kafka, Math.round(perSecond / 2))) })
        }
        return seen
      } finally {
        await kafka.stop()
      }
    })
  }

  async function highest(kafka: Kafka, { records }: Mode): Promise<Pick<Round, 'kafka' | 'own'>> {
    const { rows = defaultRows } = options
    await written()
    const load = { records: scaled(records), recordBytes: producedBytes, warmUp: Math.floor(scaled(records) / 3) }
    const figures = await kafka.produce(load)
    await written()
    const own = await turn(raw, 1, rows, sendAlls(raw.records, rows))
    return { kafka: figures, own }
  }

  async function atHalf(kafka: Kafka, perSecond: number): Promise<Pick<Round, 'kafkaP99' | 'ownP99'>> {
    const seconds = { seconds: half.seconds, warmUpSeconds: half.warmUpSeconds }
    const [records, warmUp] = [perSecond * seconds.seconds, perSecond * seconds.warmUpSeconds]
    await written()
    const { p99Ms } = await kafka.produce({ records, recordBytes: producedBytes, warmUp, perSecond })
    await written()
    const ackMs = await inTopics(raw, 1, async ([topic]) => {
      const producer = topic!.producer() as Producer<never>
      const source = raw.records(Infinity)
      const seen = await paced({ ...seconds, perSecond }, () => producer.send(source.next().value!))
      await producer.close()
      return seen
    })
    return { kafkaP99: p99Ms, ownP99: quantile(ackMs, 0.99) }
  }

  /** Fewer, where fewer rows were asked for. */
  function scaled(records: number): number {
    return Math.ceil((records * (options.rows ?? defaultRows)) / defaultRows)
  }

  function lines(name: string, { rate, p99 }: Mode, seen: readonly Round[]): void {
    const line = { bench: 'produce', peer: 'kafka' }
    const [own, theirs] = [seen.map((each) => each.own.wallUs), seen.map(({ kafka }) => 1e6 / kafka.perSecond)]
    print({ ...line, case: `${name}/sendAll`, unit: 'µs', ...beside(own, theirs), reach: rate })
    const millions = (perSecond: readonly number[]): number[] => perSecond.map((each) => each / 1e6)
    const rates = { bench: 'produce', unit: 'M records/s' }
    print({ ...rates, case: `${name}/records`, ...alone(millions(own.map((us) => 1e6 / us))) })
    print({ ...rates, case: `${name}/kafka's records`, ...alone(millions(seen.map(({ kafka }) => kafka.perSecond))) })
    const [ownP99, kafkaP99] = [seen.map((each) => each.ownP99), seen.map((each) => each.kafkaP99)]
    print({ ...line, case: `${name}/p99`, unit: 'ms', ...beside(ownP99, kafkaP99), ...(p99 && { reach: p99 }) })
    print({ bench: 'produce', case: `${name}/kafka's p99`, unit: 'ms', ...alone(kafkaP99) })
  }
}

/** What those before have left in the page cache is on the disk: it would be written while the next is measured. */
async function written(): Promise<void> {
  await run('sync')
}
