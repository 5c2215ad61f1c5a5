import {
  asObject,
  checkNamespace,
  countField,
  exhausted,
  getIfThere,
  isKind,
  namespaceText,
  parseStored,
  storedBytes,
  stringField,
} from '@moulin/core'
import type { Namespace, ObjectStore, StoredKind } from '@moulin/core'
import type { Properties } from './namespace-change.ts'
import { withSignal } from './version-files.ts'

/** Layout and protocol: docs/formats/catalog.md, "Namespaces". */
const NAMESPACE: StoredKind = { name: 'namespace', format: 1, minimumReader: 1 }
/** What a namespace's file may have; the properties of one are a few words. */
export const NAMESPACE_MAX_BYTES: number = 1024 * 1024

const file = '.namespace.json'
const anyFile = /(?:^|\/)\.namespace(?:-([1-9]\d{0,14}))?\.json$/

/** `folder`: the namespace's, without a slash at its end. */
export function namespaceKey(folder: string): string {
  return `${folder}/${file}`
}

/** Where a change is stored on a store that cannot swap. */
export function changeKey(folder: string, change: number): string {
  return `${folder}/.namespace-${change}.json`
}

/** The namespace in whose folder a key is one of its files; of a key without the catalog's prefix. */
export function namespaceOf(key: string): Namespace | undefined {
  if (!anyFile.test(key)) return undefined
  try {
    return checkNamespace(key.split('/').slice(0, -1))
  } catch (error) {
    if (isKind(error, 'invalid')) return undefined
    throw error
  }
}

/** What a namespace was made to be by one change. */
export interface NamespaceState {
  /** Of the namespace: another one of the same name has another. */
  readonly id: string
  /** Counts from 1, the creation. */
  readonly change: number
  readonly properties: Properties
}

/** A namespace that was created, as it is stored. */
export interface NamespaceFile {
  /** Of `.namespace.json`. */
  readonly etag: string
  readonly newest: NamespaceState
  /** Above every change that is there, those of an earlier namespace of the name included. */
  readonly next: number
}

/** `attempt` makes the bytes unlike those of any other. @throws `exhausted` code `NAMESPACE_TOO_LARGE`. */
export function stateBytes(namespace: Namespace, state: NamespaceState, attempt: string): Uint8Array {
  const { id, change, properties } = state
  const bytes = storedBytes(NAMESPACE, { namespace, id, change, attempt, properties })
  if (bytes.length <= NAMESPACE_MAX_BYTES) return bytes
  const text = namespaceText(namespace)
  const message = `The properties of the namespace ${text} would take ${bytes.length} bytes; ${NAMESPACE_MAX_BYTES} are allowed. Remove some, or shorten them.`
  const context = { namespace: text, sizeBytes: bytes.length, limit: NAMESPACE_MAX_BYTES }
  throw exhausted('NAMESPACE_TOO_LARGE', message, { context })
}

/**
 * Undefined when the namespace was not created, or was dropped.
 * @throws `corrupt` for a malformed file; `unsupported` code `FORMAT_VERSION` for one of a later format.
 */
export async function readNamespace(
  store: ObjectStore,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<NamespaceFile | undefined> {
  const changes = await listChanges(store, folder, signal)
  const found = await readState(store, namespaceKey(folder), signal)
  if (found === undefined) return undefined
  const { etag, state: first } = found
  const next = Math.max(first.change, changes.at(-1) ?? 0) + 1
  for (const change of changes.reverse()) {
    if (change <= first.change) break
    // Of an earlier namespace of the name: its drop left it, or a late put did.
    const later = await readState(store, changeKey(folder, change), signal)
    if (later?.state.id === first.id) return { etag, newest: later.state, next }
  }
  return { etag, newest: first, next }
}

/** The numbers of all changes that have a file of their own, ascending. */
export async function listChanges(
  store: ObjectStore,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const changes: number[] = []
  for await (const { key } of store.list({ prefix: `${folder}/.namespace-`, ...withSignal(signal) })) {
    const change = anyFile.exec(key)?.[1]
    if (change !== undefined) changes.push(Number(change))
  }
  return changes.sort((a, b) => a - b)
}

async function readState(
  store: ObjectStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly etag: string; readonly state: NamespaceState } | undefined> {
  const object = await getIfThere(store, key, withSignal(signal))
  if (object === undefined) return undefined
  const what = `${store.name} ${key}`
  const json = parseStored(NAMESPACE, object.bytes, what, NAMESPACE_MAX_BYTES)
  const properties = asObject(json['properties'], `${what}: properties`)
  for (const name of Object.keys(properties)) stringField(properties, name, `${what}: properties`)
  const [id, change] = [stringField(json, 'id', what), countField(json, 'change', what)]
  return { etag: object.etag, state: { id, change, properties: { ...properties } as Properties } }
}
