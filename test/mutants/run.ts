/**
 * Plants each bug of the list, each in a run of its own, and demands that a test named beside it fails by its own judgement (judgement.ts).
 * All of these tests pass first without a bug, in the same invocation: what is red by itself catches nothing. A bug that no test
 * catches fails the run, and so does a patch point that the source no longer has.
 *
 *     npm run test:mutants [-- NAME … | --foreign]
 *
 * CI has time for every sixteenth of them, others every day (`MOULIN_CI`).
 * Those that the tests of foreign engines catch take minutes each, and are planted with `--foreign` or by name only.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { noCatch } from './judgement.ts'
import type { TestReport } from './judgement.ts'
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
const isOfToday = (at: number): boolean => process.env['MOULIN_CI'] === undefined || (at + day) % 16 === 0
const chosen = mutants.filter(isChosen).filter((_, at) => wanted.length > 0 || isOfToday(at))
const reports = mkdtempSync(join(tmpdir(), 'moulin-mutants-'))
let caught = 0
try {
  if (await areGreen()) await huntAll()
  console.log(`mutants: ${caught} passed, ${chosen.length - caught} failed`)
  process.exitCode = caught === chosen.length && chosen.length > 0 ? 0 : 1
} finally {
  rmSync(reports, { recursive: true, force: true })
}

/** Whether the tests of all chosen bugs pass as the sources are: those of engines apart, which have a lane of their own. */
async function areGreen(): Promise<boolean> {
  for (const ofEngines of [false, true]) {
    const some = chosen.filter((mutant) => isForeign(mutant) === ofEngines)
    const files = new Set(some.flatMap(({ caughtBy }) => caughtBy).filter((file) => existsSync(root + file)))
    if (files.size === 0) continue
    const { code, output } = await tested([...files], `green-${ofEngines}`, ofEngines)
    if (code === 0) continue
    console.log(`Without a bug the tests fail, so that nothing is to be learned from them:\n${output.slice(-4000)}`)
    return false
  }
  return true
}

async function huntAll(): Promise<void> {
  const waiting = chosen.entries()
  // One a core: a hunt spends half of its time in starting.
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (const [at, mutant] of waiting) {
        const escape = await hunt(mutant, at)
        if (escape === undefined) caught++
        console.log(escape === undefined ? `caught  ${mutant.name}` : `NOT CAUGHT  ${mutant.name}: ${escape}`)
      }
    }),
  )
}

/** How the bug got away; undefined: it was caught. */
async function hunt(mutant: Mutant, at: number): Promise<string | undefined> {
  const missing = mutant.caughtBy.find((file) => !existsSync(root + file))
  if (missing !== undefined) return `there is no ${missing}`
  const { code, output, report } = await tested(mutant.caughtBy, `${at}`, isForeign(mutant), mutant.name)
  if (output.includes('MUTANT NOT PLANTED')) return 'its patch point is gone'
  const escape = noCatch(code, report, isForeign(mutant))
  return escape === undefined || code === 0 ? escape : `${escape}\n${output.slice(-2000)}`
}

interface Tested {
  readonly code: number | null
  readonly output: string
  readonly report: TestReport | undefined
}

async function tested(files: readonly string[], name: string, ofEngines: boolean, bug?: string): Promise<Tested> {
  const path = join(reports, `${name}.json`)
  const env = {
    ...process.env,
    ...(ofEngines ? { MOULIN_INTEROP: '1' } : {}),
    MOULIN_HUNT: '1',
    MOULIN_MUTANT: bug,
    MOULIN_TEST_REPORT: path,
    // Without the many cases of CI: few must do.
    MOULIN_CI: undefined,
  }
  const bail = bug === undefined ? [] : ['--bail=1']
  const child = spawn(process.execPath, [vitest, 'run', ...bail, ...files], { cwd: root, env })
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (output += String(chunk)))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const report = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as TestReport) : undefined
  return { code, output, report }
}
