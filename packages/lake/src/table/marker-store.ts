import { corrupt, formatCaps, getIfThere, isKind, isMoulinError } from '@moulin/core'
import type { CallOptions, ColdTopicInfo, ObjectStore, TableMetadata } from '@moulin/core'
import {
  checkLedger,
  isObjectName,
  logOfMarker,
  markedTopics,
  markerKey,
  parseFieldIds,
  parseLedger,
  parseMarker,
  sha256,
} from './marker.ts'
import type { Marker, MarkerObject, WrittenMarker } from './marker.ts'
import type { FieldIds } from './field-ids.ts'
import type { LedgerEntry } from './ledger.ts'
import { putUnnamed } from './table-objects.ts'

const PREFIX = 'log/ledgers/'
/** Ledgers that markers of old metadata versions name: as many of the newest, and all of this age, are kept. */
const KEPT_LEDGERS = 100
const KEPT_MS = 2 * 3_600_000
/** Enough for the versions, the topic and the commit, which stand first. */
const HEAD_BYTES = 200

const topicsIn = new WeakMap<ObjectStore, Map<string, string>>()

/** What the properties of a table say, read as far as they can be. */
export interface FoundMarkers {
  /** Of the topic; undefined where the table has none. */
  readonly own: FoundMarker | undefined
  readonly others: readonly { readonly topic: string; readonly log: string | undefined }[]
}

export type FoundMarker = { readonly text: string } & (
  | { readonly marker: Marker; readonly objects: readonly string[] }
  | { readonly marker: undefined; readonly fault: string }
)

/** Reads and stores one topic's markers, with the objects of the log's store that they name. */
export class MarkerStore {
  readonly #store: ObjectStore
  readonly #info: ColdTopicInfo
  /** The last ones that were read: they never change. */
  #ledger: { readonly name: string; readonly entries: readonly LedgerEntry[] } | undefined
  #fieldIds: { readonly name: string; readonly ids: FieldIds } | undefined
  /** Topic by ledger, of those that were looked into; all topics of the process share it, for their ledgers lie together. */
  readonly #topics: Map<string, string>

  constructor(store: ObjectStore, info: ColdTopicInfo) {
    this.#store = store
    this.#info = info
    const known = topicsIn.get(store)
    this.#topics = known ?? new Map<string, string>()
    if (known === undefined) topicsIn.set(store, this.#topics)
  }

  /** @throws `unsupported` code `FORMAT_VERSION` for the topic's marker, or an object of it, of a later format. */
  async read(metadata: TableMetadata, options: CallOptions = {}): Promise<FoundMarkers> {
    // A marker that is longer was not written by us, whatever our own limit is.
    const maxBytes = formatCaps.markerBytes
    const properties = metadata.properties ?? {}
    const others = markedTopics(metadata)
      .filter((topic) => topic !== this.#info.id)
      .map((topic) => ({ topic, log: logOfMarker(properties[markerKey(topic)]!, maxBytes) }))
    const text = properties[markerKey(this.#info.id)]
    if (text === undefined) return { own: undefined, others }
    try {
      return { own: { text, ...(await this.#parse(text, maxBytes, options)) }, others }
    } catch (error) {
      if (!isMoulinError(error) || !(error.kind === 'corrupt' || error.kind === 'exhausted')) throw error
      return { own: { text, marker: undefined, fault: error.message }, others }
    }
  }

  async #parse(text: string, maxBytes: number, options: CallOptions): Promise<{ marker: Marker; objects: string[] }> {
    const what = `the marker of topic ${this.#info.name}`
    const { ledger, fieldIds, ...rest } = parseMarker(text, what, maxBytes)
    const entries = typeof ledger === 'string' ? await this.#ledgerOf(ledger, options) : ledger
    checkLedger(entries, what)
    const ids = typeof fieldIds === 'string' ? await this.#fieldIdsOf(fieldIds, options) : fieldIds
    const objects = [ledger, fieldIds].filter((part) => typeof part === 'string')
    return { marker: { ...rest, ledger: entries, fieldIds: ids }, objects }
  }

  async #ledgerOf(name: string, options: CallOptions): Promise<readonly LedgerEntry[]> {
    if (this.#ledger?.name === name) return this.#ledger.entries
    const entries = parseLedger(await this.#bytesOf(name, options), `${this.#store.name} ${PREFIX}${name}`)
    this.#ledger = { name, entries }
    return entries
  }

  async #fieldIdsOf(name: string, options: CallOptions): Promise<FieldIds> {
    if (this.#fieldIds?.name === name) return this.#fieldIds.ids
    const ids = parseFieldIds(await this.#bytesOf(name, options), `${this.#store.name} ${PREFIX}${name}`)
    this.#fieldIds = { name, ids }
    return ids
  }

  async #bytesOf(name: string, options: CallOptions): Promise<Uint8Array> {
    const key = PREFIX + name
    const object = await this.#store.get(key, options).catch((error: unknown) => {
      if (!isKind(error, 'not-found')) throw error
      throw corrupt('MARKER', `${this.#store.name} ${key}, which the marker names, is gone.`, { cause: error })
    })
    if (sha256(object.bytes) === name) return object.bytes
    throw corrupt('MARKER', `${this.#store.name} ${key} does not have the bytes that its name says.`)
  }

  /** Stores what a marker names, before the marker. What is there already has the same bytes: its name says so. */
  async put({ ledger, fieldIds }: WrittenMarker): Promise<void> {
    if (ledger !== undefined) await this.#putObject(ledger)
    if (fieldIds !== undefined && this.#fieldIds?.name !== fieldIds.name) await this.#putObject(fieldIds)
  }

  async #putObject({ name, bytes }: MarkerObject): Promise<void> {
    try {
      await putUnnamed(this.#store, PREFIX + name, bytes, {})
    } catch (error) {
      if (!isKind(error, 'exists')) throw error
    }
  }

  /** Removes the ledger of an attempt that is known never to have happened; only one that says it is of that commit. */
  async discard(name: string | undefined, commit: string): Promise<void> {
    if (name === undefined) return
    const head = await this.#headOf(name)
    if (head?.includes(this.#mine) === true && head.includes(`"commit":"${commit}"`)) {
      await this.#store.delete(PREFIX + name)
    }
  }

  /**
   * Removes ledgers of this topic that are out of use: older than two hours, not among the newest hundred of the topic
   * (every commit makes one, and at least one version of the metadata), and not in `kept`. In doubt they stay.
   */
  async collect(kept: ReadonlySet<string>, nowMs: number): Promise<number> {
    const old: { name: string; modifiedMs: number }[] = []
    let room = KEPT_LEDGERS
    for await (const { key, modifiedMs } of this.#store.list({ prefix: PREFIX })) {
      const name = key.slice(PREFIX.length)
      if (kept.has(name)) room--
      else if (isObjectName(name) && nowMs - modifiedMs > KEPT_MS) old.push({ name, modifiedMs })
    }
    const ours: typeof old = []
    for (const object of old) if (await this.#isOurs(object.name)) ours.push(object)
    ours.sort((a, b) => b.modifiedMs - a.modifiedMs)
    const names = ours.slice(Math.max(0, room)).map(({ name }) => name)
    const { failed } = await this.#store.deleteMany(names.map((name) => PREFIX + name))
    const stays = new Set(failed.map(({ key }) => key))
    for (const name of names) if (!stays.has(PREFIX + name)) this.#topics.delete(name)
    if (failed.length > 0) throw failed[0]!.error
    return names.length
  }

  async #isOurs(name: string): Promise<boolean> {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = /"topic":"([^"]*)"/.exec((await this.#headOf(name)) ?? '')?.[1]
      if (topic === undefined) return false
      this.#topics.set(name, topic)
    }
    return topic === this.#info.id
  }

  get #mine(): string {
    return `"topic":"${this.#info.id}"`
  }

  // It says whose the object is.
  async #headOf(name: string): Promise<string | undefined> {
    const object = await getIfThere(this.#store, PREFIX + name, { range: { start: 0, end: HEAD_BYTES } })
    return object === undefined ? undefined : new TextDecoder().decode(object.bytes)
  }
}
