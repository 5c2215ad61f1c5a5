/** The REST compatibility kit of Apache Iceberg: its CatalogTests, run against any REST catalog. Needs Java 17 and Maven. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { made } from '../cache.ts'

const run = promisify(execFile)
const pom = fileURLToPath(new URL('pom.xml', import.meta.url))
const tests = 'org.apache.iceberg.rest.RESTCompatibilityKitCatalogTests'

export interface KitRun {
  /** Of a REST catalog that has none of the kit's namespaces. */
  readonly uri: string
  /** Methods to leave out. */
  readonly without?: readonly string[]
  /** Methods to run; default: all. */
  readonly only?: readonly string[]
  /** Names with dots are names like others: of a catalog that makes no folders of them. */
  readonly hasDots?: boolean
}

export interface KitResult {
  /** As JUnit names them: a method, with its parameters where it has some. */
  readonly passed: readonly string[]
  readonly failed: readonly KitFailure[]
  readonly skipped: readonly string[]
}

export interface KitFailure {
  readonly name: string
  readonly message: string
}

/** What the kit is to know of this server: namespaces come before their tables, and a table lies where its name says. */
const settings = {
  'rck.local': 'false',
  'rck.requires-namespace-create': 'true',
  'rck.supports-serverside-retry': 'true',
  'rck.overrides-requested-location': 'true',
  'org.slf4j.simpleLogger.defaultLogLevel': 'off',
}

export async function runKit({ uri, without = [], only = [], hasDots = false }: KitRun): Promise<KitResult> {
  const libs = await installedKit()
  const reports = await mkdtemp(join(tmpdir(), 'moulin-kit-'))
  const methods = (option: string, names: readonly string[]): readonly string[] =>
    names.length === 0 ? [] : [option, `.*#(${names.join('|')})(\\(.*)?`]
  const java = [
    ...['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx512m'],
    ...Object.entries({ ...settings, uri, 'rck.supports-names-with-dot': String(hasDots) }).map(
      ([name, value]) => `-D${name}=${value}`,
    ),
    ...['-cp', join(libs, '*'), 'org.junit.platform.console.ConsoleLauncher', 'execute', '--select-class', tests],
    ...['--include-classname', '.*', ...methods('--include-methodname', only)],
    ...methods('--exclude-methodname', without),
    ...['--config', 'rck.local=false', '--details', 'none', '--disable-banner', '--reports-dir', reports],
  ]
  try {
    // Its status says that some failed, which the reports do, too.
    const ended = await run('java', java, { maxBuffer: 1 << 28 }).catch((error: unknown) => error as { stderr: string })
    const files = (await readdir(reports)).filter((name) => name.endsWith('.xml'))
    const texts = await Promise.all(files.map((name) => readFile(join(reports, name), 'utf8')))
    const result = resultIn(texts.join('\n'))
    const { passed, failed, skipped } = result
    if (passed.length + failed.length + skipped.length === 0) throw new Error(`The kit ran no test: ${ended.stderr}`)
    return result
  } finally {
    await rm(reports, { recursive: true })
  }
}

function installedKit(): Promise<string> {
  return readFile(pom, 'utf8').then((recipe) =>
    made('rest-kit', recipe, async (into) => {
      const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${into}`]
      await run('mvn', ['-q', '-B', '-f', pom, ...copy], { maxBuffer: 1 << 26 })
    }),
  )
}

/** Of reports in JUnit's XML. */
function resultIn(xml: string): KitResult {
  const passed: string[] = []
  const failed: KitFailure[] = []
  const skipped: string[] = []
  for (const [, attributes, , inside = ''] of xml.matchAll(/<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const name = attributeIn(attributes!, 'name') ?? '?'
    const fault = /<(?:failure|error)([^>]*)>/.exec(inside)
    if (fault !== null)
      failed.push({ name, message: attributeIn(fault[1]!, 'message') ?? attributeIn(fault[1]!, 'type') ?? '' })
    else if (inside.includes('<skipped')) skipped.push(name)
    else passed.push(name)
  }
  return { passed, failed, skipped }
}

function attributeIn(text: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(text)?.[1]
  return value
    ?.replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replace(/&#\d+;/g, ' ')
}
