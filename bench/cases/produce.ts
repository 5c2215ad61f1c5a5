/**
 * The way from `send` to the ack: records of about 200 bytes, raw, as Avro and as JSON, into topics of four partitions in a log
 * in a folder, with a sync before every ack. Microseconds of the main thread for a record, which bound what one process can
 * take, and records a second by the wall. The peer is an encoder alone, which builds no batches, checksums nothing
 * and writes nothing: avsc for Avro, `JSON.stringify` and `Buffer.from` for JSON. `append` takes batches that are there already.
 * `feed` does in two threads what `sendAll` beside it does in one, by the wall. With `--kafka`, Apache Kafka is a peer too: produce-kafka.ts.
 */
import type { Bench, BenchLine, Reach } from '../bench.ts'
import { alone, beside, quantile, rounds } from '../bench.ts'
import { avscEncoder } from '../peers/avsc.ts'
import { produced, producedFormats } from '../shapes/produced.ts'
import type { Produced, ProducedFormat } from '../shapes/produced.ts'
import { besideKafka } from './produce-kafka.ts'
import { appends, feeds, sendAlls, sends, timedTurn, turn } from './produce-turn.ts'
import type { Turn } from './produce-turn.ts'

const defaultRows = 500_000
const topicCounts = [1, 16]
const feedThreads = 2

/** Microseconds of the main thread that a record may take: 1 ÷ the million records a second that it shall be able to take. */
const reaches: Readonly<Record<string, Reach>> = {
  'sendAll/raw/1 topic': { value: 1 / 1.5 },
  'sendAll/avro/1 topic': { value: 1 / 0.8 },
  'sendAll/json/1 topic': { value: 1 / 0.6 },
  'send/avro/1 topic': { value: 1 / 0.4 },
  'append/1 record/1 topic': { value: 4 },
}
const feedReach = { ratio: 1 / 1.5 }

/** What takes turns, by the name of its case; peers by their own. */
type Contenders = Record<string, () => Promise<Turn>>

export const bench: Bench = async (print, options) => {
  const { rows = defaultRows } = options
  for (const format of producedFormats) {
    const from = produced(format)
    await sendAllAndFeed(format, from)
    await send(format, from)
  }
  for (const [records, inFlight] of [
    [300, 64],
    [1, 1000],
  ] as const)
    await append(records, inFlight)
  if (options.kafka) await besideKafka(print, options)

  async function sendAllAndFeed(format: ProducedFormat, from: Produced): Promise<void> {
    const name = `sendAll/${format}`
    const fed = feedOf(format)
    const feeding: Contenders = {}
    // Threads have to begin, and to load the library: with as few records as the others have, that would be all of it.
    const many = rows * 4
    if (fed.includes(options.only)) {
      feeding[fed] = () => turn(from, 1, many, feeds(format, feedThreads, many))
      feeding['sendAll'] = () => turn(from, 1, many, sendAlls(from.records, many))
    }
    const seen = await rounds(options.rounds, {
      ...wanted(name, (topics) => turn(from, topics, rows, sendAlls(from.records, rows))),
      ...feeding,
      ...encoderOf(name, format, from),
    })
    records(name, seen)
    if (seen[fed] === undefined) return
    const wall = ({ wallUs }: Turn): number => wallUs
    const line = { bench: 'produce', case: `${fed}/wall`, unit: 'µs', peer: 'sendAll', reach: feedReach }
    print({ ...line, ...beside(seen[fed].map(wall), seen['sendAll']!.map(wall)) })
    main(fed, seen[fed])
    rate(fed, seen[fed])
  }

  async function send(format: ProducedFormat, from: Produced): Promise<void> {
    const name = `send/${format}`
    const count = Math.ceil(rows / 5)
    const seen = await rounds(options.rounds, {
      ...wanted(name, (topics) => turn(from, topics, count, sends(from.records, count))),
      ...encoderOf(name, format, from),
    })
    records(name, seen)
  }

  async function append(recordCount: number, inFlight: number): Promise<void> {
    const name = `append/${recordCount} record${recordCount === 1 ? '' : 's'}`
    const count = Math.ceil(rows / (recordCount === 1 ? 5 : recordCount))
    const drive = appends(recordCount, inFlight, count)
    const seen = await rounds(
      options.rounds,
      wanted(name, (topics) => turn(produced('raw'), topics, count, drive)),
    )
    records(name, seen, recordCount)
  }

  /** Cases of the name over one topic and many, as far as they are asked for. */
  function wanted(name: string, run: (topics: number) => Promise<Turn>): Contenders {
    const cases = topicCounts.map((topics) => [caseOf(name, topics), () => run(topics)] as const)
    return Object.fromEntries(cases.filter(([each]) => each.includes(options.only)))
  }

  /** The encoder of the format alone, where a case is asked for that stands beside it. */
  function encoderOf(name: string, format: ProducedFormat, from: Produced): Contenders {
    const isWanted = topicCounts.some((topics) => caseOf(name, topics).includes(options.only))
    const found = encoder(format, from)
    if (!isWanted || found === undefined || !found.name.startsWith(options.peer)) return {}
    const run = (): Promise<Turn> => timedTurn(rows, () => found.encodeAll(valuesOf(from, rows)))
    return { [found.name]: run }
  }

  function records(name: string, seen: Record<string, Turn[]>, perCall = 1): void {
    const peer = Object.keys(seen).find((each) => peers.includes(each))
    for (const topics of topicCounts) {
      const turns = seen[caseOf(name, topics)]
      if (turns === undefined) continue
      main(caseOf(name, topics), turns, peer, peer === undefined ? undefined : seen[peer])
      rate(caseOf(name, topics), turns, perCall)
      if (turns[0]!.ackMs.length > 0) acks(caseOf(name, topics), turns)
    }
  }

  function main(name: string, turns: readonly Turn[], peer: string | null = null, theirs?: readonly Turn[]): void {
    const us = ({ mainUs }: Turn): number => mainUs
    const line = { bench: 'produce', case: `${name}/main thread`, unit: 'µs' }
    const figures = theirs === undefined ? alone(turns.map(us)) : { ...beside(turns.map(us), theirs.map(us)), peer }
    const reach = reaches[name]
    print({ ...line, ...figures, ...(reach && { reach }) } as BenchLine)
  }

  function rate(name: string, turns: readonly Turn[], perCall = 1): void {
    const millions = turns.map(({ wallUs }) => perCall / wallUs)
    print({ bench: 'produce', case: `${name}/records`, unit: 'M records/s', ...alone(millions) })
  }

  function acks(name: string, turns: readonly Turn[]): void {
    for (const q of [0.5, 0.99]) {
      const ms = turns.map(({ ackMs }) => quantile(ackMs, q))
      print({ bench: 'produce', case: `${name}/p${q * 100}`, unit: 'ms', ...alone(ms) })
    }
  }
}

const feedOf = (format: ProducedFormat): string => `feed/${format}/1 topic/${feedThreads} threads`
const caseOf = (name: string, topics: number): string => `${name}/${topics} topic${topics === 1 ? '' : 's'}`

interface Encoder {
  readonly name: string
  encodeAll(values: Iterable<unknown>): void
}

const peers = ['avsc', 'JSON.stringify']

function encoder(format: ProducedFormat, { codec, values }: Produced): Encoder | undefined {
  if (format === 'raw') return undefined
  if (format === 'avro') {
    const own = avscEncoder(codec!.definition)
    if (Buffer.compare(own.encode(values[0]), codec!.encode(values[0])) !== 0)
      throw new Error('avsc encodes a value into other bytes.')
    return { name: peers[0]!, encodeAll: own.encodeAll }
  }
  return {
    name: peers[1]!,
    encodeAll(given) {
      for (const value of given) Buffer.from(JSON.stringify(value))
    },
  }
}

function* valuesOf({ records }: Produced, count: number): Generator<unknown> {
  for (const { value } of records(count)) yield value
}
