import type { Catalog, CatalogCapabilities, ObjectStore } from '@moulin/core'
import type { CatalogConformanceOptions } from './conformance.ts'
import type { CatalogFlaw } from './folder-flaws.ts'
import { breaks } from './folder-flaws.ts'
import type { Flaw, Flaws } from './flaws.ts'
import { callFlaws } from './flaws-of-calls.ts'
import { commitFlaws } from './flaws-of-commits.ts'
import { creationFlaws } from './flaws-of-creations.ts'
import { evolutionFlaws } from './flaws-of-evolution.ts'
import { capabilityFlaws, nameFlaws } from './flaws-of-names.ts'
import { snapshotFlaws } from './flaws-of-snapshots.ts'
import { modelCatalog } from './folder-model.ts'
import { namesCatalog, namesState } from './names-model.ts'
import { hookedStore } from '../hooked-store.ts'

/** A catalog that is wrong in one way, and the promises by which the suite finds it out. */
export interface WrongCatalog {
  readonly name: string
  /** Each begins the name of a check that must fail. */
  readonly breaks: readonly string[]
  readonly options: CatalogConformanceOptions
}

const why = 'a name is a folder'

/** Of the model that is without properties of namespaces. */
const lacking: Partial<CatalogCapabilities> = { namespaceProperties: false }

const folderFlaws = Object.entries(breaks).map(([name, check]): WrongCatalog => {
  const flaw = name as CatalogFlaw
  const options = modelOptions(flaw, flaw === 'drops-properties-silently' ? lacking : {})
  return { name: flaw, breaks: [check].flat(), options }
})

/** Of the model that is names in memory. */
const nameFlawsOf: Flaws = {
  ...callFlaws,
  ...creationFlaws,
  ...commitFlaws,
  ...evolutionFlaws,
  ...snapshotFlaws,
  ...nameFlaws,
  ...capabilityFlaws,
}

/** The wrong implementations that the suite rejects. A test shows for each that its named checks fail. */
export const wrongCatalogs: readonly WrongCatalog[] = [
  ...folderFlaws,
  ...Object.entries(nameFlawsOf).map(([name, flaw]) => ({
    name,
    breaks: flaw.breaks,
    options: namesOptions(name, flaw),
  })),
]

/** The folder model: without a flaw it passes, whatever it claims. */
export function modelOptions(
  flaw?: CatalogFlaw,
  capabilities: Partial<CatalogCapabilities> = {},
): CatalogConformanceOptions {
  const open = (store: ObjectStore): Catalog => modelCatalog(store, flaw, capabilities)
  return {
    name: flaw ?? 'modelCatalog',
    create() {
      const store = hookedStore()
      return { catalog: open(store), open: async () => open(store) }
    },
    capabilities,
    names: { dot: why, slash: why, blank: why, percent: why, quotes: why, url: why, unicode: why },
    folders: { open },
  }
}

/** The model of names: without a flaw it passes, too. */
export function namesOptions(name: string = 'namesCatalog', flaw?: Flaw): CatalogConformanceOptions {
  return {
    name,
    create() {
      const state = namesState()
      const open = (): Catalog => {
        const right = namesCatalog(state)
        return { ...right, ...flaw?.wrong(right, state) }
      }
      return { catalog: open(), open: async () => open() }
    },
    capabilities: { rename: true, transactions: true, ...flaw?.capabilities },
    ...(flaw?.names && { names: flaw.names }),
  }
}
