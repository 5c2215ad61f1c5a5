import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { columnValues, primitives, write } from './cases.ts'
import { Dice, runs, runSeed } from './dice.ts'
import { javaFixtures, pyarrowFixtures } from './fixtures.ts'
import { rewriteWithDuckDb, rewriteWithRust } from './foreign-writers.ts'
import { inputOf, readCorpus, storeCorpusFile } from './fuzz-corpus.ts'
import { expectTable } from './plain.ts'
import { caseOf } from './random-case.ts'
import { closeDuckDb } from './read-with-duckdb.ts'
import { mappingOf, ourTable } from './readers.ts'
import { ours } from './writers.ts'
import { fuzzRun } from '../support/fuzz-run.ts'

const script = fileURLToPath(new URL('./fuzz-lane.ts', import.meta.url))
const seed = runSeed()
const inputs = runs(500, 10_000, 200_000)

let folder = ''

/** Small files of six writers: of pyarrow and parquet-java from the fixtures, the others made here. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moulin-fuzz-'))
  for (const { name, bytes, fields } of [...javaFixtures(), ...pyarrowFixtures()])
    storeCorpusFile(folder, name, bytes, fields)
  const kinds = primitives.filter((kind) => !kind.startsWith('fixed') && kind !== 'timestamptz_ns')
  // Two without a codec, whose pages reach the decoder however damaged they are.
  for (let i = 0; i < 4; i++) {
    const each = caseOf({ seed: 1000 + i, columns: 4, depth: i, rows: 60, kinds: primitives })
    const codec = i < 2 ? ({ compression: 'none' } as const) : {}
    const options = { ...each.options, ...codec, columnIndexes: 'all', pageChecksums: true } as const
    storeCorpusFile(folder, `ours-${i}`, write(ours, { ...each, options }).bytes, each.schema.fields)
  }
  const dice = new Dice(7)
  const plain = caseOf({ seed: 2, columns: 1, depth: 3, rows: 60, kinds })
  const fields = kinds.map((type, i) => ({ id: i + 1, name: `f${i}`, type, required: false }))
  const table = fields.map((field) => columnValues(field, 60, 'random', 0.1, dice))
  const flat = {
    ...plain,
    schema: { type: 'struct', fields } as const,
    table,
    options: {},
    batches: [{ rows: 60, ends: true }],
  }
  const { bytes } = write(ours, flat)
  storeCorpusFile(folder, 'duckdb-v1', await rewriteWithDuckDb(bytes, fields, 'compression uncompressed'), fields)
  storeCorpusFile(
    folder,
    'duckdb-v2',
    await rewriteWithDuckDb(bytes, fields, 'compression zstd, parquet_version v2'),
    fields,
  )
  const rust = { codec: 'UNCOMPRESSED', dictionary: true } as const
  storeCorpusFile(folder, 'rust-v1', rewriteWithRust(bytes, { ...rust, version: 1 }), fields)
  storeCorpusFile(folder, 'rust-v2', rewriteWithRust(bytes, { ...rust, version: 2, dictionary: false }), fields)
}, 300_000)

afterAll(async () => {
  await closeDuckDb()
  rmSync(folder, { recursive: true })
})

/** Keeps the input, so that it can become a regression test. */
function saved(position: string): string {
  const index = Number(position)
  if (!Number.isInteger(index)) return ''
  const { seed: file, mutant } = inputOf(readCorpus(folder), seed, index)
  const path = join(tmpdir(), `moulin-fuzz-${seed}-${index}.parquet`)
  writeFileSync(path, mutant.bytes)
  return `${file.name}, ${mutant.how}: ${path}`
}

describe('damaged Parquet files', () => {
  it('are refused where a page is not what its checksum says', async () => {
    let refused = 0
    const corpus = readCorpus(folder)
    for (let index = 0; index < 2000 && refused < 100; index++) {
      const {
        seed: { name },
        mutant,
      } = inputOf(corpus, seed, index)
      if (!mutant.mustNotLie) continue
      const { bytes, fields } = corpus.find((each) => each.name === name)!
      const sound = await ourTable(bytes, fields, { nameMapping: mappingOf(fields) })
      const read = await ourTable(mutant.bytes, fields, { nameMapping: mappingOf(fields) }).catch((error: unknown) => {
        expect(error, mutant.how).toMatchObject({
          kind: expect.stringMatching(/corrupt|exhausted|unsupported/) as string,
        })
        refused++
      })
      if (read !== undefined) expectTable(fields, sound, read, `seed ${seed}, input ${index}: ${name}, ${mutant.how}:`)
    }
    expect(refused).toBeGreaterThan(50)
  })

  it('are read as they are or refused, soon, in little memory, and never wrong where a checksum is right', async () => {
    console.log(`parquet fuzz: ${inputs} inputs, MOULIN_SEED=${seed}`)
    const report = await fuzzRun({ script, folder, seed, inputs, told: saved })
    const { understood, refused, slowestMillis, slowest } = report
    for (const { index, file, how, what } of report.flaws)
      console.log(`seed ${seed}, input ${index}: ${file}, ${how}: ${what}\n${saved(String(index))}`)
    expect(report.flaws.map(({ index, file, how, what }) => `${index}, ${file}, ${how}: ${what}`)).toEqual([])
    const errors = Object.values(report.errors).reduce((sum, count) => sum + count, 0)
    console.log(
      `parquet fuzz: ${understood} read, ${errors} refused, ${refused} of them by force; slowest ${slowestMillis} ms, ${slowest}`,
    )
    // A lane in which nothing is read or nothing is refused looks at nothing.
    expect(understood + errors).toBe(inputs)
    expect(understood).toBeGreaterThan(inputs / 50)
    expect(errors).toBeGreaterThan(inputs / 4)
    expect(refused).toBeGreaterThan(inputs / 100)
  }, 3_600_000)
})
