import { schema, t } from '@moulin/core'
import type { Log, ProducerRecord, Topic } from '@moulin/core'

const FIRST_MS = Date.UTC(2026, 10, 28)

/** Every type. */
export const Flat = schema({
  boolean: t.boolean,
  int: t.int,
  int53: t.int53,
  long: t.long,
  float: t.float,
  double: t.double,
  small: t.decimal(9, 2),
  large: t.decimal(38, 10),
  string: t.string.optional(),
  binary: t.binary,
  uuid: t.uuid,
  fixed: t.fixed(3),
  date: t.date,
  time: t.time,
  time_micros: t.time.micros,
  timestamp: t.timestamp,
  timestamp_micros: t.timestamp.micros,
  timestamptz: t.timestamptz,
  timestamptz_micros: t.timestamptz.micros,
  tags: t.list(t.string.optional()),
  place: t.struct({ x: t.double, label: t.string.optional() }).optional(),
  counts: t.map(t.string, t.list(t.int)),
})

/** A value of every type, all of it following from `id`. */
function flat(id: number): Record<string, unknown> {
  return {
    boolean: id % 2 === 0,
    int: id - 3,
    int53: 2 ** 53 - 1 - id,
    long: BigInt(id) - 2n ** 62n,
    float: Math.fround(id / 3),
    double: id / 7,
    small: `${id - 2}.05`,
    large: `-1234567890123456789012345678.01234567${String(10 + (id % 90))}`,
    string: id % 4 === 0 ? null : `Zürich ${id} 🏔`,
    binary: Uint8Array.of(id, 255, 0),
    uuid: `00112233-4455-6677-8899-aabbccddee${String(10 + (id % 90))}`,
    fixed: Uint8Array.of(1, id, 3),
    date: '1969-12-31',
    time: 86_399_999 - id,
    time_micros: 86_399_999_999n - BigInt(id),
    timestamp: new Date(Date.UTC(1900, 0, 1 + id)),
    timestamp_micros: -1n - BigInt(id),
    timestamptz: new Date(Date.UTC(2100, 1, 1 + id)),
    timestamptz_micros: 253_402_300_800_000_001n + BigInt(id),
    tags: id % 3 === 0 ? [] : [`tag ${id}`, null],
    place: id % 5 === 0 ? null : { x: id / 2, label: id % 2 === 0 ? null : 'here' },
    counts: new Map([
      ['a', [id]],
      ['b', []],
    ]),
  }
}

/** Records of bytes: with and without key, value and headers. */
export function raw(from: number, to: number): ProducerRecord<Uint8Array>[] {
  return Array.from({ length: to - from }, (_, at) => {
    const id = from + at
    return {
      key: id % 3 === 0 ? null : `key-${id}`,
      value: id % 7 === 3 ? null : Buffer.from(`value ${id}`),
      headers: id % 2 === 0 ? { trace: String(id), empty: null } : {},
      timestamp: BigInt(FIRST_MS + id * 1000),
    }
  })
}

export async function send<T>(topic: Topic<T>, records: Iterable<ProducerRecord<T>>): Promise<void> {
  const producer = topic.producer({ lingerMs: 0 })
  for (const record of records) await producer.send(record)
  await producer.close()
}

export async function rawTopic(log: Log, name: string, partitions = 1): Promise<Topic<Uint8Array>> {
  return log.ensureTopic(name, { partitions, partitionBy: [] })
}

/** Records of {@link Flat}, some without a value. */
export const every = (from: number, to: number): ProducerRecord<never>[] =>
  Array.from({ length: to - from }, (_, at) => ({
    key: `k${from + at}`,
    value: (from + at) % 6 === 5 ? null : (flat(from + at) as never),
    timestamp: BigInt(FIRST_MS + from + at),
  }))
