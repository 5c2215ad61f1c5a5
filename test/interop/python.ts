import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { made } from './cache.ts'

const run = promisify(execFile)
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/**
 * A Python of our own with the pinned engines, made on first use. Its folder in the cache carries the pins: other pins, other
 * folder. Only its `bin/python` may be run: scripts beside it name the folder in which it was made.
 */
export async function python(requirements = here('requirements.txt')): Promise<string> {
  const venv = await made('python', await readFile(requirements, 'utf8'), async (folder) => {
    await run('python3', ['-m', 'venv', folder])
    const install = ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]
    await run(join(folder, 'bin/python'), install, { maxBuffer: 1 << 26 })
  })
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
