import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { IcebergField } from '@moulin/core'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Case, columnValues, primitives, type Style, styles, write } from '../parquet/cases.ts'
import { Dice, runs, runSeed } from '../parquet/dice.ts'
import { leafSlots, slotBounds } from '../parquet/leaf-slots.ts'
import { expectPageBounds } from '../parquet/page-bounds.ts'
import { expectTable, type PlainTable } from '../parquet/plain.ts'
import { caseOf } from '../parquet/random-case.ts'
import { mappingOf, ourTable } from '../parquet/readers.ts'
import { ours } from '../parquet/writers.ts'
import { python } from './python.ts'
import { field, list, map, struct } from '../parquet/types.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('./check_parquet.py', import.meta.url))
const seed = runSeed()

let folder = ''
beforeAll(async () => void (await python()), 600_000)
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moulin-pyarrow-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function ask(mode: 'read' | 'rewrite'): Promise<{ checked: number; wrong: string[] }> {
  const { stdout } = await run(await python(), [script, mode, folder], { maxBuffer: 1 << 28 })
  return JSON.parse(stdout) as { checked: number; wrong: string[] }
}

/** What pyarrow has to find in the footer, leaf by leaf. */
function statistics({ schema, table, options }: Case, groups: readonly { readonly rowCount: number }[]): unknown[] {
  let start = 0
  return groups.flatMap(({ rowCount }, rowGroup) => {
    const leaves = leafSlots(schema, table, start, start + rowCount)
    start += rowCount
    return leaves.map(({ type, slots }, column) => {
      const { nullCount, min, max } = slotBounds(type, slots)
      return { rowGroup, column, type, nullCount, values: slots.length, min, max, boundBytes: options.boundBytes ?? 64 }
    })
  })
}

async function expectReadByPyArrow(cases: Iterable<readonly [name: string, each: Case]>): Promise<void> {
  let count = 0
  for (const [name, each] of cases) {
    const { bytes, file } = write(ours, each, new Dice(count))
    await writeFile(join(folder, `${name}.parquet`), bytes)
    const expected = {
      fields: each.schema.fields,
      columns: each.table,
      statistics: statistics(each, file.rowGroups),
    }
    await writeFile(join(folder, `${name}.json`), JSON.stringify(expected))
    count++
  }
  expect(await ask('read')).toEqual({ checked: count, wrong: [] })
}

const kinds = primitives
const nested: readonly IcebergField[] = [
  field(101, 'list', list(102, 'long')),
  field(103, 'place', struct(field(104, 'a', 'int', true), field(105, 'b', 'string'))),
  field(106, 'grid', list(107, list(108, 'date'))),
  field(109, 'items', list(110, struct(field(111, 'x', 'uuid'), field(112, 'tags', list(113, 'string'))))),
  field(114, 'map', map(115, 116, list(117, 'double'))),
]

function fixedCase(
  fields: readonly IcebergField[],
  rows: number,
  style: Style,
  nulls: number,
  options: Case['options'],
): Case {
  const dice = new Dice(rows)
  const table = fields.map((each) => columnValues(each, rows, style, nulls, dice))
  const batches = [{ rows, ends: true }]
  return { schema: { type: 'struct', fields }, table, rowCount: rows, options, batches }
}

describe('pyarrow', () => {
  it('reads every type of ours, and finds in the footer what the values say', async () => {
    const fields = [...kinds.map((kind, i) => field(i + 1, `f${i}`, kind)), ...nested]
    const cases = styles.flatMap((style) =>
      [0, 0.1, 0.9, 1].map((nulls) => {
        const options = { pageBytes: 700, columnIndexes: 'all' } as const
        return [`${style}-${nulls * 10}`, fixedCase(fields, 400, style, nulls, options)] as const
      }),
    )
    await expectReadByPyArrow(cases)
  }, 600_000)

  it('reads random files of ours, whatever their schema, encodings, codecs and pages', async () => {
    const count = runs(60, 300, 3000)
    console.log(`pyarrow reads ${count} random files, MOULIN_SEED=${seed}`)
    const dice = new Dice(seed)
    const cases = Array.from({ length: count }, (_, i) => {
      const draw = {
        seed: dice.bits(),
        columns: dice.between(1, 6),
        depth: dice.below(4),
        rows: dice.below(300),
        kinds,
      }
      return [`random-${i}`, caseOf(draw)] as const
    })
    await expectReadByPyArrow(cases)
  }, 600_000)
})

type Options = Readonly<Record<string, unknown>>

const integers = kinds.filter((kind) => /^(int|long|date|time|timestamp)/.test(kind))
const encodingGrid: readonly (readonly [string, readonly string[]])[] = [
  ['PLAIN', kinds],
  ['DELTA_BINARY_PACKED', integers],
  ['DELTA_LENGTH_BYTE_ARRAY', ['string', 'binary']],
  ['DELTA_BYTE_ARRAY', ['string', 'binary', 'uuid', 'fixed[5]', 'decimal(38,10)']],
  ['BYTE_STREAM_SPLIT', [...integers, 'float', 'double', 'uuid', 'fixed[5]', 'decimal(38,10)']],
  ['RLE', ['boolean']],
]

const writeOptions: Readonly<Record<string, Options>> = {
  snappy: { compression: 'snappy' },
  gzip: { compression: 'gzip', data_page_version: '2.0' },
  zstd: { compression: 'zstd', write_page_checksum: true, data_page_size: 500, write_batch_size: 50 },
  brotli: { compression: 'brotli' },
  lz4: { compression: 'lz4', data_page_version: '2.0', write_page_checksum: true },
  none: { compression: 'none', use_dictionary: false },
  'legacy lists': { use_compliant_nested_type: false },
  'format 1.0': { version: '1.0', coerce_timestamps: 'us', allow_truncated_timestamps: true },
  'format 2.4': { version: '2.4' },
  'dictionaries that end early': { dictionary_pagesize_limit: 300, write_batch_size: 20, data_page_size: 300 },
  'dictionaries that end early, V2': {
    dictionary_pagesize_limit: 300,
    write_batch_size: 20,
    data_page_size: 300,
    data_page_version: '2.0',
  },
  'decimals as integers': { store_decimal_as_integer: true },
  'small row groups': { row_group_size: 37 },
  'few rows a page': { max_rows_per_page: 7, write_page_index: true },
  'without Arrow schema': { store_schema: false },
  'page index': { write_page_index: true, data_page_size: 200, write_batch_size: 20, compression: 'zstd' },
}

interface Source {
  readonly fields: readonly IcebergField[]
  readonly table: PlainTable
}

/** Lets pyarrow write files of ours anew, each with each of the options. */
async function rewritten(
  sources: Readonly<Record<string, Case>>,
  options: Readonly<Record<string, Options>>,
): Promise<{ source: Source; option: string; bytes: Uint8Array }[]> {
  const slug = (option: string): string => option.replaceAll(/\W/g, '-')
  for (const [name, each] of Object.entries(sources)) {
    await writeFile(join(folder, `${name}.parquet`), write(ours, each).bytes)
    for (const [option, value] of Object.entries(options))
      await writeFile(join(folder, `${name}.${slug(option)}.options.json`), JSON.stringify(value))
  }
  const { wrong } = await ask('rewrite')
  expect(wrong).toEqual([])
  const files = Object.entries(sources).flatMap(([name, each]) =>
    Object.keys(options).map(async (option) => {
      const bytes = await readFile(join(folder, `${name}.${slug(option)}.out.parquet`))
      return { source: { fields: each.schema.fields, table: each.table }, option, bytes }
    }),
  )
  return Promise.all(files)
}

const sourcesOf = (fields: readonly IcebergField[], rows = 300): Record<string, Case> =>
  Object.fromEntries(styles.map((style, i) => [style, fixedCase(fields, rows, style, [0.1, 0, 0.9, 1][i % 4]!, {})]))

describe('we read what pyarrow writes', () => {
  // Format 1.0 knows no nanoseconds.
  const micros = kinds.filter((kind) => !kind.endsWith('_ns'))
  const fieldsOf = (chosen: readonly string[]): IcebergField[] => chosen.map((kind, i) => field(i + 1, `f${i}`, kind))

  it.each(Object.keys(writeOptions))(
    'with %s',
    async (option) => {
      const chosen = option.startsWith('format') ? micros : kinds
      const files = await rewritten(sourcesOf([...fieldsOf(chosen), ...nested]), { [option]: writeOptions[option]! })
      for (const { source, bytes } of files) {
        const back = await ourTable(bytes, source.fields, { nameMapping: mappingOf(source.fields) })
        expectTable(source.fields, source.table, back, option)
      }
    },
    600_000,
  )

  it.each(encodingGrid)(
    'in %s',
    async (encoding, chosen) => {
      const fields = [
        ...fieldsOf(chosen),
        ...chosen.map((kind, i) => field(201 + 2 * i, `list${i}`, list(202 + 2 * i, kind))),
      ]
      const encodings = Object.fromEntries(
        chosen.flatMap((_, i) => [
          [`f${i}`, encoding],
          [`list${i}.list.element`, encoding],
        ]),
      )
      const options = Object.fromEntries(
        ['1.0', '2.0'].map((version) => [
          `v${version}`,
          { use_dictionary: false, column_encoding: encodings, data_page_version: version, data_page_size: 600 },
        ]),
      )
      for (const { source, option, bytes } of await rewritten(sourcesOf(fields), options))
        expectTable(source.fields, source.table, await ourTable(bytes, source.fields), `${encoding}, ${option}`)
    },
    600_000,
  )

  it('with bounds of pages that hold for their rows', async () => {
    const fields = [...fieldsOf(kinds), ...nested]
    const options = { write_page_index: true, data_page_size: 200, write_batch_size: 20 }
    for (const { source, bytes } of await rewritten(sourcesOf(fields, 500), { index: options }))
      await expectPageBounds(bytes, { type: 'struct', fields: source.fields }, source.table)
  }, 600_000)

  it('with times in INT96 refused, or read', async () => {
    const fields = [field(1, 'at', 'timestamp')]
    const sources = { one: fixedCase(fields, 50, 'rising', 0.1, {}) }
    const [file] = await rewritten(sources, { int96: { use_deprecated_int96_timestamps: true } })
    await expect(ourTable(file!.bytes, fields)).rejects.toMatchObject({ kind: 'unsupported' })
  }, 600_000)
})
