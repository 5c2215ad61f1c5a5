import { checkOptions, option } from '@moulin/core'
import type { CatalogCapabilities, OptionTable } from '@moulin/core'
import { expectEqual } from './assertions.ts'
import type { CatalogCheck, CatalogUnderTest } from './catalog-checks.ts'
import { catalogChecks } from './catalog-checks.ts'
import type { FolderCatalog } from './catalog-folder-checks.ts'
import { folderChecks, folderStores } from './catalog-folder-checks.ts'
import { namespaceFolderChecks } from './catalog-namespace-folder-checks.ts'
import { namespaceChecks } from './catalog-namespace-checks.ts'
import type { TestRunner } from './test-runner.ts'

export interface CatalogConformanceOptions {
  /** For the report. */
  readonly name: string
  /** A fresh, empty catalog for each check. */
  create(): Promise<CatalogUnderTest> | CatalogUnderTest
  /** What the catalog claims. Default: registering and properties of namespaces, and nothing else. */
  readonly capabilities?: Partial<CatalogCapabilities>
  /** For a catalog that is a folder of `vN.metadata.json` files: adds the checks of layout and commit protocol. */
  readonly folders?: FolderCatalog
}

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
  folders: option.door('a FolderCatalog', ['open']),
}

/**
 * Judges a catalog: registers one test per promise of core's {@link Catalog}. Takes the runner's own functions, so it
 * runs under any.
 *
 * @example
 * catalogConformance({ describe, it }, { name: 'mine', create: async () => ({ catalog: await openMine() }) })
 */
export function catalogConformance({ describe, it }: TestRunner, options: CatalogConformanceOptions): void {
  checkOptions('catalogConformance', options, optionTable)
  describe(`${options.name} as a catalog`, () => {
    for (const { name, run } of catalogConformanceChecks(options)) it(name, run)
    const claims = claimsOf(options)
    for (const { name, needs } of allChecks) {
      if (needs !== undefined && !claims[needs]) it.skip(`${name} (not here: no ${needs})`, async () => {})
    }
  })
}

const allChecks: readonly CatalogCheck[] = [...catalogChecks, ...namespaceChecks]

/** The same checks as data, for a runner of another shape; each rejects when its promise is broken. */
export function catalogConformanceChecks(
  options: CatalogConformanceOptions,
): readonly { readonly name: string; run(): Promise<void> }[] {
  checkOptions('catalogConformanceChecks', options, optionTable)
  const claims = claimsOf(options)
  const claimed: CatalogCheck = {
    name: 'claims the capabilities that the suite was told of',
    async run({ catalog }) {
      expectEqual({ ...catalog.capabilities }, claims, 'the capabilities')
    },
  }
  const general = [claimed, ...allChecks.filter((check) => isClaimed(check, claims))].map((check) => ({
    name: check.name,
    run: () => runOnce(check, options),
  }))
  const { folders } = options
  if (folders === undefined) return general
  const layout = folderStores.flatMap((kind) =>
    [...folderChecks, ...namespaceFolderChecks].map((check) => ({
      name: `${check.name} (${kind.name})`,
      run: () => check.run(folders, kind.create()),
    })),
  )
  return [...general, ...layout]
}

function claimsOf({ capabilities }: CatalogConformanceOptions): CatalogCapabilities {
  const base = { register: true, rename: false, transactions: false, views: false, namespaceProperties: true }
  return { ...base, ...capabilities }
}

const isClaimed = ({ needs, without }: CatalogCheck, claims: CatalogCapabilities): boolean =>
  (needs === undefined || claims[needs]) && (without === undefined || !claims[without])

async function runOnce(check: CatalogCheck, options: CatalogConformanceOptions): Promise<void> {
  const subject = await options.create()
  try {
    await check.run(subject)
  } finally {
    await subject.close?.()
  }
}
