import { checkOptions, option } from '@moulin/core'
import type { CatalogCapabilities, OptionTable } from '@moulin/core'
import { expectEqual } from '../assertions.ts'
import { declareCases } from '../test-runner.ts'
import type { ConformanceCase, TestRunner } from '../test-runner.ts'
import { within } from '../within.ts'
import type { CatalogCheck, CatalogUnderTest, OddName } from './check.ts'
import { commitChecks } from './commit-checks.ts'
import { creationChecks } from './creation-checks.ts'
import { evolutionChecks } from './evolution-checks.ts'
import type { FolderCatalog } from './folder-checks.ts'
import { folderChecks, folderStores } from './folder-checks.ts'
import { listChecks } from './list-checks.ts'
import { nameChecks } from './name-checks.ts'
import { namespaceFolderChecks } from './namespace-folder-checks.ts'
import { namespaceChecks } from './namespace-checks.ts'
import { registerChecks } from './register-checks.ts'
import { renameChecks } from './rename-checks.ts'
import { replaceChecks } from './replace-checks.ts'
import { snapshotChecks } from './snapshot-checks.ts'
import { stagingChecks } from './staging-checks.ts'
import { tableChecks } from './table-checks.ts'
import { transactionChecks } from './transaction-checks.ts'
import { withNamespaces } from './with-namespaces.ts'

export interface CatalogConformanceOptions {
  /** For the report. */
  readonly name: string
  /** A fresh, empty catalog for each check. */
  create(): Promise<CatalogUnderTest> | CatalogUnderTest
  /** What the catalog claims. Default: registering and properties of namespaces, and nothing else. */
  readonly capabilities?: Partial<CatalogCapabilities>
  /** Which names it cannot take, and why; it must refuse them. Default: it takes all. */
  readonly names?: { readonly [kind in OddName]?: string }
  /**
   * `created`: a namespace is there when it was created, and not because a table lies in it; the suite creates those of its tables.
   * Default `implied`.
   */
  readonly namespaces?: 'implied' | 'created'
  /** What the catalog does not promise although it is no capability: the name of the check, and the reason. */
  readonly cannot?: Readonly<Record<string, string>>
  /** For a catalog that is a folder of `vN.metadata.json` files: adds the checks of layout and commit protocol. */
  readonly folders?: FolderCatalog
  /** Of one check, of the machine's own time. Default 60 000; more for a catalog that is far away. */
  readonly timeoutMs?: number
}

const reason = option.text

const optionTable: OptionTable<CatalogConformanceOptions> = {
  name: option.required(option.text),
  create: option.required(option.callback),
  capabilities: option.nested<Partial<CatalogCapabilities>>({
    register: option.flag,
    rename: option.flag,
    transactions: option.flag,
    views: option.flag,
    namespaceProperties: option.flag,
  }),
  names: option.nested<{ readonly [kind in OddName]?: string }>({
    dot: reason,
    slash: reason,
    blank: reason,
    percent: reason,
    quotes: reason,
    url: reason,
    unicode: reason,
    case: reason,
    long: reason,
  }),
  namespaces: option.oneOf('implied', 'created'),
  cannot: option.recordOf(option.text),
  folders: option.door('a FolderCatalog', ['open']),
  timeoutMs: option.integer('ms', 1),
}

/** All promises of core's {@link Catalog}, one check each, in the order of their running. */
export const catalogChecks: readonly CatalogCheck[] = [
  ...tableChecks,
  ...creationChecks,
  ...stagingChecks,
  ...commitChecks,
  ...evolutionChecks,
  ...snapshotChecks,
  ...replaceChecks,
  ...listChecks,
  ...nameChecks,
  ...registerChecks,
  ...renameChecks,
  ...transactionChecks,
  ...namespaceChecks,
]

const DEFAULT_TIMEOUT_MS = 60_000

/**
 * Judges a catalog: registers one test per promise of core's {@link Catalog}. Takes the runner's own functions, so it
 * runs under any. What the catalog does not claim is declared as skipped, with the reason in its name.
 *
 * @example
 * catalogConformance({ describe, it }, { name: 'mine', create: async () => ({ catalog: await openMine() }) })
 */
export function catalogConformance(runner: TestRunner, options: CatalogConformanceOptions): void {
  checkOptions('catalogConformance', options, optionTable)
  const { name, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  declareCases(runner, `${name} as a catalog`, catalogConformanceChecks(options), timeoutMs)
}

/** The same checks as data, for a runner of another shape; each makes a catalog of its own, and rejects when its promise is broken. */
export function catalogConformanceChecks(options: CatalogConformanceOptions): readonly ConformanceCase[] {
  checkOptions('catalogConformanceChecks', options, optionTable)
  const claims = claimsOf(options)
  const claimed: CatalogCheck = {
    name: 'claims the capabilities that the suite was told of',
    async run({ catalog }) {
      expectEqual({ ...catalog.capabilities }, claims, 'the capabilities')
    },
  }
  const cases: ConformanceCase[] = []
  for (const check of [claimed, ...catalogChecks]) {
    const run = (): Promise<void> => runOnce(check, options)
    const skipped = options.cannot?.[check.name] ?? unclaimed(check, claims, options)
    if (skipped !== undefined) cases.push({ name: check.name, skipped, run })
    // A catalog that has more than the check is about has nothing to be told.
    else if (isAsked(check, claims, options)) cases.push({ name: check.name, run })
  }
  const { folders } = options
  if (folders === undefined) return cases
  const layout = folderStores.flatMap((kind) =>
    [...folderChecks, ...namespaceFolderChecks].map((check) => ({
      name: `${check.name} (${kind.name})`,
      run: () => check.run(folders, kind.create()),
    })),
  )
  return [...cases, ...layout]
}

function claimsOf({ capabilities }: CatalogConformanceOptions): CatalogCapabilities {
  const base = { register: true, rename: false, transactions: false, views: false, namespaceProperties: true }
  return { ...base, ...capabilities }
}

function unclaimed(
  { needs, implied, takes }: CatalogCheck,
  claims: CatalogCapabilities,
  { names, namespaces }: CatalogConformanceOptions,
): string | undefined {
  if (needs !== undefined && !claims[needs]) return `no ${needs}`
  if (implied && namespaces === 'created') return 'namespaces are there when they were created'
  return takes && names?.[takes]
}

function isAsked(
  { without, refuses }: CatalogCheck,
  claims: CatalogCapabilities,
  { names }: CatalogConformanceOptions,
): boolean {
  return (without === undefined || !claims[without]) && (refuses === undefined || names?.[refuses] !== undefined)
}

async function runOnce(check: CatalogCheck, options: CatalogConformanceOptions): Promise<void> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, namespaces = 'implied' } = options
  const subject = await within(timeoutMs, options.create())
  const { catalog, open } = subject
  const asked: CatalogUnderTest =
    namespaces === 'implied'
      ? subject
      : {
          catalog: withNamespaces(catalog),
          ...(open && { open: async () => withNamespaces(await subject.open!()) }),
        }
  try {
    await within(timeoutMs, check.run(asked))
  } finally {
    await within(timeoutMs, subject.close?.())
  }
}
