import { checkOptions, option, type OptionTable } from '@moulin/core'
import type { CatalogCheck, CatalogUnderTest } from './catalog-checks.ts'
import { catalogChecks } from './catalog-checks.ts'
import type { FolderCatalog } from './catalog-folder-checks.ts'
import { folderChecks, folderStores } from './catalog-folder-checks.ts'
import type { TestRunner } from './test-runner.ts'

export interface CatalogConformanceOptions {
  /** For the report. */
  readonly name: string
  /** A fresh, empty catalog for each check. */
  create(): Promise<CatalogUnderTest> | CatalogUnderTest
  /** For a catalog that is a folder of `vN.metadata.json` files: adds the checks of layout and commit protocol. */
  readonly folders?: FolderCatalog
}

const optionTable: OptionTable<CatalogConformanceOptions> = {
  name: option.required(option.text),
  create: option.required(option.callback),
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
  })
}

/** The same checks as data, for a runner of another shape; each rejects when its promise is broken. */
export function catalogConformanceChecks(
  options: CatalogConformanceOptions,
): readonly { readonly name: string; run(): Promise<void> }[] {
  checkOptions('catalogConformanceChecks', options, optionTable)
  const general = catalogChecks.map((check) => ({ name: check.name, run: () => runOnce(check, options) }))
  const { folders } = options
  if (folders === undefined) return general
  const layout = folderStores.flatMap((kind) =>
    folderChecks.map((check) => ({
      name: `${check.name} (${kind.name})`,
      run: () => check.run(folders, kind.create()),
    })),
  )
  return [...general, ...layout]
}

async function runOnce(check: CatalogCheck, options: CatalogConformanceOptions): Promise<void> {
  const subject = await options.create()
  try {
    await check.run(subject)
  } finally {
    await subject.close?.()
  }
}
