/** What is known of the operations of other engines: the file that the long lane writes, and the page that is made of it. */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { copies, operations, rewritten, rollback, rowLevel } from './operations.ts'

const file = fileURLToPath(new URL('engine-results.json', import.meta.url))
export const page = fileURLToPath(new URL('../../docs/engines.md', import.meta.url))

export interface EngineResult {
  readonly operation: string
  /** `right`, `not right`, or `refused` and by which code. */
  readonly verdict: string
  /** Of a read of all that the table holds, from the earliest record on; null where it is refused. */
  readonly readPerWanted: number | null
  /** Records a second after it by those before it. */
  readonly speedAfter: number | null
}

export interface EngineResults {
  readonly commit: string
  readonly date: string
  /** Records of a topic. */
  readonly records: number
  readonly versions: Readonly<Record<string, string>>
  readonly results: readonly EngineResult[]
}

/** Every operation that is judged, by the name that it has on the page. */
export const judgedOperations: readonly string[] = [
  ...[...operations, copies, ...rowLevel].map(({ name }) => name),
  ...rowLevel.map(({ name }) => name + rewritten),
  rollback.name,
]

export async function readResults(): Promise<EngineResults> {
  return JSON.parse(await readFile(file, 'utf8')) as EngineResults
}

/** Keeps the results, and writes the page anew. */
export async function keepResults(results: EngineResults): Promise<void> {
  await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`)
  await writeFile(page, pageOf(results))
}

/** @throws where the page says something else of the operation than was seen now. */
export async function expectOnPage(operation: string, verdict: string): Promise<void> {
  const { results } = await readResults()
  const known = results.find((result) => result.operation === operation)?.verdict ?? 'nothing'
  if (known !== verdict)
    throw new Error(
      `docs/engines.md says ${known} of "${operation}", which was ${verdict} now: npm run test:long writes it anew.`,
    )
}

export function pageOf({ commit, date, records, versions, results }: EngineResults): string {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const rows = results.map(({ operation, verdict, readPerWanted, speedAfter }) => {
    const [engine, what] = split(operation)
    const cells = [
      engine,
      what,
      verdict === 'right' ? 'right' : `**${verdict}**`,
      figure(readPerWanted),
      figure(speedAfter),
    ]
    return `| ${cells.join(' | ')} |`
  })
  return `# What other engines may do to the table

Written by \`npm run test:long\` from \`test/foreign/engine-results.json\`; not by hand. \`npm run test:interop\` does every operation again, on fewer
records, and fails where it comes to another verdict.

Seen at commit ${commit} on ${date}, with topics of ${records} records and ${named.join(', ')}.

- **right**: reads, scans, counts, the audit, the deep audit and what the log does next were all what the operation means, checked record by
  record against what was sent. **refused**: the topic says so by that code, its records stay readable from the write-ahead tier as far as they
  are there, and nothing is lost. **not right** would stand here, too.
- **read per byte wanted**: bytes of pages that a consumer's read of all released records fetched, by bytes of the rows that it was given. Topics as
  small as these have their three partitions in one row group, and a read of each fetches it: 3 is what nobody's work leaves alone. Where
  partitions have row groups of their own (4 MiB and more of each), it is near 1.
- **speed after**: records a second of that read after the operation, by those before it, best of five each. The machine did other things as
  well, and what changes nothing gave 0.7 to 1.9: only what lies outside of that says something.

| engine | operation | verdict | read per byte wanted | speed after |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

function split(operation: string): [engine: string, what: string] {
  const at = operation.indexOf(': ')
  return [operation.slice(0, at), operation.slice(at + 2)]
}

const figure = (value: number | null): string => (value === null ? '' : value.toFixed(2))
