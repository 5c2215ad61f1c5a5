/** Which page encodings a table's files have, read from the bytes of the files. */
import { schema, t } from '@moulin/core'
import type { Codec } from '@moulin/core'
import { avro, json } from '@moulin/format'
import type { WrittenFile } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { footer, lcg, pagesOf } from '../packages/format/src/parquet/encode/encode.test-support.ts'
import { checkTable, testLog, utf8 } from '../packages/lake/src/lake.test-support.ts'
import type { TestLogOptions } from '../packages/lake/src/lake.test-support.ts'

const scalars = {
  boolean: t.boolean,
  int: t.int,
  int53: t.int53,
  long: t.long,
  float: t.float,
  double: t.double,
  small: t.decimal(9, 2),
  middle: t.decimal(18, 0),
  large: t.decimal(38, 10),
  string: t.string,
  binary: t.binary,
  uuid: t.uuid,
  fixed: t.fixed(5),
  date: t.date,
  time: t.time,
  time_micros: t.time.micros,
  timestamp: t.timestamp,
  timestamp_micros: t.timestamp.micros,
  timestamptz: t.timestamptz,
  timestamptz_micros: t.timestamptz.micros,
}
const Everything = schema({
  ...scalars,
  list: t.list(t.long),
  map: t.map(t.int, t.timestamptz.micros),
  struct: t.struct({ ...scalars, texts: t.list(t.string.optional()) }),
})
const codecs: { name: string; codec: Codec }[] = [
  { name: 'avro', codec: avro(Everything) as unknown as Codec },
  { name: 'json', codec: json(Everything) as unknown as Codec },
]

/** `below` as many values of each kind at most: a few repeat, many do not. */
function scalarsOf(next: (below: number) => number, below: number): Record<string, unknown> {
  const n = next(below)
  const micros = BigInt(n) * 1_000_003n
  return {
    boolean: n % 2 === 0,
    int: n,
    int53: n * 4099,
    long: BigInt(n) * 1_000_000_007n,
    float: n / 2,
    double: n / 8,
    small: `${n % 9_999_999}.25`,
    middle: `${n}0000001`,
    large: `${n}.0000000001`,
    string: `text ${n}`,
    binary: utf8(`bytes ${n}`),
    uuid: `${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`,
    fixed: Uint8Array.of(1, n & 255, (n >> 8) & 255, (n >> 16) & 255, 9),
    date: new Date(Date.UTC(1970, 0, 1 + (n % 50_000))).toISOString().slice(0, 10),
    time: n % 86_400_000,
    time_micros: BigInt(n) % 86_400_000_000n,
    timestamp: new Date(n * 1000),
    timestamp_micros: micros,
    timestamptz: new Date(n * 977),
    timestamptz_micros: -micros,
  }
}

interface Seen {
  readonly pages: Set<string>
  readonly footers: Set<string>
}

async function encodings(codec: Codec, below: number, options: TestLogOptions): Promise<Seen> {
  const next = lcg(below)
  const log = testLog({ codec, ...options, info: { partitionBy: [], ...options.info } })
  for (const partition of [0, 1]) {
    const records = Array.from({ length: 3000 }, (_, at) => {
      const value = {
        ...scalarsOf(next, below),
        list: Array.from({ length: at % 4 }, () => BigInt(next(below))),
        map: new Map(Array.from({ length: at % 3 }, (_, key) => [key * 5 + at, BigInt(next(below))])),
        struct: { ...scalarsOf(next, below), texts: at % 2 === 0 ? [] : [null, `t${next(below)}`] },
      }
      return {
        key: utf8(`k${next(below)}`),
        timestamp: 1_700_000_000_000n + BigInt(next(below)),
        value: at % 100 === 0 ? null : codec.encode(value),
        headers: at % 5 === 0 ? ([['h', utf8(`${next(below)}`)]] as const) : [],
      }
    })
    log.hot.send(partition, records)
  }
  const topic = await log.attach()
  await topic.tier({ upTo: log.hot.committedOffsets() })
  await checkTable(topic, log)

  const seen: Seen = { pages: new Set(), footers: new Set() }
  for await (const { key } of log.store.list({ prefix: 'tables/shop/orders/data/' })) {
    const { bytes } = await log.store.get(key)
    const file = { bytes: new Uint8Array(bytes) } as WrittenFile
    for (const [at, group] of footer(file).row_groups.entries()) {
      for (const [column, { meta_data }] of group.columns.entries()) {
        for (const encoding of meta_data!.encodings) seen.footers.add(encoding)
        for (const { encoding } of meta_data!.encoding_stats ?? []) seen.footers.add(encoding)
        for (const { encoding } of pagesOf(file, column, at)) seen.pages.add(encoding)
      }
    }
  }
  return seen
}

describe.each(codecs)("the pages of a table's files ($name)", ({ codec }) => {
  const permitted = ['PLAIN', 'RLE', 'RLE_DICTIONARY']

  it.each(['columns', 'columns+raw', 'raw'] as const)(
    'are PLAIN, RLE or RLE_DICTIONARY by default, in headers and footers, whatever the type (value mode %s)',
    async (valueMode) => {
      for (const below of [7, 2 ** 23]) {
        const { pages, footers } = await encodings(codec, below, { info: { valueMode } })
        expect([...pages, ...footers].filter((encoding) => !permitted.includes(encoding))).toEqual([])
        expect([...pages]).toEqual(expect.arrayContaining(['PLAIN', 'RLE_DICTIONARY']))
      }
    },
  )

  it('have deltas where the tier was told to', async () => {
    const { pages, footers } = await encodings(codec, 2 ** 23, { tier: { deltas: true } })
    expect([...pages]).toContain('DELTA_BINARY_PACKED')
    expect([...footers]).toContain('DELTA_BINARY_PACKED')
  })
})
