import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkOptions, isMoulinError, messageOf, option, systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import type { ObjectStoreConformanceConfig } from './object-store-conformance.ts'
import { objectStoreConformanceChecks } from './object-store-conformance.ts'

/** Takes whole lines. */
export type PrintLine = (line: string) => void

export const usage = `usage: moulin-testing store FILE

Judges an object store by the conformance suite. FILE is a module that exports, as underTest or as its default, a
function that makes an empty store, or the options of objectStoreConformance: { create, close?, reopen?, at?, cannot?,
… }. What the options do not claim is taken from the store itself.

Exit status: 0 every promise is kept, 1 some are broken, 2 the suite could not be run.`

/** Runs a command line. @returns the exit status. */
export async function runTesting(args: readonly string[], print: PrintLine): Promise<number> {
  const [command, file, ...more] = args
  if (command === '--help' || command === '-h') {
    print(usage)
    return 0
  }
  if (command !== 'store' || file === undefined || more.length > 0) {
    print(usage)
    return 2
  }
  let config: ObjectStoreConformanceConfig
  try {
    config = await loadConfig(resolve(file))
  } catch (error) {
    print(`${file} cannot be judged: ${messageOf(error)}`)
    return 2
  }
  return judge(config, print)
}

async function loadConfig(path: string): Promise<ObjectStoreConformanceConfig> {
  const loaded = (await import(pathToFileURL(path).href)) as {
    readonly underTest?: unknown
    readonly default?: unknown
  }
  const given = loaded.underTest ?? loaded.default
  const config = (typeof given === 'function' ? { create: given } : given) as ObjectStoreConformanceConfig | undefined
  if (typeof config !== 'object' || config === null)
    throw new TypeError(
      'it exports, as underTest or default, neither a function that makes a store nor an object with create.',
    )
  // Names and values are the suite's to check.
  objectStoreConformanceChecks(config)
  const store = await config.create()
  try {
    checkOptions('create()', { store }, { store: option.required(option.storeCheck) })
    return { name: store.name, capabilities: store.capabilities, listOrder: store.listOrder, ...config }
  } finally {
    await config.close?.(store)
  }
}

async function judge(config: ObjectStoreConformanceConfig, print: PrintLine): Promise<number> {
  const { clock } = systemRuntime()
  const counts = { kept: 0, broken: 0, skipped: 0 }
  print(`${config.name}: ${claimsOf(config)}`)
  for (const { name, skipped, run } of objectStoreConformanceChecks(config)) {
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
