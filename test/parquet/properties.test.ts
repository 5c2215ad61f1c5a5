import { bytesRangeReader, openParquet } from '@moulin/format'
import { hyparquetWriter, verifyFile } from '@moulin/format/second-opinion'
import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type Case, primitives, write } from './cases.ts'
import { Dice, runs, runSeed } from './dice.ts'
import { expectTable, fromColumn } from './plain.ts'
import { caseOf, describeCase, type Draw, draws } from './random-case.ts'
import { closeDuckDb } from './read-with-duckdb.ts'
import { inDuckDb, oracles, ourTable } from './readers.ts'
import { ours } from './writers.ts'

afterAll(closeDuckDb)

const seed = runSeed()
vi.setConfig({ testTimeout: 600_000 })
const count = runs(200, 2000, 30_000)
console.log(`parquet properties: ${count} cases, MOULIN_SEED=${seed}`)

/** Runs the check on random files; a failure tells the seed, the draw that it shrank to and the file's make-up. */
async function forAll(
  arbitrary: fc.Arbitrary<Draw>,
  numRuns: number,
  plainOptions: boolean,
  check: (each: Case, draw: Draw) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(arbitrary, async (draw) => {
    const each = caseOf(draw, plainOptions)
    try {
      await check(each, draw)
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${describeCase(each)}`, { cause: error })
    }
  })
  await fc.assert(property, { seed, numRuns, endOnFailure: numRuns > 10_000 })
}

const secondWriter = await hyparquetWriter()
const oracleNames = ['hyparquet', 'parquet-wasm', 'duckdb'] as const

describe('Parquet files with random schemas and values', () => {
  it('are read back equal by us and by one of hyparquet, parquet-rs and DuckDB in turn', async () => {
    await forAll(draws(), count, false, async (each, draw) => {
      const { fields } = each.schema
      const { bytes } = write(ours, each, new Dice(draw.seed))
      expectTable(fields, each.table, await ourTable(bytes, fields), 'we read')
      const oracle = oracleNames[draw.seed % oracleNames.length]!
      const shown = oracle === 'duckdb' ? inDuckDb(each) : fields
      const expected = each.table.filter((_, index) => shown.includes(fields[index]!))
      if (shown.length > 0) expectTable(shown, expected, await oracles[oracle](bytes, shown), `${oracle} reads`)
    })
  })

  it('are verified: no value differs, and all are compared', async () => {
    await forAll(draws(), count / 5, false, async (each, draw) => {
      const { bytes } = write(ours, each, new Dice(draw.seed))
      const verdict = await verifyFile(bytesRangeReader(bytes, 'drawn.parquet'))
      const values = each.table.reduce((sum, { length }) => sum + length, 0)
      expect(verdict).toMatchObject({ rows: each.rowCount, values, differences: [], unread: [] })
    })
  })

  it('are the same bytes when they are written again, whatever lies in the slots of nulls', async () => {
    await forAll(draws(), count / 10, false, async (each, draw) => {
      const [one, two] = [write(ours, each, new Dice(draw.seed)), write(ours, each, new Dice(draw.seed + 1))]
      expect(Buffer.compare(one.bytes, two.bytes)).toBe(0)
      expect(one.file.metrics).toEqual(two.file.metrics)
      await Promise.resolve()
    })
  })

  it('give every range of rows and every choice of columns as the whole file has them', async () => {
    await forAll(draws(), count / 5, false, async (each, draw) => {
      const { fields } = each.schema
      const { bytes } = write(ours, each)
      const file = await openParquet(bytesRangeReader(bytes, 'slices.parquet'))
      const dice = new Dice(draw.seed)
      for (const [rowGroup, { rowCount, firstRow }] of file.rowGroups.entries()) {
        for (let times = 0; times < 6; times++) {
          const start = dice.below(rowCount + 1)
          const end = dice.chance(0.5) ? Math.min(rowCount, start + dice.below(3)) : dice.between(start, rowCount)
          const wanted = fields.filter(() => dice.chance(0.6))
          const fieldIds = wanted.map(({ id }) => id)
          const batch = await file.read({ rowGroup, types: fields, fieldIds, rows: { start, end } })
          const got = wanted.map(({ type }, index) => fromColumn(type, batch.columns[index]!.column))
          const want = wanted.map((field) => each.table[fields.indexOf(field)]!.slice(firstRow + start, firstRow + end))
          expectTable(wanted, want, got, `rows ${start} to ${end} of row group ${rowGroup}:`)
        }
      }
    })
  })

  it('of hyparquet-writer are read equal by us', async () => {
    await forAll(
      draws({ kinds: primitives.filter((kind) => !kind.endsWith('_ns')) }),
      count / 5,
      true,
      async (each, draw) => {
        const { fields } = each.schema
        // It writes no maps.
        if (JSON.stringify(fields).includes('"map"')) return
        const { bytes } = write(secondWriter, each, new Dice(draw.seed))
        expectTable(fields, each.table, await ourTable(bytes, fields))
      },
    )
  })
})
