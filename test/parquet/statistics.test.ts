import { bytesRangeReader, openParquet } from '@moulin/format'
import type { MetricValue } from '@moulin/format'
import { parquetMetadata } from 'hyparquet'
import { readOffsetIndex } from 'hyparquet/src/indexes.js'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type Case, columnValues, leaves, primitives, type Style, styles, write } from './cases.ts'
import { Dice, runs, runSeed } from './dice.ts'
import { mapFile, unzigzag, varintAt } from './file-map.ts'
import { javaFixtures } from './fixtures.ts'
import { leafSlots, slotBounds } from './leaf-slots.ts'
import { boundHolds, expectPageBounds, plainMetric } from './page-bounds.ts'
import type { Plain } from './plain.ts'
import { caseOf } from './random-case.ts'
import { closeDuckDb, duckdbConnection, duckdbPath } from './read-with-duckdb.ts'
import { ours } from './writers.ts'
import { unlink, writeFile } from 'node:fs/promises'

vi.setConfig({ testTimeout: 300_000 })
afterAll(closeDuckDb)

const seed = runSeed()

/** Random files, all their pages with bounds. */
function* randomCases(count: number): Generator<Case> {
  const dice = new Dice(seed)
  for (let i = 0; i < count; i++) {
    const draw = { seed: dice.bits(), columns: dice.between(1, 5), depth: dice.below(4), rows: dice.below(250) }
    const each = caseOf({ ...draw, kinds: primitives })
    yield { ...each, options: { ...each.options, columnIndexes: 'all' } }
  }
}

/** Without dates and times: DuckDB fails on those that its text of them cannot show. */
const shown = primitives.filter((kind) => !/^(date|time)/.test(kind))

function flatCase(style: Style, nulls: number, options: Case['options']): Case {
  const fields = shown.map((type, i) => ({ id: i + 1, name: `f${i}`, type, required: false }))
  const table = fields.map((field) => columnValues(field, 400, style, nulls, new Dice(field.id)))
  const batches = [
    { rows: 300, ends: true },
    { rows: 100, ends: false },
  ]
  return { schema: { type: 'struct', fields }, table, rowCount: 400, options, batches }
}

/** Of UUIDs in hex: 1 or 2 for a first half without or with its top bit, 4 or 8 for a second one. */
function topBitsOf(slots: readonly Plain[]): number {
  let bits = 0
  for (const slot of slots) {
    if (typeof slot !== 'string') continue
    const half = (at: number): boolean => parseInt(slot[at]!, 16) >= 8
    bits |= (half(0) ? 2 : 1) | (half(16) ? 8 : 4)
  }
  return bits
}

const count = runs(60, 400, 4000)

describe('what a file of ours says of its values', () => {
  it('in the metrics for a manifest is what the values say', () => {
    console.log(`parquet statistics: ${count} cases, MOULIN_SEED=${seed}`)
    for (const each of randomCases(count)) {
      const { file } = write(ours, each, new Dice(1))
      for (const leaf of leafSlots(each.schema, each.table, 0, each.rowCount)) {
        const { nullCount, nanCount, least, greatest } = slotBounds(leaf.type, leaf.slots)
        const metrics = file.metrics.get(leaf.id)
        // A file without rows has nothing to say.
        if (each.rowCount === 0 && metrics === undefined) continue
        if (metrics === undefined) throw new Error(`No metrics of ${leaf.path}`)
        const isFloat = leaf.type === 'float' || leaf.type === 'double'
        const bounds = leaf.isRepeated ? [null, null] : [least, greatest]
        const stated = [metrics.lower, metrics.upper].map((value) => plainMetric(leaf.type, value))
        const topBits = leaf.type === 'uuid' && !leaf.isRepeated ? topBitsOf(leaf.slots) : 0
        expect({ ...metrics, lower: stated[0], upper: stated[1] }, leaf.path).toEqual({
          sizeBytes: expect.any(Number) as number,
          valueCount: leaf.slots.length,
          nullCount,
          ...(isFloat ? { nanCount } : {}),
          ...(topBits === 0 ? {} : { topBits }),
          lower: bounds[0],
          upper: bounds[1],
        })
      }
      expect(file.rowGroups.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(each.rowCount)
    }
  })

  it('in the footer is what the values say, cut only where it must be', async () => {
    for (const each of randomCases(count)) {
      const file = await openParquet(bytesRangeReader(write(ours, each).bytes, 'footer.parquet'))
      const limit = each.options.boundBytes ?? 64
      for (const { firstRow, rowCount, bounds } of file.rowGroups) {
        for (const { id, path, type, slots } of leafSlots(each.schema, each.table, firstRow, firstRow + rowCount)) {
          const actual = slotBounds(type, slots)
          const { min, max, nullCount } = bounds(id, type)
          expect(nullCount, path).toBe(actual.nullCount)
          for (const [side, value] of [
            ['min', min],
            ['max', max],
          ] as const) {
            const stated = plainMetric(type, value)
            const exact = actual[side]
            const where = `${side} of ${path}: ${String(stated)}, not ${String(exact)}`
            if (type !== 'string' && type !== 'binary') expect(stated, where).toBe(exact)
            else if (exact === null || (exact as string).length <= 2 * limit) expect(stated, where).toBe(exact)
            else expect(boundHolds(type, side, stated, exact), where).toBe(true)
          }
        }
      }
    }
  })

  it('in the column index is what the rows of each page say', async () => {
    let compared = 0
    for (const each of randomCases(count))
      compared += await expectPageBounds(write(ours, each).bytes, each.schema, each.table)
    expect(compared).toBeGreaterThan(count)
  })

  it('in the offset index is where the pages lie', () => {
    for (const each of randomCases(count)) {
      const bytes = new Uint8Array(write(ours, each).bytes)
      const view = new DataView(bytes.buffer)
      const { pages } = mapFile(bytes)
      for (const { columns } of parquetMetadata(bytes.buffer).row_groups) {
        for (const column of columns) {
          const { page_locations } = readOffsetIndex({ view, offset: Number(column.offset_index_offset) })
          const from = Number(column.meta_data!.data_page_offset)
          const first = pages.findIndex(({ headerStart }) => headerStart === from)
          const own = pages.slice(first, first + page_locations.length)
          expect(
            page_locations.map(({ offset, compressed_page_size }) => [Number(offset), compressed_page_size]),
          ).toEqual(own.map(({ headerStart, bodyEnd }) => [headerStart, bodyEnd - headerStart]))
          const values = own.map(({ numbers }) => {
            const number = numbers.find(({ path }) => path.length === 2 && path[1] === 1)!
            return Number(unzigzag(varintAt(bytes, number)))
          })
          expect(values.reduce((sum, each) => sum + each, 0)).toBe(Number(column.meta_data!.num_values))
          // Of a flat column, the values before a page are the rows before it.
          if (column.meta_data!.path_in_schema.length > 1) continue
          let rows = 0
          for (const [i, { first_row_index }] of page_locations.entries()) {
            expect(Number(first_row_index)).toBe(rows)
            rows += values[i]!
          }
        }
      }
    }
  })

  it('in the size statistics is how many slots have each level, and how long the bytes are', () => {
    for (const each of randomCases(count)) {
      const bytes = new Uint8Array(write(ours, each).bytes)
      let start = 0
      for (const group of parquetMetadata(bytes.buffer).row_groups) {
        const end = start + Number(group.num_rows)
        for (const [index, leaf] of leafSlots(each.schema, each.table, start, end).entries()) {
          const { size_statistics: sizes } = group.columns[index]!.meta_data!
          const numbers = (levels: readonly (number | bigint)[] | undefined): number[] | undefined =>
            levels?.map(Number)
          if (leaf.type === 'string' || leaf.type === 'binary') {
            const length = leaf.slots.reduce<number>((sum, slot) => sum + ((slot as string | null)?.length ?? 0) / 2, 0)
            expect(Number(sizes?.unencoded_byte_array_data_bytes), leaf.path).toBe(length)
          }
          // A histogram of one level says nothing, and may be left out.
          if (leaf.repetition.length > 1)
            expect(numbers(sizes?.repetition_level_histogram), leaf.path).toEqual(leaf.repetition)
          if (leaf.definition.length > 1)
            expect(numbers(sizes?.definition_level_histogram), leaf.path).toEqual(leaf.definition)
        }
        start = end
      }
    }
  })

  it.each(styles)('is what DuckDB makes of it: values %s', async (style) => {
    for (const nulls of [0, 0.1, 1]) {
      const each = flatCase(style, nulls, { pageBytes: 500, columnIndexes: 'all' })
      const path = duckdbPath()
      await writeFile(path, write(ours, each).bytes)
      const connection = await duckdbConnection()
      const reader = await connection.runAndReadAll(
        `select row_group_id, path_in_schema, num_values, stats_null_count, stats_min_value, stats_max_value from parquet_metadata('${path}')`,
      )
      await unlink(path)
      const rows = reader.getRowObjects()
      expect(rows).toHaveLength(2 * shown.length)
      for (const row of rows) {
        const index = each.schema.fields.findIndex(({ name }) => name === row['path_in_schema'])
        const type = shown[index]!
        const group = Number(row['row_group_id'])
        const slots = each.table[index]!.slice(group * 300, group * 300 + 300)
        const actual = slotBounds(type, slots)
        expect(Number(row['num_values'])).toBe(slots.length)
        expect(Number(row['stats_null_count']), type).toBe(actual.nullCount)
        if (type !== 'int' && type !== 'long') continue
        expect([row['stats_min_value'], row['stats_max_value']]).toEqual([actual.min, actual.max])
      }
    }
  })
})

/** The value of a bloom filter's question. */
function metricOf(type: string, value: Plain): MetricValue {
  return type === 'int'
    ? Number(value)
    : type === 'long'
      ? BigInt(value as string)
      : Buffer.from(value as string, 'hex')
}

describe('bloom filters', () => {
  it('of ours let no value go missing, for DuckDB and for us, and leave out most others', async () => {
    const kinds = ['int', 'long', 'string', 'binary'] as const
    const fields = kinds.map((type, i) => ({ id: i + 1, name: `f${i}`, type, required: false }))
    const table = fields.map((field) => columnValues(field, 300, 'random', 0.1, new Dice(field.id)))
    const bloomFilters = Object.fromEntries(fields.map(({ name }) => [name, { fpp: 0.01 }]))
    const batches = [{ rows: 300, ends: true }]
    const { bytes } = write(ours, {
      schema: { type: 'struct', fields },
      table,
      rowCount: 300,
      options: { bloomFilters },
      batches,
    })
    const file = await openParquet(bytesRangeReader(bytes, 'bloom.parquet'))
    const path = duckdbPath()
    await writeFile(path, bytes)
    const connection = await duckdbConnection()
    for (const [index, { id, type }] of fields.entries()) {
      const present = [...new Set(table[index]!.filter((value) => value !== null))]
      for (const value of present)
        expect(
          await file.mightContain({ rowGroup: 0, fieldId: id, value: metricOf(type, value) }),
          `${type} ${String(value)}`,
        ).toBe(true)
      const others = columnValues({ ...fields[index]!, required: true }, 400, 'random', 0, new Dice(99)).filter(
        (value) => value !== null && !present.includes(value),
      )
      let passed = 0
      for (const value of others)
        if (await file.mightContain({ rowGroup: 0, fieldId: id, value: metricOf(type, value) })) passed++
      expect(passed, type).toBeLessThan(others.length * 0.1)
      if (type !== 'int' && type !== 'long') continue
      for (const value of present.slice(0, 50)) {
        const probe = `select bloom_filter_excludes from parquet_bloom_probe('${path}', 'f${index}', ${String(value)}::${type === 'int' ? 'int' : 'bigint'})`
        const rows = (await connection.runAndReadAll(probe)).getRowObjects()
        expect(rows).toEqual([{ bloom_filter_excludes: false }])
      }
    }
    await unlink(path)
  })

  it('of parquet-java let no value go missing', async () => {
    const { bytes, fields, table } = javaFixtures().find(({ name }) => name === 'java-v1-plain-gzip')!
    const file = await openParquet(bytesRangeReader(bytes, 'java.parquet'))
    const at = fields.findIndex(({ name }) => name === 'name')
    const fieldId = fields[at]!.id
    for (const value of table[at]!)
      if (value !== null)
        expect(await file.mightContain({ rowGroup: 0, fieldId, value: Buffer.from(value as string, 'hex') })).toBe(true)
    let passed = 0
    for (let i = 0; i < 200; i++)
      if (await file.mightContain({ rowGroup: 0, fieldId, value: Buffer.from(`absent ${i}`) })) passed++
    expect(passed).toBeLessThan(40)
    expect(leaves({ type: 'struct', fields })).toContainEqual(expect.objectContaining({ id: fieldId, type: 'string' }))
  })
})
