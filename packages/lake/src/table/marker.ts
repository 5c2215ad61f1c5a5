import { createHash } from 'node:crypto'
import {
  arrayField,
  asObject,
  corrupt,
  countField,
  exhausted,
  jsonInt64,
  parseJson,
  parseStored,
  storedBytes,
  storedText,
  stringField,
  stringifyJson,
} from '@moulin/core'
import type { ColdTopicInfo, StoredKind, TableMetadata } from '@moulin/core'
import { placeOf } from '../places/place.ts'
import { fieldIdsFromJson, fieldIdsToJson } from './field-ids.ts'
import type { FieldIds } from './field-ids.ts'
import { emptyEntry, entryFault, entryFromJson, entryToJson } from './ledger.ts'
import type { LedgerEntry } from './ledger.ts'

const PREFIX = 'moulin.marker.'
const markerKind: StoredKind = { name: 'marker', format: 1, minimumReader: 1 }
const ledgerKind: StoredKind = { name: 'ledger', format: 1, minimumReader: 1 }
const fieldIdsKind: StoredKind = { name: 'field ids', format: 1, minimumReader: 1 }

/**
 * The table property that commits with the data: who wrote last, and what the table answers for. A claim, not a proof:
 * properties survive a rollback and a replace, so it counts only together with the snapshot that it names (see lineage).
 */
export interface Marker {
  readonly log: string
  readonly topic: string
  readonly name: string
  readonly incarnation: number
  readonly epoch: bigint
  /** Of the topic; 0 until there are leader epochs. */
  readonly leaderEpoch: number
  /** UUID of the commit that wrote it. */
  readonly commit: string
  /** The snapshot of that commit and its sequence number; null while the table has never held a row of ours. */
  readonly snapshot: bigint | null
  readonly sequence: bigint | null
  readonly ledger: readonly LedgerEntry[]
  /** Of our columns, as the catalog answered at creation; undefined while they are those that we asked for. */
  readonly fieldIds: FieldIds | undefined
}

/** Name of the property that holds a topic's marker. */
export const markerKey = (topicId: string): string => PREFIX + topicId

/** Topic ids of all markers on a table. */
export function markedTopics(metadata: TableMetadata): string[] {
  return Object.keys(metadata.properties ?? {})
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => key.slice(PREFIX.length))
}

/** The marker of a topic that has no rows yet. */
export function firstMarker(info: ColdTopicInfo, epoch: bigint, commit: string): Marker {
  return {
    log: info.logId,
    topic: info.id,
    name: info.name,
    incarnation: info.incarnation,
    epoch,
    leaderEpoch: 0,
    commit,
    snapshot: null,
    sequence: null,
    ledger: info.startOffsets.map((start, partition) => emptyEntry(info.incarnation, partition, start)),
    fieldIds: undefined,
  }
}

/** A marker as the property has it: what is large is an object, and here its name. */
export interface MarkerText extends Omit<Marker, 'ledger' | 'fieldIds'> {
  readonly ledger: readonly LedgerEntry[] | string
  readonly fieldIds: FieldIds | string | undefined
}

/** Text of a marker, and the objects that it names: to be stored before it. */
export interface WrittenMarker {
  readonly text: string
  /** Of this marker alone. */
  readonly ledger: MarkerObject | undefined
  /** The same for every marker of the topic. */
  readonly fieldIds: MarkerObject | undefined
}

/** An object that a marker names by the SHA-256 of its bytes, in hex. */
export interface MarkerObject {
  readonly name: string
  readonly bytes: Uint8Array
}

/**
 * Whatever grows leaves the text: a ledger beyond half of `maxBytes`, field ids beyond a quarter, and both where the rest has
 * no room beside them. So no number of partitions or incarnations, and no offset, is too many.
 * @throws `exhausted` where `maxBytes` does not even hold the rest.
 */
export function writeMarker(marker: Marker, maxBytes: number): WrittenMarker {
  const written = markerWith(marker, { ledgerBytes: maxBytes / 2, fieldIdsBytes: maxBytes / 4 })
  const fits = Buffer.byteLength(written.text) <= maxBytes
  const { text, ledger, fieldIds } = fits ? written : markerWith(marker, { ledgerBytes: 0, fieldIdsBytes: 0 })
  const size = Buffer.byteLength(text)
  if (size > maxBytes) {
    const { name } = marker
    const message = `The marker of topic ${name} would have ${size} bytes; the limit markerBytes is ${maxBytes}. Raise it.`
    throw exhausted('MARKER_TOO_LARGE', message, { context: { topic: name, size, limit: maxBytes } })
  }
  return { text, ledger, fieldIds }
}

/** Ledger and field ids stay in the text up to as many bytes. */
function markerWith(
  marker: Marker,
  { ledgerBytes, fieldIdsBytes }: { readonly ledgerBytes: number; readonly fieldIdsBytes: number },
): WrittenMarker {
  const { log, topic, name, incarnation, epoch, leaderEpoch, commit, snapshot, sequence } = marker
  const entries = marker.ledger.map(entryToJson)
  const isWide = stringifyJson(entries).length > ledgerBytes
  // Commit and snapshot make the name the attempt's own: one that did not happen can be removed.
  const ledger = isWide
    ? markerObject(ledgerKind, { topic, commit, snapshot: snapshot?.toString() ?? null, entries })
    : undefined
  const ids = marker.fieldIds === undefined ? null : fieldIdsToJson(marker.fieldIds)
  const fieldIds =
    ids !== null && stringifyJson(ids).length > fieldIdsBytes
      ? markerObject(fieldIdsKind, { topic, fieldIds: ids })
      : undefined
  const text = storedText(markerKind, {
    log,
    topic,
    name,
    incarnation,
    epoch: epoch.toString(),
    leaderEpoch,
    commit,
    snapshot: snapshot?.toString() ?? null,
    sequence: sequence?.toString() ?? null,
    ledger: ledger?.name ?? entries,
    fieldIds: fieldIds?.name ?? ids,
  })
  return { text, ledger, fieldIds }
}

function markerObject(kind: StoredKind, members: Readonly<Record<string, unknown>>): MarkerObject {
  const bytes = storedBytes(kind, members)
  return { name: sha256(bytes), bytes }
}

/** @throws `corrupt` for what is no ledger; `unsupported` for a later format. */
export function parseLedger(bytes: Uint8Array, what: string): LedgerEntry[] {
  return arrayField(parseStored(ledgerKind, bytes, what), 'entries', what).map(entryFromJson)
}

/** @throws `corrupt` for what are no field ids; `unsupported` for a later format. */
export function parseFieldIds(bytes: Uint8Array, what: string): FieldIds {
  return fieldIdsFromJson(parseStored(fieldIdsKind, bytes, what)['fieldIds'], what)
}

/**
 * The text of the property, without the objects that it names.
 * @throws `corrupt` for anything that {@link writeMarker} does not write; `unsupported` code `FORMAT_VERSION` for a later
 * format.
 */
export function parseMarker(text: string, what: string, maxBytes: number): MarkerText {
  const json = parseStored(markerKind, text, what, maxBytes)
  const string = (name: string): string => stringField(json, name, what)
  const int64 = (name: string): bigint => jsonInt64(json[name], `"${name}" of ${what}`)
  const ledger = json['ledger']
  const fieldIds = json['fieldIds']
  const marker: MarkerText = {
    log: string('log'),
    topic: string('topic'),
    name: string('name'),
    incarnation: countField(json, 'incarnation', what),
    epoch: int64('epoch'),
    leaderEpoch: countField(json, 'leaderEpoch', what),
    commit: string('commit'),
    snapshot: json['snapshot'] === null ? null : int64('snapshot'),
    sequence: json['sequence'] === null ? null : int64('sequence'),
    ledger: typeof ledger === 'string' ? objectName(ledger, what) : arrayField(json, 'ledger', what).map(entryFromJson),
    fieldIds:
      fieldIds === null || fieldIds === undefined
        ? undefined
        : typeof fieldIds === 'string'
          ? objectName(fieldIds, what)
          : fieldIdsFromJson(fieldIds, what),
  }
  if ((marker.snapshot === null) !== (marker.sequence === null)) {
    throw corrupt('MARKER', `${what} contradicts itself: snapshot without sequence number.`)
  }
  return marker
}

/** The log that a marker says it is of; undefined where it does not parse. Every format has this member. */
export function logOfMarker(text: string, maxBytes: number): string | undefined {
  try {
    return stringField(asObject(parseJson(text, 'marker', maxBytes), 'marker'), 'log', 'marker')
  } catch {
    // A marker that does not parse is still somebody's.
    return undefined
  }
}

function objectName(name: string, what: string): string {
  if (isObjectName(name)) return name
  throw corrupt('MARKER', `${what} names an object ${JSON.stringify(name)}, which is no SHA-256.`)
}

/** Whether this is how objects of markers are called. */
export const isObjectName = (name: string): boolean => /^[0-9a-f]{64}$/.test(name)

/** @throws `corrupt` when the numbers of a ledger contradict each other. */
export function checkLedger(ledger: readonly LedgerEntry[], what: string): void {
  const fault = ledgerFault(ledger)
  if (fault !== undefined) throw corrupt('MARKER', `${what} contradicts itself: ${fault}.`)
}

function ledgerFault(ledger: readonly LedgerEntry[]): string | undefined {
  const seen = new Set<string>()
  for (const entry of ledger) {
    const fault = entryFault(entry)
    if (fault !== undefined) return fault
    const place = placeOf(entry.incarnation, entry.partition)
    if (seen.has(place)) return `two entries for incarnation ${entry.incarnation}, partition ${entry.partition}`
    seen.add(place)
  }
  return undefined
}

/** In hex: of a marker's text, which the snapshot's summary carries, or of an object's bytes, which is its name. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/**
 * The entries of the topic's present incarnation, by partition; for partitions that the marker does not know, what they
 * begin with.
 */
export function presentLedger(marker: Marker, info: ColdTopicInfo): LedgerEntry[] {
  const known = new Map<number, LedgerEntry>()
  const ends = new Map<number, bigint>()
  for (const entry of marker.ledger) {
    const { incarnation, partition, frontier } = entry
    if (incarnation === info.incarnation) known.set(partition, entry)
    if (incarnation < info.incarnation && frontier > (ends.get(partition) ?? 0n)) ends.set(partition, frontier)
  }
  return info.startOffsets.map(
    (start, partition) => known.get(partition) ?? firstEntry(info.incarnation, partition, start, ends.get(partition)),
  )
}

// An incarnation that begins above the end of the one before has skipped what lies between: nobody knows what was there.
function firstEntry(incarnation: number, partition: number, start: bigint, end: bigint | undefined): LedgerEntry {
  if (end === undefined || end >= start) return emptyEntry(incarnation, partition, start)
  return { ...emptyEntry(incarnation, partition, end), frontier: start, skipped: start - end }
}

/** The marker's ledger with these entries in place of, or beside, its own. */
export function mergeLedger(marker: Marker, entries: readonly LedgerEntry[]): LedgerEntry[] {
  const place = (entry: LedgerEntry): string => placeOf(entry.incarnation, entry.partition)
  const merged = new Map(marker.ledger.map((entry) => [place(entry), entry] as const))
  for (const entry of entries) merged.set(place(entry), entry)
  return [...merged.values()].sort((a, b) => a.incarnation - b.incarnation || a.partition - b.partition)
}
