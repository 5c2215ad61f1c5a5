import {
  aborted,
  checkNamespace,
  exhausted,
  exists,
  getIfThere,
  hasOutcome,
  isKind,
  namespaceText,
  unavailable,
} from '@moulin/core'
import type { LoadedNamespace, Namespace, NamespaceChange, NamespaceChanged, ObjectStore, Runtime } from '@moulin/core'
import { createOnce } from './create-once.ts'
import { childrenOf, firstInside, tableFolderOf } from './list-tables.ts'
import { changed, namespaceExists, noNamespace, notEmpty } from './namespace-change.ts'
import type { Properties } from './namespace-change.ts'
import { changeKey, listChanges, namespaceKey, readNamespace, stateBytes } from './namespace-files.ts'
import type { NamespaceFile } from './namespace-files.ts'
import { withSignal } from './version-files.ts'

/** Times that a change is made anew on what another made meanwhile. */
const MAX_ROUNDS = 100

type Signal = AbortSignal | undefined

/** The namespaces of a catalog of objects. Layout and protocol: docs/formats/catalog.md, "Namespaces". */
export class StoreNamespaces {
  readonly #store: ObjectStore
  readonly #runtime: Pick<Runtime, 'random' | 'logger'>
  readonly #prefix: string

  constructor(store: ObjectStore, runtime: Pick<Runtime, 'random' | 'logger'>, prefix: string) {
    this.#store = store
    this.#runtime = runtime
    this.#prefix = prefix
  }

  async create(namespace: Namespace, properties: Properties, signal: Signal): Promise<LoadedNamespace> {
    const folder = this.#folder(namespace)
    const around = await tableFolderOf(this.#store, this.#prefix, namespaceKey(folder), signal)
    if (around !== undefined) throw occupied(namespace, around)
    const present = await firstInside(this.#store, this.#prefix, namespace, signal)
    if (present !== undefined) throw namespaceExists(namespace)
    await this.#createFile(namespace, properties, signal)
    return { namespace: [...namespace], properties: { ...properties } }
  }

  async load(namespace: Namespace, signal: Signal): Promise<LoadedNamespace> {
    const file = await readNamespace(this.#store, this.#folder(namespace), signal)
    if (file === undefined) await this.#requireInside(namespace, signal)
    return { namespace: [...namespace], properties: file?.newest.properties ?? {} }
  }

  async *list(parent: Namespace, signal: Signal): AsyncGenerator<Namespace> {
    let hasChildren = false
    if (parent.length > 0) checkNamespace(parent)
    for await (const child of childrenOf(this.#store, this.#prefix, parent, signal)) {
      hasChildren = true
      yield child
    }
    if (!hasChildren && parent.length > 0) await this.load(parent, signal)
  }

  async set(namespace: Namespace, change: NamespaceChange, signal: Signal): Promise<NamespaceChanged> {
    const folder = this.#folder(namespace)
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const file = await readNamespace(this.#store, folder, signal)
      if (file === undefined) await this.#requireInside(namespace, signal)
      const { properties, answer } = changed(file?.newest.properties ?? {}, change)
      if (answer.updated.length + answer.removed.length === 0) return answer
      try {
        if (file === undefined) await this.#createFile(namespace, properties, signal)
        else await this.#change(namespace, file, properties, signal)
        return answer
      } catch (error) {
        if (!isKind(error, 'exists') && !isKind(error, 'conflict')) throw error
        // Another change came first: this one is made on that.
      }
    }
    const text = namespaceText(namespace)
    const message = `The properties of the namespace ${text} were changed by others ${MAX_ROUNDS} times; try again.`
    throw exhausted('NAMESPACE_CONTENTION', message, { context: { namespace: text } })
  }

  async drop(namespace: Namespace, signal: Signal): Promise<void> {
    const folder = this.#folder(namespace)
    // Read, so that what a later version made is not dropped by one that does not know what it drops.
    const file = await readNamespace(this.#store, folder, signal)
    const inside = await firstInside(this.#store, this.#prefix, namespace, signal)
    if (inside !== undefined) throw notEmpty(namespace, inside.levels)
    if (file === undefined) throw noNamespace(namespace)
    // Listed before: the next namespace of this name may have changes of its own as soon as the file is gone.
    const changes = await listChanges(this.#store, folder, signal)
    await this.#store.delete(namespaceKey(folder), withSignal(signal))
    try {
      // Without the file they say nothing, and another namespace of the name has another id.
      for (const change of changes) await this.#store.delete(changeKey(folder, change))
    } catch (error) {
      const fields = { namespace: namespaceText(namespace), error }
      this.#runtime.logger.warn(
        fields,
        'the namespace is dropped, but old changes of its properties stay in its folder',
      )
    }
  }

  #folder(namespace: Namespace): string {
    return this.#prefix + checkNamespace(namespace).join('/')
  }

  async #requireInside(namespace: Namespace, signal: Signal): Promise<void> {
    const inside = await firstInside(this.#store, this.#prefix, namespace, signal)
    if (inside === undefined) throw noNamespace(namespace)
  }

  async #createFile(namespace: Namespace, properties: Properties, signal: Signal): Promise<void> {
    const { random } = this.#runtime
    const bytes = stateBytes(namespace, { id: random.uuid(), change: 1, properties }, random.uuid())
    await this.#createOnce(namespace, namespaceKey(this.#folder(namespace)), bytes, signal)
  }

  /** @throws `conflict` or `exists` when another change came first. */
  async #change(namespace: Namespace, file: NamespaceFile, properties: Properties, signal: Signal): Promise<void> {
    const { id } = file.newest
    const bytes = stateBytes(namespace, { id, change: file.next, properties }, this.#runtime.random.uuid())
    const folder = this.#folder(namespace)
    if (this.#store.capabilities.compareAndSwap) return await this.#swap(namespace, file.etag, bytes, signal)
    await this.#createOnce(namespace, changeKey(folder, file.next), bytes, signal)
    // It counts only for the namespace that it was made for.
    const after = await readNamespace(this.#store, folder, undefined).catch((error: unknown) => {
      throw unknownOutcome(namespace, 'and the namespace could not be read back', error)
    })
    if (after?.newest.id !== id) throw noNamespace(namespace)
  }

  async #createOnce(namespace: Namespace, key: string, bytes: Uint8Array, signal: Signal): Promise<void> {
    await createOnce(this.#store, key, {
      bytes,
      signal,
      taken: () => namespaceExists(namespace),
      unknown: (why, cause) => unknownOutcome(namespace, why, cause),
    })
  }

  async #swap(namespace: Namespace, etag: string, bytes: Uint8Array, signal: Signal): Promise<void> {
    const key = namespaceKey(this.#folder(namespace))
    try {
      await this.#store.put(key, bytes, { mode: { ifMatch: etag }, ...withSignal(signal) })
    } catch (error) {
      if (hasOutcome(error, 'rejected') && !isKind(error, 'conflict')) throw error
      const present = await getIfThere(this.#store, key).catch(() => undefined)
      if (present !== undefined && Buffer.compare(present.bytes, bytes) === 0) return
      if (isKind(error, 'conflict')) throw error
      throw unknownOutcome(namespace, 'and it may yet arrive, or have been changed since', error)
    }
  }
}

function occupied(namespace: Namespace, occupant: string): Error {
  const text = namespaceText(namespace)
  const message = `The folder of the namespace ${text} is not free: the table ${occupant} is there, or was. Choose another name.`
  return exists('FOLDER_OCCUPIED', message, { context: { namespace: text, occupant } })
}

function unknownOutcome(namespace: Namespace, why: string, cause: unknown): Error {
  const raise = isKind(cause, 'aborted') ? aborted : unavailable
  const text = namespaceText(namespace)
  const message = `The change of the namespace ${text} was sent, ${why}: load the namespace before anything else.`
  return raise('COMMIT_UNKNOWN', message, { outcome: 'unknown', retryable: false, context: { namespace: text }, cause })
}
