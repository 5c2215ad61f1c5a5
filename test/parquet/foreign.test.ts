import type { IcebergField, IcebergType } from '@moulin/core'
import { bytesRangeReader } from '@moulin/format'
import { type FileVerdict, verifyFile } from '@moulin/format/second-opinion'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type Case, columnValues, primitives, type Style, styles, write } from './cases.ts'
import { Dice, runs } from './dice.ts'
import { javaFixtures, pyarrowFixtures } from './fixtures.ts'
import { rewriteWithDuckDb, rewriteWithRust, type RustOptions } from './foreign-writers.ts'
import { asList, expectTable, numberFrom, type Plain, type PlainTable, storageFor } from './plain.ts'
import { closeDuckDb } from './read-with-duckdb.ts'
import { mappingOf, ourTable } from './readers.ts'
import { ours } from './writers.ts'
import { field, list, map, struct } from './types.ts'

vi.setConfig({ testTimeout: 300_000 })
afterAll(closeDuckDb)

const nested: readonly IcebergField[] = [
  field(101, 'list', list(102, 'long')),
  field(103, 'place', struct(field(104, 'a', 'int'), field(105, 'b', 'string'))),
  field(106, 'grid', list(107, list(108, 'date'))),
  field(109, 'items', list(110, struct(field(111, 'x', 'uuid'), field(112, 'tags', list(113, 'string'))))),
  field(114, 'map', map(115, 116, list(117, 'double'))),
]

interface Source {
  readonly bytes: Uint8Array
  readonly fields: readonly IcebergField[]
  readonly table: PlainTable
}

/** A file of ours for another writer to read and write anew. */
function source(
  kinds: readonly string[],
  rows: number,
  style: Style,
  nulls: number,
  change: (type: IcebergType, value: Plain) => Plain = (_, value) => value,
): Source {
  const dice = new Dice(rows)
  const fields = [...kinds.map((kind, i) => field(i + 1, `f${i}`, kind)), ...nested]
  const table = fields.map((each) =>
    columnValues(each, rows, style, nulls, dice).map((value) => change(each.type, value)),
  )
  const schema = { type: 'struct', fields } as const
  const each: Case = { schema, table, rowCount: rows, options: {}, batches: [{ rows, ends: true }] }
  return { bytes: write(ours, each).bytes, fields, table }
}

/** Dictionaries of DuckDB and hyparquet-writer take −0 for 0. */
function withoutNegativeZero(type: IcebergType, value: Plain): Plain {
  if (value === null) return null
  if (type === 'float' || type === 'double')
    return (value as string).replace(/^80+$/, (zero) => '0'.repeat(zero.length))
  const listed = asList(type)
  if (typeof listed === 'string' || listed.type === 'map') return value
  const items = value as readonly Plain[]
  if (listed.type === 'list') return items.map((item) => withoutNegativeZero(listed.element, item))
  return listed.fields.map((member, index) => withoutNegativeZero(member.type, items[index]!))
}

async function expectRead(bytes: Uint8Array, fields: readonly IcebergField[], table: PlainTable): Promise<void> {
  const back = await ourTable(bytes, fields, { nameMapping: mappingOf(fields) })
  expectTable(fields, table, back)
}

const kinds = primitives
/** For codecs and versions a developer's run takes fewer kinds of values. */
const someStyles = styles.slice(0, runs(2, 5, 5))

describe('we read what DuckDB writes', () => {
  // It knows no fixed, and no nanoseconds with a zone.
  const known = kinds.filter((kind) => !kind.startsWith('fixed') && kind !== 'timestamptz_ns')
  for (const version of ['V1', 'V2']) {
    it.each(['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw'])(`as %s, ${version}`, async (codec) => {
      for (const [at, style] of someStyles.entries()) {
        const { bytes, fields, table } = source(known, 300, style, [0, 0.1, 0.9][at % 3]!, withoutNegativeZero)
        const options = `compression ${codec}, parquet_version ${version}, row_group_size 2048, dictionary_size_limit ${at * 20}`
        await expectRead(await rewriteWithDuckDb(bytes, fields, options), fields, table)
      }
    })
  }

  it('in row groups, with field ids', async () => {
    const { bytes, fields, table } = source(known, 5000, 'few', 0.1, withoutNegativeZero)
    const ids = fields.filter(({ type }) => typeof type === 'string').map(({ id, name }) => `${name}: ${id}`)
    const options = `row_group_size 2048, field_ids {${ids.join(', ')}}`
    const written = await rewriteWithDuckDb(bytes, fields, options)
    const flat = fields.filter(({ type }) => typeof type === 'string')
    expectTable(flat, table, await ourTable(written, flat))
  })
})

describe('we read what parquet-rs writes', () => {
  for (const version of [1, 2] as const) {
    for (const dictionary of [true, false]) {
      it.each(['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW'] as const)(
        `as %s, V${version}, ${dictionary ? 'with' : 'without'} dictionaries`,
        async (codec) => {
          for (const [at, style] of someStyles.entries()) {
            const { bytes, fields, table } = source(kinds, 300, style, [0.1, 0, 0.9][at % 3]!)
            await expectRead(rewriteWithRust(bytes, { version, codec, dictionary, rowGroupRows: 140 }), fields, table)
          }
        },
      )
    }
  }

  const encodings: readonly (readonly [string, readonly string[]])[] = [
    ['DELTA_BINARY_PACKED', ['int', 'long', 'date', 'time', 'timestamp', 'decimal(9,2)', 'decimal(18,4)']],
    ['DELTA_LENGTH_BYTE_ARRAY', ['string', 'binary']],
    ['DELTA_BYTE_ARRAY', ['string', 'binary', 'uuid', 'fixed[5]', 'decimal(38,10)']],
    ['BYTE_STREAM_SPLIT', ['int', 'long', 'float', 'double', 'uuid', 'fixed[5]', 'decimal(38,10)']],
    ['RLE', ['boolean']],
  ]
  it.each(encodings)('in %s', async (encoding, kindsOf) => {
    for (const style of styles) {
      for (const version of [1, 2] as const) {
        const { bytes, fields, table } = source(kindsOf, 400, style, 0.1)
        const flat = Object.fromEntries(kindsOf.map((_, i) => [`f${i}`, encoding as 'RLE']))
        const options: RustOptions = { version, codec: 'SNAPPY', dictionary: true, encodings: flat }
        await expectRead(rewriteWithRust(bytes, options), fields, table)
      }
    }
  })
})

describe('we read what hyparquet-writer writes', () => {
  const physical = [
    ['long', 'INT64', ['PLAIN', 'DELTA_BINARY_PACKED', 'RLE_DICTIONARY', 'BYTE_STREAM_SPLIT']],
    ['int', 'INT32', ['PLAIN', 'DELTA_BINARY_PACKED', 'RLE_DICTIONARY', 'BYTE_STREAM_SPLIT']],
    ['double', 'DOUBLE', ['PLAIN', 'RLE_DICTIONARY', 'BYTE_STREAM_SPLIT']],
    ['float', 'FLOAT', ['PLAIN', 'RLE_DICTIONARY', 'BYTE_STREAM_SPLIT']],
    ['binary', 'BYTE_ARRAY', ['PLAIN', 'RLE_DICTIONARY', 'DELTA_LENGTH_BYTE_ARRAY', 'DELTA_BYTE_ARRAY']],
    ['boolean', 'BOOLEAN', ['PLAIN', 'RLE']],
  ] as const

  for (const [kind, type, encodings] of physical) {
    it.each(encodings)(`of ${kind} in %s`, async (encoding) => {
      for (const style of styles) {
        for (const nulls of [0, 0.1]) {
          const fields = [field(1, 'f', kind)]
          const drawn = columnValues(fields[0]!, 700, style, nulls, new Dice(5))
          const values = drawn.map((value) => withoutNegativeZero(kind, value))
          const data = values.map((value) => native(kind, value))
          const columnData = [{ name: 'f', data, type, encoding, nullable: true }]
          const bytes = new Uint8Array(parquetWriteBuffer({ columnData, pageSize: 900, rowGroupSize: 500 }))
          await expectRead(bytes, fields, [values])
        }
      }
    })
  }
})

function native(kind: string, value: unknown): unknown {
  if (value === null || typeof value === 'boolean') return value
  const storage = storageFor(kind)
  if (storage === 'bytes') return new Uint8Array(Buffer.from(value as string, 'hex'))
  if (storage === 'int64') return BigInt(value as string)
  return storage === 'int32' ? Number(value) : numberFrom(value as string)
}

describe('we read what parquet-java and pyarrow write', () => {
  for (const { name, bytes, fields, table } of [...javaFixtures(), ...pyarrowFixtures()]) {
    it.each(fields.map((each, index) => [each.name, each, table[index]!] as const))(
      `${name}, column %s`,
      async (_, each, values) => {
        await expectRead(bytes, [each], [values])
      },
    )
  }
})

describe('both readers agree on what others write', () => {
  const verdictOf = (bytes: Uint8Array): Promise<FileVerdict> => verifyFile(bytesRangeReader(bytes, 'foreign.parquet'))
  const agreed = (fields: readonly IcebergField[], table: PlainTable): object => {
    const rows = table[0]!.length
    return { rows, values: rows * fields.length, differences: [], unread: [] }
  }

  // hyparquet has no LZ4 of its own.
  const fixtures = [...javaFixtures(), ...pyarrowFixtures()].filter(({ name }) => !name.includes('lz4'))
  it.each(fixtures.map((each) => [each.name, each] as const))('%s', async (_, { bytes, fields, table }) => {
    expect(await verdictOf(bytes)).toMatchObject(agreed(fields, table))
  })

  it.each(['snappy', 'brotli'])('DuckDB, %s', async (codec) => {
    const known = kinds.filter((kind) => !kind.startsWith('fixed') && kind !== 'timestamptz_ns')
    const { bytes, fields, table } = source(known, 300, 'few', 0.1)
    const written = await rewriteWithDuckDb(bytes, fields, `compression ${codec}, row_group_size 2048`)
    expect(await verdictOf(written)).toMatchObject(agreed(fields, table))
  })

  it.each([1, 2] as const)('parquet-rs, V%i', async (version) => {
    const { bytes, fields, table } = source(kinds, 300, 'few', 0.1)
    const options = { version, codec: 'ZSTD', dictionary: true, rowGroupRows: 140 } as const
    expect(await verdictOf(rewriteWithRust(bytes, options))).toMatchObject(agreed(fields, table))
  })

  it('or it is said which of them does not read a codec', async () => {
    const { bytes, fields } = source(['long'], 50, 'few', 0)
    const written = await rewriteWithDuckDb(bytes, fields.slice(0, 1), 'compression lz4_raw')
    const { values, unread, differenceCount } = await verdictOf(written)
    expect({ values, differenceCount }).toEqual({ values: 0, differenceCount: 0 })
    expect(unread).toMatchObject([
      { reader: 'hyparquet', rowGroup: 0, column: 'f0', message: expect.stringMatching('LZ4_RAW') as string },
    ])
  })
})
