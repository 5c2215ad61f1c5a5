import { expect } from 'vitest'
import { avro, json, schema, t } from 'moulin'
import type { Codec, Header, Infer, Topic } from 'moulin'
import { encodeBatch } from '@moulin/format'

export const Order = schema({
  id: t.int53,
  city: t.string.optional(),
  note: t.string.optional(),
  total: t.double.optional(),
  wide: t.long.optional(),
  paid: t.decimal(12, 2).optional(),
  due: t.date.optional(),
  at: t.timestamptz.micros.optional(),
  photo: t.binary.optional(),
  legs: t.list(t.struct({ via: t.string, km: t.int.optional() })),
  tags: t.map(t.string, t.int),
  geo: t.struct({ lat: t.double, lon: t.double.optional() }).optional(),
})
export type Order = Infer<typeof Order>

export const codecs = { avro: avro(Order), json: json(Order) } as const
export const PARTITIONS = 3

/** A record as it was sent, or as it must be read after somebody changed its row. */
export interface Sent {
  readonly partition: number
  readonly offset: bigint
  readonly key: string | null
  readonly headers: readonly Header[]
  readonly timestamp: bigint
  /** Null for a tombstone, undefined where the bytes are no value. */
  readonly value: Order | null | undefined
  readonly bytes: Uint8Array | null
  /** What the row keeps beside the columns: bytes that these do not give back. */
  readonly kept: Uint8Array | null
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

function order(id: number): Order {
  const isBare = id % 23 === 7
  return {
    id,
    city: isBare ? null : `city ${id % 8}`,
    note: id % 3 === 0 ? null : `grüße\n${id}`,
    total: isBare ? null : id / 7,
    wide: isBare ? null : (id % 2 === 0 ? 1n : -1n) * (2n ** 62n + BigInt(id)),
    paid: isBare ? null : `${id}.${String(id % 100).padStart(2, '0')}`,
    due: isBare ? null : `20${String(10 + (id % 80)).padStart(2, '0')}-02-28`,
    at: isBare ? null : BigInt(id) * 1_000_003n - 5_000_000n,
    photo: id % 4 === 0 ? null : bytes(id & 255, 0, 255).subarray(id % 4 === 1 ? 3 : 0),
    legs: Array.from({ length: id % 4 }, (_, at) => ({ via: `via ${at}`, km: at === 1 ? null : id * at })),
    tags: new Map(Array.from({ length: id % 3 }, (_, at) => [`tag ${at}`, id - at])),
    geo: id % 5 === 0 ? null : { lat: id, lon: id % 2 === 0 ? null : -id },
  }
}

const headers: readonly (readonly Header[])[] = [
  [],
  [['trace', bytes(1, 2)]],
  [
    ['trace', null],
    ['trace', bytes()],
  ],
  [['', bytes(0)]],
]
const keys = [null, 'ä', '', 'key 3', 'key 4']

// From 2026-01-01T18:00 into the next day, so that a table by day has more than one partition, and few files.
const FIRST_MS = 1_767_290_400_000
const EVERY_MS = 100_000

/** What a topic was sent: all that the tests expect comes from here, and from what an operation means. */
export class OrderBook {
  readonly codec: Codec<Order>
  readonly records: Sent[] = []
  readonly ends: bigint[] = Array.from({ length: PARTITIONS }, () => 0n)
  #nextId = 0

  constructor(codec: Codec<Order>) {
    this.codec = codec
  }

  /** Sends `count` records, in which tombstones, nulls and values of every kind are, then for each partition some that no encoder of ours writes. */
  async send(topic: Topic<Order>, count: number): Promise<void> {
    const plain = Array.from({ length: count }, () => {
      const id = this.#nextId++
      const value = id % 17 === 5 ? null : order(id)
      return this.#add(id, id % PARTITIONS, value, value === null ? null : this.codec.encode(value))
    })
    const producer = topic.producer()
    const { next } = await producer.sendAll(
      plain.map(({ partition, key, headers, timestamp, value }) => {
        return { partition, key, headers, timestamp, value: value ?? null }
      }),
    )
    expect(next).toEqual(this.ends)
    await producer.close()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const baseOffset = this.ends[partition]!
      const odd = this.#oddValues().map(({ id, value, bytes }) => this.#add(id, partition, value, bytes))
      const records = odd.map((sent) => ({ ...sent, key: keyBytes(sent.key), value: sent.bytes }))
      const batches = encodeBatch({ baseOffset: 0n, timestampType: 'create', records: renumbered(records) })
      expect(await topic.append({ partition, batches })).toMatchObject({ baseOffset })
    }
  }

  // Bytes that are no value; and for JSON a value whose bytes are not the canonical ones.
  #oddValues(): { id: number; value: Order | undefined; bytes: Uint8Array }[] {
    const junk = { id: this.#nextId++, value: undefined, bytes: bytes(255, 254) }
    if (this.codec.format.startsWith('avro')) return [junk]
    const id = this.#nextId++
    const value = order(id)
    return [junk, { id, value, bytes: Buffer.concat([Buffer.from(' '), this.codec.encode(value)]) }]
  }

  #add(id: number, partition: number, value: Order | null | undefined, encoded: Uint8Array | null): Sent {
    const isCanonical = value ? Buffer.compare(this.codec.encode(value), encoded!) === 0 : false
    const sent = {
      partition,
      offset: this.ends[partition]!,
      key: keys[id % keys.length]!,
      headers: headers[id % headers.length]!,
      timestamp: BigInt(FIRST_MS + id * EVERY_MS),
      value,
      bytes: encoded,
      kept: isCanonical ? null : encoded,
    }
    this.ends[partition]!++
    this.records.push(sent)
    return sent
  }
}

export const keyBytes = (key: string | null): Uint8Array | null => (key === null ? null : Buffer.from(key))

const renumbered = <R>(records: readonly R[]): (R & { offset: bigint })[] =>
  records.map((record, at) => ({ ...record, offset: BigInt(at) }))
