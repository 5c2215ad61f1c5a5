import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** What is installed for tests: `MOULIN_CACHE_DIR` when that is set, else below `.cache/`. */
export function cacheFolder(): string {
  return process.env['MOULIN_CACHE_DIR'] ?? here('../../.cache')
}

/**
 * A Python of our own with the pinned engines, made on first use. It lies in `MOULIN_CACHE_DIR` when that is set, so
 * that a clean checkout need not install again, else below `.cache/`. Its name carries the pins: other pins, other folder.
 */
export async function python(requirements = here('requirements.txt')): Promise<string> {
  const pins = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12)
  const cache = cacheFolder()
  const venv = join(cache, `interop-python-${pins}`)
  const done = join(venv, '.done')
  if (!existsSync(done)) {
    await mkdir(cache, { recursive: true })
    await run('python3', ['-m', 'venv', '--clear', venv])
    await run(join(venv, 'bin/pip'), ['install', '--quiet', '--requirement', requirements], { maxBuffer: 1 << 26 })
    await writeFile(done, '')
  }
  return join(venv, 'bin/python')
}

export type Engine = 'pyiceberg' | 'duckdb' | 'arrow' | 'arrow-duckdb'

/** The rows of the table in a folder, or the Arrow stream in a file, as `engine` sees them: see read_table.py for the form. */
export async function readTable(engine: Engine, place: string): Promise<{ names: string[]; rows: unknown[][] }> {
  const { stdout } = await run(await python(), [here('read_table.py'), engine, place], { maxBuffer: 1 << 28 })
  const [names, ...rows] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown[])
  return { names: names as string[], rows }
}

/** Lets PyIceberg apply each spec's transform to every row and compare it with the partition of the row's file. */
export async function checkPartitions(folder: string): Promise<{ wrong: string[]; rows: number }> {
  const { stdout } = await run(await python(), [here('check_partitions.py'), folder], { maxBuffer: 1 << 28 })
  return JSON.parse(stdout) as { wrong: string[]; rows: number }
}
