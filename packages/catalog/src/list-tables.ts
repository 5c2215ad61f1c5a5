import { checkTableIdentifier, listInOrder } from '@moulin/core'
import type { Namespace, ObjectStore, TableIdentifier } from '@moulin/core'
import { DROPPED_MARK_BYTES, isDropped } from './dropped-table.ts'
import { namespaceKey, namespaceOf } from './namespace-files.ts'
import { listVersions, versionKey, withSignal } from './version-files.ts'

/** Sorts behind every key of a folder. */
const LAST = '\u{10ffff}'

/** A table, or a namespace that was created: the levels of its name. */
export interface Named {
  readonly what: 'table' | 'namespace'
  readonly levels: readonly string[]
}

/** One step through the keys below a folder. */
interface Step {
  /** Where the next step begins. */
  readonly after: string
  readonly named: Named | undefined
}

/**
 * Every table below a prefix. Costs a few requests per table, however many files it holds: once a folder is known to be
 * a table, the list goes on behind it.
 */
export async function* tablesIn(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<TableIdentifier> {
  let step: Step | undefined
  while ((step = await nextStep(store, prefix, prefix, step?.after, signal)) !== undefined) {
    const { named } = step
    if (named?.what === 'table') yield { namespace: named.levels.slice(0, -1), name: named.levels.at(-1)! }
  }
}

/** The tables right in a namespace; once a namespace below it is known, the list goes on behind that. */
export async function* tablesRightIn(
  store: ObjectStore,
  prefix: string,
  namespace: Namespace,
  signal: AbortSignal | undefined,
): AsyncGenerator<TableIdentifier> {
  const within = `${prefix}${namespace.join('/')}/`
  let after: string | undefined
  let step: Step | undefined
  while ((step = await nextStep(store, prefix, within, after, signal)) !== undefined) {
    after = step.after
    const { levels, what } = step.named ?? { levels: [], what: undefined }
    const isBelow = levels.length > namespace.length + 1
    if (what === 'table' && levels.length === namespace.length + 1)
      yield { namespace: levels.slice(0, -1), name: levels.at(-1)! }
    else if (isBelow) after = `${prefix}${levels.slice(0, namespace.length + 1).join('/')}/${LAST}`
  }
}

/** What lies in a namespace: its levels and more. Undefined when nothing does. */
export async function firstInside(
  store: ObjectStore,
  prefix: string,
  namespace: Namespace,
  signal: AbortSignal | undefined,
): Promise<Named | undefined> {
  const within = `${prefix}${namespace.join('/')}/`
  let step: Step | undefined
  while ((step = await nextStep(store, prefix, within, step?.after, signal)) !== undefined)
    if (step.named !== undefined && step.named.levels.length > namespace.length) return step.named
  return undefined
}

/** The namespaces right below one that are there, each once: once one is known, the list goes on behind it. */
export async function* childrenOf(
  store: ObjectStore,
  prefix: string,
  parent: Namespace,
  signal: AbortSignal | undefined,
): AsyncGenerator<Namespace> {
  const within = prefix + parent.map((level) => `${level}/`).join('')
  let after: string | undefined
  for (;;) {
    const step = await nextStep(store, prefix, within, after, signal)
    if (step === undefined) return
    after = step.after
    if (step.named === undefined) continue
    const { what, levels } = step.named
    const namespace = what === 'table' ? levels.slice(0, -1) : levels
    if (namespace.length <= parent.length) continue
    const child = namespace.slice(0, parent.length + 1)
    yield child
    after = `${prefix}${child.join('/')}/${LAST}`
  }
}

/** Undefined when there is no key any more. */
async function nextStep(
  store: ObjectStore,
  prefix: string,
  within: string,
  after: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Step | undefined> {
  const key = await firstKey(store, within, after, signal)
  if (key === undefined) return undefined
  const path = await tableFolderOf(store, prefix, key, signal)
  if (path === undefined) {
    const namespace = namespaceOf(key.slice(prefix.length))
    if (namespace === undefined) return { after: key, named: undefined }
    // It sorts behind the changes beside it, and without it they say nothing.
    const file = namespaceKey(prefix + namespace.join('/'))
    const isThere = (await store.head(file, withSignal(signal))) !== undefined
    return { after: file, named: isThere ? { what: 'namespace', levels: namespace } : undefined }
  }
  const isLive = !(await isDroppedTable(store, path, signal))
  const levels = path.slice(prefix.length).split('/')
  return { after: `${path}/${LAST}`, named: isLive ? { what: 'table', levels } : undefined }
}

/** The first key below a prefix. */
export async function firstKey(
  store: ObjectStore,
  prefix: string,
  after: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const options = { prefix, ...(after === undefined ? {} : { after }), ...withSignal(signal) }
  for await (const { key } of listInOrder(store, options)) return key
  return undefined
}

/** The outermost folder around a key that is a table, if there is one. */
export async function tableFolderOf(
  store: ObjectStore,
  prefix: string,
  key: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const segments = key.slice(prefix.length).split('/')
  for (let levels = 2; levels < segments.length; levels++) {
    const identifier = { namespace: segments.slice(0, levels - 1), name: segments[levels - 1]! }
    if (!isIdentifier(identifier)) return undefined
    const path = prefix + segments.slice(0, levels).join('/')
    if ((await listVersions({ store, path }, signal)).length > 0) return path
  }
  return undefined
}

function isIdentifier(table: TableIdentifier): boolean {
  try {
    checkTableIdentifier(table)
    return true
  } catch {
    return false
  }
}

async function isDroppedTable(store: ObjectStore, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  const folder = { store, path }
  const newest = (await listVersions(folder, signal)).at(-1)
  if (newest === undefined) return true
  const range = { start: 0, end: DROPPED_MARK_BYTES }
  return isDropped((await store.get(versionKey(folder, newest), { range, ...withSignal(signal) })).bytes)
}
