import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkOptions, isMoulinError, messageOf, option, systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import type { ObjectStoreConformanceConfig } from './object-store-conformance.ts'
import { objectStoreConformanceChecks } from './object-store-conformance.ts'
import type { ConformanceCase } from './test-runner.ts'
import type { WalConformanceConfig } from './wal-conformance.ts'
import { walConformanceChecks } from './wal-conformance.ts'
import { within } from './within.ts'

/** Takes whole lines. */
export type PrintLine = (line: string) => void

export const usage = `usage: moulin-testing store FILE
       moulin-testing wal FILE

Judges an object store, or a write-ahead tier, by the conformance suite. FILE is a module that exports, as underTest or
as its default, a function that makes an empty store, or the options of objectStoreConformance: { create, close?,
reopen?, at?, cannot?, … }; for a Wal a function that makes a place for it, or the options of walConformance: { create,
ways?, cannot?, … }. What the options do not claim is taken from the store, or the Wal, itself.

Exit status: 0 every promise is kept, 1 some are broken, 2 the suite could not be run.`

/** Runs a command line. @returns the exit status. */
export async function runTesting(args: readonly string[], print: PrintLine): Promise<number> {
  const [command, file, ...more] = args
  if (command === '--help' || command === '-h') {
    print(usage)
    return 0
  }
  const what = command === 'store' || command === 'wal' ? command : undefined
  if (what === undefined || file === undefined || more.length > 0) {
    print(usage)
    return 2
  }
  let judged: Judged
  try {
    const exported = await exportOf(resolve(file), what === 'store' ? 'a store' : 'a place for a Wal')
    judged = await (what === 'store' ? loadStore(exported) : loadWal(exported))
  } catch (error) {
    print(`${file} cannot be judged: ${messageOf(error)}`)
    return 2
  }
  return judge(judged, print)
}

/** For one that can be judged at all, where its options say nothing else. */
const PATIENCE_MS = 60_000

/** What is judged, and by what. */
interface Judged {
  /** Its name, and what it claims. */
  readonly title: string
  readonly cases: readonly ConformanceCase[]
}

/** The options that the module exports, or those with the function that it exports. */
async function exportOf(path: string, made: string): Promise<{ readonly create: unknown }> {
  const loaded = (await import(pathToFileURL(path).href)) as {
    readonly underTest?: unknown
    readonly default?: unknown
  }
  const given = loaded.underTest ?? loaded.default
  const config = typeof given === 'function' ? { create: given } : given
  if (typeof config !== 'object' || config === null)
    throw new TypeError(
      `it exports, as underTest or default, neither a function that makes ${made} nor an object with create.`,
    )
  return config as { readonly create: unknown }
}

async function loadStore(exported: { readonly create: unknown }): Promise<Judged> {
  const given = exported as ObjectStoreConformanceConfig
  // Names and values are the suite's to check.
  objectStoreConformanceChecks(given)
  const { timeoutMs = PATIENCE_MS } = given
  const store = await within(timeoutMs, given.create())
  try {
    checkOptions('create()', { store }, { store: option.required(option.storeCheck) })
    const { name, capabilities, listOrder } = store
    const config = { name, capabilities, listOrder, ...given }
    return { title: `${config.name}: ${claimsOf(config)}`, cases: objectStoreConformanceChecks(config) }
  } finally {
    await within(timeoutMs, given.close?.(store))
  }
}

async function loadWal(exported: { readonly create: unknown }): Promise<Judged> {
  const given = exported as WalConformanceConfig
  walConformanceChecks(given)
  const { timeoutMs = PATIENCE_MS } = given
  const place = await within(timeoutMs, given.create())
  try {
    checkOptions('create()', { place }, { place: option.required(option.door('a WalPlace', ['start', 'crash'])) })
    const { wal } = place.start()
    checkOptions('start()', { wal }, { wal: option.required(option.door('a Wal', ['openWriter', 'openReader'])) })
    const { name, durability, offsets } = wal
    const config = { name, durability, offsets, ...given }
    const ways = config.ways?.join(', ') ?? 'none'
    const title = `${config.name}: an ack survives ${config.durability}; offsets are ${config.offsets}; ways of its place: ${ways}`
    return { title, cases: walConformanceChecks(config) }
  } finally {
    await within(timeoutMs, place.close?.())
  }
}

async function judge({ title, cases }: Judged, print: PrintLine): Promise<number> {
  const { clock } = systemRuntime()
  const counts = { kept: 0, broken: 0, skipped: 0 }
  print(title)
  for (const { name, skipped, run } of cases) {
    if (skipped !== undefined) {
      counts.skipped++
      print(`skip  ${name} (${skipped})`)
      continue
    }
    const beganMs = clock.monotonic()
    try {
      await run()
      counts.kept++
      print(`ok    ${name} (${Math.round(clock.monotonic() - beganMs)} ms)`)
    } catch (error) {
      counts.broken++
      print(`FAIL  ${name}`)
      for (const line of reasonOf(error)) print(`      ${line}`)
    }
  }
  print(`${counts.kept} promises kept, ${counts.broken} broken, ${counts.skipped} not asked`)
  return counts.broken === 0 ? 0 : 1
}

function claimsOf({ capabilities, listOrder }: ObjectStoreConformanceConfig): string {
  const claimed = Object.entries(capabilities ?? ({} satisfies Partial<ObjectStore['capabilities']>))
  const names = claimed.flatMap(([name, has]) => (has ? [name] : []))
  return `claims ${names.join(', ') || 'no capability'}; lists in ${listOrder === 'none' ? 'no order' : 'byte order'}`
}

/** What a failed check says, and what stands behind it. */
function reasonOf(error: unknown): string[] {
  const lines = [messageOf(error)]
  const cause = error instanceof Error ? error.cause : undefined
  if (cause !== undefined) lines.push(`because of: ${messageOf(cause)}`)
  if (!isMoulinError(error) && error instanceof Error && error.stack !== undefined)
    lines.push(
      ...error.stack
        .split('\n')
        .slice(1, 4)
        .map((line) => line.trim()),
    )
  return lines
}
