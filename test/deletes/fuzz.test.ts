/** Damaged files of deletes: what is deleted is what it was, or an error of ours says why nobody knows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runs, runSeed } from '../parquet/dice.ts'
import { fuzzRun } from '../support/fuzz-run.ts'

const script = fileURLToPath(new URL('./fuzz-lane.ts', import.meta.url))
const seed = runSeed()
const inputs = runs(2000, 10_000, 200_000)

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'moulin-deletes-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

it('are understood or refused, soon, in little memory, and never wrong where a checksum is right', async () => {
  console.log(`deletes fuzz: ${inputs} inputs, MOULIN_SEED=${seed}`)
  const { understood, errors, refused, slowestMillis, slowest, flaws } = await fuzzRun({ script, folder, seed, inputs })
  expect(flaws).toEqual([])
  console.log(
    `deletes fuzz: ${understood} understood, refused: ${JSON.stringify(errors)}; slowest ${slowestMillis} ms, ${slowest}`,
  )
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0)
  // One in which nothing is understood, or nothing refused, looks at nothing.
  expect(understood + failed).toBe(inputs)
  expect(understood).toBeGreaterThan(inputs / 50)
  expect(refused).toBeGreaterThan(inputs / 20)
  for (const error of ['corrupt ROARING', 'corrupt DELETION_VECTOR']) expect(errors[error]).toBeGreaterThan(inputs / 50)
}, 3_600_000)
