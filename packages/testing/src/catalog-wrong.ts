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
}

/** The wrong implementations that the suite rejects. A test shows for each that its named check fails. */
export const wrongCatalogs: readonly WrongCatalog[] = Object.entries(breaks).map(([name, check]) => {
  const flaw = name as CatalogFlaw
  return { name: flaw, breaks: check, options: modelOptions(flaw) }
})

/** The model that they are made of, without a flaw: it passes. */
export function modelOptions(flaw?: CatalogFlaw): CatalogConformanceOptions {
  return {
    name: flaw ?? 'modelCatalog',
    create() {
      const store = hookedStore()
      return { catalog: modelCatalog(store, flaw), open: async () => modelCatalog(store, flaw) }
    },
    folders: { open: (store) => modelCatalog(store, flaw) },
  }
}
