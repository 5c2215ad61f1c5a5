import type { NamespaceFlaw } from './folder-model-namespaces.ts'

/** What a model catalog does wrong, each at one place. */
export type CatalogFlaw =
  | NamespaceFlaw
  | 'ignores-requirements'
  | 'checks-no-snapshot'
  | 'last-writer-wins'
  | 'swallows-conflict'
  | 'takes-what-is-there'
  | 'lost-answer-is-failure'
  | 'unknown-is-failure'
  | 'retries-blindly'
  | 'loses-properties'
  | 'applies-partially'
  | 'skips-unknown-updates'
  | 'skips-later-updates'
  | 'forgets-statistics'
  | 'rounds-ids'
  | 'create-replaces'
  | 'drop-forgets-nothing'
  | 'drop-can-be-undone'
  | 'caches-loads'
  | 'no-metadata-log'
  | 'hint-before-commit'
  | 'hint-goes-back'
  | 'hint-with-newline'
  | 'believes-the-hint'
  | 'no-predecessor-check'
  | 'collects-newest-first'
  | 'collects-too-much'
  | 'repairs-damage'
  | 'moves-into-any-folder'
  | 'writes-beside'

/** By which checks the suite finds each out. */
export const breaks: Readonly<Record<CatalogFlaw, string | readonly string[]>> = {
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
  'no-metadata-log': ['moves the metadata location with every commit', 'names in its metadata log what is there'],
  'writes-beside': 'writes nothing outside of the table',
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

/** What `JSON.parse` makes of 64-bit ids. */
export function rounded<T>(value: T): T {
  if (typeof value === 'bigint') return Number(value) as T
  if (Array.isArray(value)) return value.map(rounded) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, rounded(member)])) as T
}
