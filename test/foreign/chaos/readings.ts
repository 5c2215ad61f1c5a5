import { encodeBatch } from '@moulin/format'
import { avro, json, schema, t } from 'moulin'
import type { Codec, Infer, Topic } from 'moulin'
import type { SeededRandom } from '@moulin/testing'

export const Reading = schema({
  id: t.int53,
  city: t.string.optional(),
  note: t.string.optional(),
  level: t.int.optional(),
  heat: t.float.optional(),
  paid: t.decimal(9, 2).optional(),
  spot: t.struct({ lat: t.double.optional(), zone: t.int.optional(), label: t.string.optional() }).optional(),
  marks: t.list(t.struct({ name: t.string.optional(), weight: t.int.optional() })),
})
export type Reading = Infer<typeof Reading>

export const codecs = { avro: avro(Reading), json: json(Reading) } as const
export const PARTITIONS = 3

/** What the producer sent, and was told. */
export interface Sent {
  readonly partition: number
  readonly offset: bigint
  readonly key: string | null
  readonly timestamp: bigint
  /** Null for a tombstone, undefined where the bytes are no value. */
  readonly value: Reading | null | undefined
  readonly bytes: Uint8Array | null
  /** The columns do not give these bytes back: the row keeps them, too. */
  readonly isKept: boolean
}

const FIRST_MS = 1_767_290_400_000
const EVERY_MS = 400_000

/** A topic's producer, and what it was acked. */
export class ReadingBook {
  readonly codec: Codec<Reading>
  /** By partition, in the order of offsets. */
  readonly sent: readonly Sent[][] = Array.from({ length: PARTITIONS }, () => [])
  #nextId = 0

  constructor(codec: Codec<Reading>) {
    this.codec = codec
  }

  get ends(): readonly bigint[] {
    return this.sent.map(({ length }) => BigInt(length))
  }

  /** Sends values of every kind, tombstones among them, then bytes that no encoder of ours writes. */
  async send(topic: Topic<Reading>, count: number, chance: SeededRandom): Promise<void> {
    const producer = topic.producer({ lingerMs: 0 })
    const sends = Array.from({ length: count }, async () => {
      const id = this.#nextId++
      const value = id % 13 === 5 ? null : reading(id, chance)
      const key = id % 4 === 0 ? null : `key ${id % 5}`
      const timestamp = timeOf(id)
      const bytes = value === null ? null : this.codec.encode(value)
      // What was acked, where it was acked.
      const { partition, offset } = await producer.send({ value, key, timestamp })
      return { partition, offset, key, timestamp, value, bytes, isKept: false }
    })
    for (const sent of await Promise.all(sends)) this.#add(sent)
    await producer.close()
    for (const part of this.sent) part.sort((a, b) => (a.offset < b.offset ? -1 : 1))
  }

  /** Sends bytes that are no value, and for JSON a value whose bytes are not the canonical ones, to one partition. */
  async sendOdd(topic: Topic<Reading>, partition: number, chance: SeededRandom): Promise<void> {
    const odd: Pick<Sent, 'value' | 'bytes'>[] = [{ value: undefined, bytes: Uint8Array.of(255, 254) }]
    if (!this.codec.format.startsWith('avro')) {
      const value = reading(this.#nextId++, chance)
      odd.push({ value, bytes: Buffer.concat([Buffer.from(' '), this.codec.encode(value)]) })
    }
    const timestamp = timeOf(this.#nextId++)
    const records = odd.map(({ bytes }, at) => {
      return { offset: BigInt(at), key: null, headers: [], timestamp, value: bytes }
    })
    const batches = encodeBatch({ baseOffset: 0n, timestampType: 'create', records })
    const { baseOffset } = await topic.append({ partition, batches })
    odd.forEach((each, at) =>
      this.#add({ ...each, partition, offset: baseOffset + BigInt(at), key: null, timestamp, isKept: true }),
    )
  }

  #add(sent: Sent): void {
    this.sent[sent.partition]!.push(sent)
  }
}

const timeOf = (id: number): bigint => BigInt(FIRST_MS + id * EVERY_MS)

// Numbers have few digits in any base: engines print them alike.
function reading(id: number, chance: SeededRandom): Reading {
  const orNull = <T>(value: T): T | null => (chance.below(6) === 0 ? null : value)
  return {
    id,
    city: orNull(`city ${id % 6}`),
    note: orNull(`grüße\n${id}`),
    level: orNull(id * 3 - 40),
    heat: orNull(id / 4),
    paid: orNull(`${id}.${String(id % 100).padStart(2, '0')}`),
    spot: orNull({ lat: orNull(id / 8), zone: orNull(id % 24), label: orNull(`spot ${id % 3}`) }),
    marks: Array.from({ length: id % 3 }, (_, at) => ({ name: orNull(`mark ${at}`), weight: orNull(id - at) })),
  }
}
