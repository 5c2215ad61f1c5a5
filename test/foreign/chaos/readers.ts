import { isMoulinError } from 'moulin'
import type { LogRecord, Topic } from 'moulin'
import type { SeededRandom } from '@moulin/testing'
import { asSent } from './model.ts'
import type { Expected, Model, State } from './model.ts'
import { PARTITIONS } from './readings.ts'
import type { Reading, Sent } from './readings.ts'

type ReadingRecord = LogRecord<Reading>

/** What a read gave of the offsets [from, to) of a partition. */
export interface Stretch {
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
  readonly records: readonly ReadingRecord[]
}

export async function readStretch(
  topic: Topic<Reading>,
  partition: number,
  range?: { readonly from: bigint; readonly to: bigint },
): Promise<Stretch> {
  const end = topic.offsets()[partition]!.highWatermark
  const { from, to } = range ?? { from: 0n, to: end }
  const records: ReadingRecord[] = []
  for await (const record of topic.read({ partition, from: range === undefined ? 'earliest' : from, to })) {
    records.push(record)
  }
  return { partition, from, to, records }
}

/** All of the topic from its beginning. */
export async function readAll(topic: Topic<Reading>): Promise<Stretch[]> {
  const stretches: Stretch[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) stretches.push(await readStretch(topic, partition))
  return stretches
}

/** A few records each, from anywhere. */
export async function seek(topic: Topic<Reading>, random: SeededRandom, times: number): Promise<Stretch[]> {
  const stretches: Stretch[] = []
  for (let time = 0; time < times; time++) {
    const partition = random.below(PARTITIONS)
    const end = Number(topic.offsets()[partition]!.highWatermark)
    if (end === 0) continue
    const from = random.below(end)
    stretches.push(
      await readStretch(topic, partition, {
        from: BigInt(from),
        to: BigInt(Math.min(end, from + 1 + random.below(9))),
      }),
    )
  }
  return stretches
}

const same = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  a === null || b === null ? a === b : Buffer.compare(a, b) === 0

export function isAs(record: ReadingRecord, sent: Sent, expected: Expected): boolean {
  const wanted = expected.key === null ? null : Buffer.from(expected.key)
  if (record.timestamp !== (expected.hasNoTime === true ? -1n : sent.timestamp)) return false
  const isSame = record.fidelity === expected.fidelity && same(record.key, wanted) && same(record.bytes, expected.bytes)
  return isSame && isErrorOf(record.error, sent, expected)
}

/** Bytes that are no value are an error by nature; else there is one just where SQL made a value too large, and it names the column. */
function isErrorOf(error: Error | undefined, { value }: Sent, { tooLarge, isValueGone }: Expected): boolean {
  if (tooLarge === undefined && isValueGone !== true) return (error !== undefined) === (value === undefined)
  const isBad = isMoulinError(error) && error.code === 'BAD_VALUE'
  const named = tooLarge === undefined ? ['its value was in _kafka_value'] : tooLarge.map((name) => `${name} is `)
  return isBad && named.some((text) => error.message.includes(text))
}

/**
 * Every record of the stretch is what it must be in one of the states, and what is missing is missing in one of them. @throws
 * Error that names the first place where that is not so.
 */
export function checkStretch({ partition, from, to, records }: Stretch, model: Model, states: readonly State[]): void {
  const expected = model.book.sent[partition]!.slice(Number(from), Number(to))
  let at = 0
  for (const sent of expected) {
    const options = states.map((state) => model.expected(sent, state))
    const record = records[at]
    if (record?.offset === sent.offset) {
      at++
      if (options.flat().some((each) => isAs(record, sent, each))) continue
    } else if (options.some(({ length }) => length === 0)) {
      continue
    }
    const found = record?.offset === sent.offset ? shown(record) : 'nothing'
    throw new Error(
      `Partition ${partition} offset ${sent.offset}: ${found} was read, but it is ` +
        `${options.map((each) => each.map(shownExpected).join(' or ') || 'a gap').join('; then ')}; sent ${shownExpected(asSent(sent))}`,
    )
  }
  if (at < records.length) throw new Error(`Partition ${partition} offset ${records[at]!.offset} was read out of turn.`)
}

const text = (bytes: Uint8Array | null): string => (bytes === null ? 'null' : Buffer.from(bytes).toString('latin1'))
const shown = ({ key, bytes, fidelity, error }: ReadingRecord): string =>
  `${fidelity} ${key === null ? null : text(key)}: ${text(bytes)}${error === undefined ? '' : ` (${error.message})`}`
const shownExpected = ({ key, bytes, fidelity, tooLarge }: Expected): string =>
  `${fidelity} ${key}: ${text(bytes)}${tooLarge === undefined ? '' : ` (too large: ${tooLarge.join(', ')})`}`

/** Follows all partitions, and must get each record as it was sent, once, in its order. */
export class Tail {
  readonly #stop = new AbortController()
  readonly #next: bigint[]
  readonly #got: ReadingRecord[] = []
  readonly #running: Promise<void>
  #fault: Error | undefined
  #moved: () => void = () => {}

  constructor(topic: Topic<Reading>) {
    this.#next = topic.offsets().map(({ highWatermark }) => highWatermark)
    this.#running = this.#follow(topic).catch((error: unknown) => {
      if (!isMoulinError(error) || !['aborted', 'closed'].includes(error.kind)) this.#fault = error as Error
      this.#moved()
    })
  }

  async #follow(topic: Topic<Reading>): Promise<void> {
    for await (const record of topic.read({ from: 'latest', signal: this.#stop.signal })) {
      const { partition, offset } = record
      if (offset !== this.#next[partition]) {
        throw new Error(`The tail of partition ${partition} got ${offset} after ${this.#next[partition]}`)
      }
      this.#got.push(record)
      this.#next[partition]!++
      this.#moved()
    }
  }

  /** Waits until it has got all that was acked. */
  async caughtUp(sent: readonly (readonly Sent[])[]): Promise<void> {
    while (this.#fault === undefined && sent.some(({ length }, at) => this.#next[at]! < BigInt(length))) {
      await new Promise<void>((resolve) => (this.#moved = resolve))
    }
    if (this.#fault !== undefined) throw this.#fault
    for (const record of this.#got.splice(0)) {
      const expected = sent[record.partition]![Number(record.offset)]!
      if (!isAs(record, expected, asSent(expected)))
        throw new Error(`The tail got ${shown(record)}, not ${shownExpected(asSent(expected))}`)
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}
