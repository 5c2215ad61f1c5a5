/** Damaged files of deletes: what is deleted is what it was, or an error of ours says why nobody knows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runs, runSeed } from '../parquet/dice.ts'
import { watchedLane } from '../support/watched-lane.ts'
import type { DeletesReport } from './fuzz-lane.ts'

const script = fileURLToPath(new URL('./fuzz-lane.ts', import.meta.url))
const seed = runSeed()
const inputs = runs(2000, 20_000, 200_000)
/** Inputs of one process: a leak across them would show in its peak. */
const share = 2500

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'moulin-deletes-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

it('are understood or refused, soon, in little memory, and never wrong where a checksum is right', async () => {
  console.log(`deletes fuzz: ${inputs} inputs, MOULIN_SEED=${seed}`)
  const errors: Record<string, number> = {}
  let [masks, refused, slowest, next] = [0, 0, 0, 0]
  const lanes = async (): Promise<void> => {
    while (next < inputs) {
      const from = next
      next += share
      const report = await watchedLane<DeletesReport>(script, folder, [seed, from, Math.min(share, inputs - from)])
      expect(report.flaws).toEqual([])
      masks += report.masks
      refused += report.refused
      slowest = Math.max(slowest, report.slowestMillis)
      for (const [error, count] of Object.entries(report.errors)) errors[error] = (errors[error] ?? 0) + count
    }
  }
  await Promise.all([lanes(), lanes()])
  console.log(`deletes fuzz: ${masks} understood, slowest ${slowest} ms, refused: ${JSON.stringify(errors)}`)
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0)
  // One in which nothing is understood, or nothing refused, looks at nothing.
  expect(masks + failed).toBe(inputs)
  expect(masks).toBeGreaterThan(inputs / 50)
  expect(refused).toBeGreaterThan(inputs / 20)
  for (const error of ['corrupt ROARING', 'corrupt DELETION_VECTOR']) expect(errors[error]).toBeGreaterThan(inputs / 50)
}, 3_600_000)
