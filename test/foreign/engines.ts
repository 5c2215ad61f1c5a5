/** Engines of others, each installed into the cache on first use, each a process that this one starts and ends. */
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { made } from '../interop/cache.ts'
import { python } from '../interop/python.ts'

const run = promisify(execFile)
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Maven, as the machine has it; what it prints is said only when it fails. */
const maven = (...args: string[]): Promise<unknown> => run('mvn', ['-q', '-B', ...args], { maxBuffer: 1 << 26 })

/** Ends a process that ends with its input, and waits for it. */
async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (child.exitCode !== null || child.signalCode !== null) return
  child.stdin!.end()
  await exit
}

/** For a process that lives for some minutes. */
export const javaBrief = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

export interface RestCatalog {
  /** Of an Iceberg REST catalog. */
  readonly uri: string
  stop(): Promise<void>
}

/**
 * Apache's REST fixture, without tables: see rest-fixture/RegisteredTables.java. `warehouse` is the URI of the folder that tables are made
 * in; without it none can be. Needs Java 17 and Maven.
 * @param files Properties of Iceberg's `S3FileIO`, for a warehouse in S3.
 */
export async function restCatalog(warehouse?: string, files?: Readonly<Record<string, string>>): Promise<RestCatalog> {
  const [pom, program] = [here('rest-fixture/pom.xml'), here('rest-fixture/RegisteredTables.java')]
  const recipe = (await readFile(pom, 'utf8')) + (await readFile(program, 'utf8'))
  const home = await made('rest-fixture', recipe, async (into) => {
    const libs = `-DoutputDirectory=${join(into, 'libs')}`
    await maven('-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', libs)
    await run('javac', ['-nowarn', '-cp', join(into, 'libs/*'), '-d', join(into, 'classes'), program])
  })
  const sdk = files === undefined ? [] : [await javaSdkOfS3()]
  const classes = [join(home, 'classes'), join(home, 'libs/*'), ...sdk].join(':')
  const properties = Object.entries(files === undefined ? {} : { 'io-impl': S3_FILE_IO, ...files })
  const named = warehouse === undefined ? [] : [warehouse, ...properties.map(([name, value]) => `${name}=${value}`)]
  const options = [...javaBrief, '-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classes]
  const java = spawn('java', [...options, 'org.apache.iceberg.rest.RegisteredTables', ...named], {
    stdio: ['pipe', 'pipe', process.env['MOULIN_ENGINES_LOUD'] ? 'inherit' : 'ignore'],
  })
  const port = new Promise<string>((resolve) => java.stdout.once('data', (text) => resolve(String(text).trim())))
  const gone = new Promise<undefined>((resolve) => java.once('exit', () => resolve(undefined)))
  const started = await Promise.race([port, gone])
  if (started === undefined) throw new Error('The REST fixture ended before it listened.')
  return { uri: `http://127.0.0.1:${started}`, stop: () => ended(java) }
}

const S3_FILE_IO = 'org.apache.iceberg.aws.s3.S3FileIO'

/** What `S3FileIO` stands on: 64 MB, which nobody needs whose tables lie in a folder. */
async function javaSdkOfS3(): Promise<string> {
  const artifact = 'org.apache.iceberg:iceberg-aws-bundle:1.11.0'
  const folder = await made('aws-bundle', artifact, async (into) => {
    await maven('dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${into}`)
  })
  return join(folder, '*')
}

/** What an engine says that does not do as it was told. Whether that is its fault is another question. */
export function engineError(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { name: 'EngineError' })
}

/** Rows of a statement, every value as text. */
export type Rows = readonly (readonly string[])[]

/** An engine that takes SQL, one statement after the other. */
export interface SqlEngine {
  /** @throws Error with what the engine says of the statement. */
  sql(statement: string): Promise<Rows>
  stop(): Promise<void>
}

/** DuckDB over a REST catalog: see duckdb_sql.py. */
export async function duckdb(uri: string): Promise<SqlEngine> {
  const { sql, stop } = engine(await python(), [here('duckdb_sql.py'), uri])
  return { sql, stop }
}

// Spark frees the vectors of a batch after its rows since 3.5.4, and Iceberg before 1.10 goes on to write into them: the
// process dies over any table of more than one batch, its own too. So 3.5.3 is the last Spark that reads with both.
const sparks = {
  '3.5.3': { requirements: 'requirements-spark.txt', runtime: 'iceberg-spark-runtime-3.5_2.12' },
  '4.1.4': { requirements: 'requirements-spark-4.1.txt', runtime: 'iceberg-spark-runtime-4.1_2.13' },
} as const

export interface SparkOptions {
  /** Default 3.5.3. 4.1.4 knows all of format 3. */
  readonly version?: keyof typeof sparks
  /** Version of `iceberg-spark-runtime`. */
  readonly iceberg: string
  /** Of tables opened by their path. */
  readonly folder?: string
  /** Of a REST catalog, whose tables are then the catalog `lake`. */
  readonly uri?: string
  /** Many statements about small tables: nothing is compiled that is hardly ever run twice. */
  readonly isBrief?: boolean
  /**
   * Files are read row by row: where a column was widened, the reader of whole batches takes the memory of the file before, which is that of
   * the narrower type, and fails.
   */
  readonly isRowByRow?: boolean
}

const rowByRow = { 'spark.sql.iceberg.vectorization.enabled': 'false' }

const brief = {
  'spark.driver.extraJavaOptions': javaBrief.join(' '),
  'spark.sql.codegen.wholeStage': 'false',
}

/** What Spark is told of a REST catalog, by name. */
export function lakeOf(uri: string, name = 'lake'): Readonly<Record<string, string>> {
  const lake = `spark.sql.catalog.${name}`
  return {
    [lake]: 'org.apache.iceberg.spark.SparkCatalog',
    [`${lake}.type`]: 'rest',
    [`${lake}.uri`]: uri,
    [`${lake}.io-impl`]: 'org.apache.iceberg.hadoop.HadoopFileIO',
    // Else Spark does not see for half a minute what others commit.
    [`${lake}.cache-enabled`]: 'false',
  }
}

export interface Spark extends SqlEngine {
  /**
   * Removes what lies under the table's location, is older than so many milliseconds since the epoch and is named by nothing: the
   * procedure of SQL refuses what is younger than a day. @throws Error. Returns the locations.
   */
  removeOrphans(table: string, olderThanMs: number): Promise<readonly string[]>
  /** Begins to read a table as a stream, into a view of that name, with options of Iceberg's stream. It ends with the process. */
  stream(table: string, view: string, options?: Readonly<Record<string, string>>): Promise<void>
  /** Waits until a stream has read what there was when it was asked. @throws Error with what ended it. Returns the number of its batches. */
  streamed(view: string): Promise<number>
}

/** A Spark that is installed: a Python with it, and Iceberg's library for it. */
export async function installedSpark({
  version = '3.5.3',
  iceberg,
}: Pick<SparkOptions, 'version' | 'iceberg'>): Promise<{ readonly program: string; readonly jar: string }> {
  const { requirements, runtime } = sparks[version]
  const artifact = `org.apache.iceberg:${runtime}:${iceberg}`
  const jars = await made('spark', artifact, async (into) => {
    await maven('dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${into}`)
  })
  return { program: await python(here(requirements)), jar: join(jars, `${runtime}-${iceberg}.jar`) }
}

/** Spark: see spark.py. Needs Java 17 and Maven. */
export async function spark({ folder = '/', uri, isBrief, isRowByRow, ...which }: SparkOptions): Promise<Spark> {
  const { program, jar } = await installedSpark(which)
  const settings = {
    ...(uri === undefined ? {} : lakeOf(uri)),
    ...(isBrief === true ? brief : {}),
    ...(isRowByRow === true ? rowByRow : {}),
  }
  const { ask, ...sql } = engine(program, [here('spark.py'), jar, folder, JSON.stringify(settings)])
  return {
    ...sql,
    async removeOrphans(table, olderThanMs) {
      const rows = await ask({ orphans: table, olderThanMs })
      return rows.map(([location]) => location!)
    },
    async stream(table, view, options = {}) {
      await ask({ stream: table, into: view, options })
    },
    async streamed(view) {
      const [[batches]] = (await ask({ await: view })) as [[string]]
      return Number(batches)
    },
  }
}

/** What PyIceberg is to do: see pyiceberg_work.py. */
export interface PyicebergWork {
  readonly append?: readonly object[]
  readonly delete?: string
}

/** Works with PyIceberg. @throws Error with what it says. */
export async function pyiceberg(uri: string, table: string, work: PyicebergWork): Promise<void> {
  const running = run(await python(), [here('pyiceberg_work.py'), uri, table], { maxBuffer: 1 << 26 })
  running.child.stdin!.end(JSON.stringify(work))
  await running.catch((error: unknown) => {
    throw engineError((error as Error).message)
  })
}

export interface Asked extends SqlEngine {
  /** What is no SQL. */
  ask(request: object): Promise<Rows>
}

/** A process that answers each line with a line. */
export function engine(program: string, args: readonly string[]): Asked {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', process.env['MOULIN_ENGINES_LOUD'] ? 'inherit' : 'ignore'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answered = async (request: string | object): Promise<Rows> => {
    const what = typeof request === 'string' ? request : JSON.stringify(request)
    child.stdin.write(`${JSON.stringify(request)}\n`)
    const { done, value } = await lines.next()
    if (done === true) throw engineError(`The engine ended over ${what}`)
    const answer = JSON.parse(value) as Rows | { readonly error: string }
    if ('error' in answer) throw engineError(`${answer.error}\nSQL: ${what}`)
    return answer
  }
  let last: Promise<unknown> = Promise.resolve()
  const ask = (request: string | object): Promise<Rows> => {
    const answer = last.then(() => answered(request))
    last = answer.catch(() => {})
    return answer
  }
  return { ask, sql: ask, stop: () => ended(child) }
}
