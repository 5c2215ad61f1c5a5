/**
 * Plants each bug of the list, each in a run of its own, and demands that the tests named beside it fail. A bug that no test
 * catches fails the run, and so does a patch point that the source no longer has.
 *
 *     npm run test:mutants [-- NAME … | --foreign]
 *
 * CI has time for every third of them, others every day (`MOULIN_CI`).
 * Those that the tests of foreign engines catch take minutes each, and are planted with `--foreign` or by name only.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { mutants } from './mutants.ts'
import type { Mutant } from './mutants.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
// Not through npx, which takes a second of its own.
const vitest = fileURLToPath(new URL('node_modules/vitest/vitest.mjs', new URL('../../', import.meta.url)))
const wanted = process.argv.slice(2)
const isForeign = ({ caughtBy }: Mutant): boolean => caughtBy.every((file) => file.startsWith('test/foreign/'))
const isChosen = (mutant: Mutant): boolean =>
  wanted.includes('--foreign')
    ? isForeign(mutant)
    : wanted.length === 0
      ? !isForeign(mutant)
      : wanted.includes(mutant.name)
const day = Math.floor(Date.now() / 86_400_000)
const isOfToday = (at: number): boolean => process.env['MOULIN_CI'] === undefined || (at + day) % 3 === 0
const chosen = mutants.filter(isChosen).filter((_, at) => wanted.length > 0 || isOfToday(at))
let caught = 0
const waiting = chosen.values()
// One a core: a hunt spends half of its time in starting.
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (const mutant of waiting) {
      const verdict = await hunt(mutant)
      if (verdict === 'caught') caught++
      console.log(
        `${verdict === 'caught' ? 'caught' : 'NOT CAUGHT'}  ${mutant.name}${verdict === 'caught' ? '' : `: ${verdict}`}`,
      )
    }
  }),
)
console.log(`mutants: ${caught} passed, ${chosen.length - caught} failed`)
process.exitCode = caught === chosen.length && chosen.length > 0 ? 0 : 1

async function hunt(mutant: Mutant): Promise<string> {
  const missing = mutant.caughtBy.find((file) => !existsSync(root + file))
  if (missing !== undefined) return `there is no ${missing}`
  // Without the many cases of CI: few must do.
  const lane = isForeign(mutant) ? { MOULIN_INTEROP: '1' } : {}
  const env = {
    ...process.env,
    ...lane,
    MOULIN_MUTANT: mutant.name,
    MOULIN_TEST_REPORT: undefined,
    MOULIN_CI: undefined,
  }
  const child = spawn(process.execPath, [vitest, 'run', '--bail=1', ...mutant.caughtBy], { cwd: root, env })
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (output += String(chunk)))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (output.includes('MUTANT NOT PLANTED')) return 'its patch point is gone'
  if (code === 0) return 'all its tests pass'
  return /\b(FAIL|failed|timed out)\b/i.test(output) ? 'caught' : `vitest ended with ${code}:\n${output.slice(-2000)}`
}
