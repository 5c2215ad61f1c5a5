import { alwaysNull, avro, bucket, byValue, day, hour, json, month, schema, t, truncate, year } from 'moulin'
import type { Infer, Log, PartitionFieldOf, ProducerRecord } from 'moulin'

/** One column of every kind that a value can have; time types exact. */
export const Everything = schema({
  flag: t.boolean.optional(),
  small: t.int.optional(),
  safe: t.int53.optional(),
  wide: t.long.optional(),
  single: t.float.optional(),
  double: t.double.optional(),
  cents: t.decimal(9, 2).optional(),
  money: t.decimal(18, 4).optional(),
  huge: t.decimal(38, 10).optional(),
  text: t.string.optional(),
  blob: t.binary.optional(),
  hash: t.fixed(4).optional(),
  uid: t.uuid.optional(),
  on: t.date.optional(),
  at: t.time.micros.optional(),
  local: t.timestamp.micros.optional(),
  instant: t.timestamptz.micros.optional(),
})
export type Everything = Infer<typeof Everything>

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

// Microseconds that a record may carry: ±(2^63 − 1) reach further than any engine's calendar.
const farFuture = 253_402_300_799_999_999n // 9999-12-31T23:59:59.999999Z
const beforeEpoch = -62_135_596_800_000_000n // 0001-01-01T00:00:00Z

export const records: readonly ProducerRecord<Everything>[] = [
  {
    key: 'plain',
    value: {
      flag: true,
      small: -2147483648,
      safe: Number.MAX_SAFE_INTEGER,
      wide: 2n ** 53n + 1n,
      single: 1.5,
      double: 0.1,
      cents: '-1234567.89',
      money: '99999999999999.9999',
      huge: '-1234567890123456789012345678.0123456789',
      text: 'grüße 🚀',
      blob: bytes(0, 255, 128),
      hash: bytes(1, 2, 3, 4),
      uid: '00112233-4455-6677-8899-aabbccddeeff',
      on: '2024-02-29',
      at: 86_399_999_999n,
      local: 1_700_000_000_123_456n,
      instant: 1_700_000_000_654_321n,
    },
    headers: [
      ['trace', bytes(1, 2)],
      ['trace', null],
      ['empty', bytes()],
      ['ümlaut', Buffer.from('x')],
    ],
    timestamp: 1_700_000_000_000,
  },
  {
    key: '',
    value: {
      flag: false,
      small: 2147483647,
      safe: Number.MIN_SAFE_INTEGER,
      wide: -(2n ** 63n),
      single: -0,
      double: -0,
      cents: '0.00',
      money: '-0.0001',
      huge: '0.0000000000',
      text: '',
      blob: bytes(),
      hash: bytes(0, 0, 0, 0),
      uid: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
      on: '1969-12-31',
      at: 0n,
      local: beforeEpoch,
      instant: -1n,
    },
    timestamp: -1_000n,
  },
  {
    key: null,
    value: {
      wide: 2n ** 63n - 1n,
      double: 1.7976931348623157e308,
      single: 3.4028234663852886e38,
      instant: farFuture,
      local: farFuture,
    },
    timestamp: 253_402_300_799_999n,
  },
  { key: 'nothing', value: {}, timestamp: 0 },
  { key: 'tombstone', value: null, timestamp: 1_600_000_000_000 },
  {
    key: 'edge',
    value: { wide: 2n ** 53n - 1n, on: '9999-12-31', text: 'a'.repeat(40), double: 2 ** -1074 },
    timestamp: 1n,
  },
  {
    key: 'edge',
    value: { wide: -(2n ** 53n) - 1n, on: '0001-01-01', text: 'a'.repeat(39) + 'b', small: 0, safe: 0 },
    timestamp: 2n,
  },
]

/** Every transform of the specification, over the column kinds that it takes. */
export const specs: Readonly<Record<string, readonly PartitionFieldOf<keyof Everything & string>[]>> = {
  identity_text: [byValue('text')],
  identity_wide: [byValue('wide')],
  identity_on: [byValue('on')],
  bucket_text: [bucket(7, 'text')],
  bucket_wide: [bucket(7, 'wide')],
  bucket_uid: [bucket(7, 'uid')],
  bucket_money: [bucket(7, 'money')],
  truncate_text: [truncate(3, 'text')],
  truncate_wide: [truncate(10, 'wide')],
  truncate_cents: [truncate(50, 'cents')],
  year_instant: [year('instant')],
  month_local: [month('local')],
  day_instant: [day('instant')],
  hour_local: [hour('local')],
  year_on: [year('on')],
  void_text: [alwaysNull('text')],
  two_fields: [day('instant'), bucket(3, 'text')],
}

/** Fills one topic per spec, and one with JSON values; returns their names. All is in the tables afterwards. */
export async function fill(log: Log): Promise<string[]> {
  const names: string[] = []
  const unbounded = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }
  for (const [name, partitionBy] of Object.entries(specs)) {
    const topic = await log.ensureTopic(name, { value: avro(Everything), partitions: 2, partitionBy, ...unbounded })
    await topic.producer().sendAll(records)
    await topic.tier()
    names.push(name)
  }
  const raw = await log.ensureTopic('both', {
    value: json(Everything),
    valueMode: 'columns+raw',
    partitionBy: [],
    ...unbounded,
  })
  await raw.producer().sendAll(records)
  await raw.tier()
  await raw.producer().sendAll(records)
  await raw.tier()
  return [...names, 'both']
}
