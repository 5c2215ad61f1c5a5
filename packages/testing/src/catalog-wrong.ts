import type { Catalog, CatalogCapabilities, ObjectStore } from '@moulin/core'
import type { CatalogConformanceOptions } from './catalog-conformance.ts'
import type { CatalogFlaw } from './catalog-model.ts'
import { modelCatalog } from './catalog-model.ts'
import { hookedStore } from './hooked-store.ts'

/** A catalog that is wrong in one way, and the promise by which the suite finds it out. */
export interface WrongCatalog {
  readonly name: CatalogFlaw
  /** Begins the name of the check that must fail. */
  readonly breaks: string
  readonly options: CatalogConformanceOptions
}

const breaks: Readonly<Record<CatalogFlaw, string>> = {
  'ignores-requirements': 'fails a commit whose requirement does not hold',
  'checks-no-snapshot': 'fails a commit whose requirement does not hold',
  'last-writer-wins': 'loses no acknowledged commit',
  'swallows-conflict': 'loses no acknowledged commit',
  'takes-what-is-there': 'does not take the commit of another for its own',
  'lost-answer-is-failure': 'finds its own commit when the answer was lost',
  'unknown-is-failure': 'says unknown when a commit may yet arrive',
  'retries-blindly': 'does not take the commit of another for its own',
  'loses-properties': 'keeps properties and summaries',
  'applies-partially': 'applies no update of a commit when one is invalid',
  'skips-unknown-updates': 'refuses an update that it does not know',
  'skips-later-updates': 'refuses an update of a later format version',
  'forgets-statistics': 'keeps the statistics of a snapshot',
  'rounds-ids': 'keeps 64-bit ids exact',
  'create-replaces': 'refuses a table that exists',
  'drop-forgets-nothing': 'drops a table',
  'drop-can-be-undone': 'does not let a commit under way bring a dropped table back',
  'caches-loads': 'applies all updates of a commit, and shows them to others at once',
  'no-metadata-log': 'moves the metadata location with every commit',
  'hint-before-commit': 'moves the hint right after the commit',
  'hint-goes-back': 'never moves the hint back',
  'hint-with-newline': 'writes v1, v2',
  'believes-the-hint': 'finds the newest version though the hint is behind',
  'no-predecessor-check': 'does not acknowledge a version whose predecessor was collected',
  'collects-newest-first': 'collects old versions from the oldest on',
  'collects-too-much': 'collects old versions from the oldest on',
  'repairs-damage': 'says corrupt',
  'moves-into-any-folder': 'refuses the folder of something else',
  'claims-what-it-lacks': 'claims the capabilities',
  'namespaces-of-one-client': 'creates a namespace and loads it again',
  'loses-first-properties': 'keeps the properties with which a namespace is created',
  'namespace-create-replaces': 'refuses a namespace that exists',
  'namespace-looks-then-creates': 'lets exactly one of many racing creates of a namespace win',
  'makes-namespaces-up': 'says not-found for a namespace',
  'needs-a-created-namespace': 'knows a namespace in which a table lies',
  'lists-namespaces-twice': 'lists the namespaces right below one',
  'lists-deeper-namespaces': 'lists the namespaces right below one',
  'takes-a-beginning-for-a-parent': 'lists the namespaces right below one',
  'lists-namespaces-as-tables': 'lists the tables beside namespaces',
  'replaces-all-properties': 'sets and removes properties of a namespace',
  'forgets-removals': 'sets and removes properties of a namespace',
  'sets-on-created-namespaces-only': 'sets properties of a namespace that only its tables made',
  'takes-a-property-twice': 'refuses a property that is both set and removed',
  'namespace-last-writer-wins': 'loses no acknowledged property',
  'drops-full-namespaces': 'does not drop a namespace that holds',
  'drops-parents-of-namespaces': 'does not drop a namespace that holds',
  'brings-properties-back': 'drops an empty namespace',
  'takes-any-namespace-name': 'refuses names that are no namespaces',
  'namespaces-ignore-signals': 'does nothing to namespaces when its signal has fired',
  'drops-properties-silently': 'says unsupported, by name, for properties',
  'namespace-in-a-table': 'keeps namespaces out of the folder of a table',
  'lost-namespace-is-failure': 'finds its own namespace',
  'unknown-namespace-is-failure': 'says unknown when a namespace',
}

/** Of the model that is without properties of namespaces. */
const lacking: Partial<CatalogCapabilities> = { namespaceProperties: false }

/** The wrong implementations that the suite rejects. A test shows for each that its named check fails. */
export const wrongCatalogs: readonly WrongCatalog[] = Object.entries(breaks).map(([name, check]) => {
  const flaw = name as CatalogFlaw
  return { name: flaw, breaks: check, options: modelOptions(flaw, flaw === 'drops-properties-silently' ? lacking : {}) }
})

/** The model that they are made of: without a flaw it passes, whatever it claims. */
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
    folders: { open },
  }
}
