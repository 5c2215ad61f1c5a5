import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cacheFolder, python } from './python.ts'

const run = promisify(execFile)
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** A folder in the cache that `make` fills once; another `recipe`, another folder. */
async function made(name: string, recipe: string, make: (folder: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256').update(recipe).digest('hex').slice(0, 12)
  const folder = join(cacheFolder(), `interop-${name}-${hash}`)
  const done = join(folder, '.done')
  if (!existsSync(done)) {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await make(folder)
    await writeFile(done, '')
  }
  return folder
}

/** Maven, as the machine has it; what it prints is said only when it fails. */
const maven = (...args: string[]): Promise<unknown> => run('mvn', ['-q', '-B', ...args], { maxBuffer: 1 << 26 })

export interface RestCatalog {
  /** Of an Iceberg REST catalog. */
  readonly uri: string
  stop(): Promise<void>
}

/** Apache's REST fixture over a folder of tables: see rest-fixture/FolderCatalog.java. Needs Java 17 and Maven. */
export async function restCatalog(folder: string): Promise<RestCatalog> {
  const [pom, program] = [here('rest-fixture/pom.xml'), here('rest-fixture/FolderCatalog.java')]
  const recipe = (await readFile(pom, 'utf8')) + (await readFile(program, 'utf8'))
  const home = await made('rest-fixture', recipe, async (into) => {
    const libs = `-DoutputDirectory=${join(into, 'libs')}`
    await maven('-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', libs)
    await run('javac', ['-nowarn', '-cp', join(into, 'libs/*'), '-d', join(into, 'classes'), program])
  })
  const classes = `${join(home, 'classes')}:${join(home, 'libs/*')}`
  const options = ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classes]
  const java = spawn('java', [...options, 'org.apache.iceberg.rest.FolderCatalog', `file://${folder}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => java.once('exit', () => resolve()))
  const port = new Promise<string>((resolve) => java.stdout.once('data', (text) => resolve(String(text).trim())))
  const started = await Promise.race([port, ended])
  if (started === undefined) throw new Error('The REST fixture ended before it listened.')
  return {
    uri: `http://127.0.0.1:${started}`,
    async stop() {
      java.stdin.end()
      await ended
    },
  }
}

/** Rows of a statement, every value as text; or why it failed. */
export type Answer = readonly (readonly string[])[] | { readonly error: string }

/** Runs SQL with DuckDB: see write_with_duckdb.py. */
export async function duckdbSql(uri: string, statements: readonly string[]): Promise<readonly Answer[]> {
  return sql(await python(), [here('write_with_duckdb.py'), uri], statements)
}

// Spark frees the vectors of a batch after its rows since 3.5.4, and this Iceberg goes on to write into them: the process
// dies over any table of more than one batch, its own too.
const ICEBERG = 'org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.6.1'

/** Runs SQL with Spark 3.5.3 and Iceberg 1.6.1: see run_spark.py. */
export async function sparkSql(folder: string, statements: readonly string[]): Promise<readonly Answer[]> {
  const jars = await made('spark', ICEBERG, async (into) => {
    await maven('dependency:copy', `-Dartifact=${ICEBERG}`, `-DoutputDirectory=${into}`)
  })
  const [, name, version] = ICEBERG.split(':')
  const args = [here('run_spark.py'), join(jars, `${name}-${version}.jar`), folder]
  return sql(await python('requirements-spark.txt'), args, statements)
}

async function sql(
  program: string,
  args: readonly string[],
  statements: readonly string[],
): Promise<readonly Answer[]> {
  const running = run(program, args, { maxBuffer: 1 << 28 })
  running.child.stdin!.end(JSON.stringify(statements))
  const { stdout } = await running
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Answer[]
}
