import { createHash } from 'node:crypto'
import { corrupt, exhausted, jsonInt64, parseJson, stringifyJson } from '@moulin/core'
import type { ColdTopicInfo, JsonValue, TableMetadata } from '@moulin/core'
import { emptyEntry, entryFault, entryFromJson, entryToJson } from './ledger.ts'
import type { LedgerEntry } from './ledger.ts'

const PREFIX = 'moulin.marker.'
const VERSION = 1

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
  /** UUID of the commit that wrote it. */
  readonly commit: string
  /** The snapshot of that commit and its sequence number; null while the table has never held a row of ours. */
  readonly snapshot: bigint | null
  readonly sequence: bigint | null
  readonly ledger: readonly LedgerEntry[]
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
    commit,
    snapshot: null,
    sequence: null,
    ledger: info.startOffsets.map((start, partition) => emptyEntry(info.incarnation, partition, start)),
  }
}

/** @throws `exhausted` above `maxBytes`: a table's metadata is read by everyone, so its properties stay small. */
export function markerText(marker: Marker, maxBytes: number): string {
  const { log, topic, name, incarnation, epoch, commit, snapshot, sequence, ledger } = marker
  const text = stringifyJson({
    version: VERSION,
    log,
    topic,
    name,
    incarnation,
    epoch: epoch.toString(),
    commit,
    snapshot: snapshot?.toString() ?? null,
    sequence: sequence?.toString() ?? null,
    ledger: ledger.map(entryToJson),
  })
  const size = Buffer.byteLength(text)
  if (size > maxBytes) {
    const message =
      `The marker of topic ${name} would have ${size} bytes for ${ledger.length} ledger entries; ` +
      `the limit markerBytes is ${maxBytes}. Use fewer partitions.`
    throw exhausted('MARKER_TOO_LARGE', message, { context: { topic: name, size, limit: maxBytes } })
  }
  return text
}

/** @throws `corrupt` for anything that {@link markerText} does not write, also when its numbers contradict each other. */
export function parseMarker(text: string, what: string, maxBytes: number): Marker {
  const json = parseJson(text, what, maxBytes) as Record<string, JsonValue> | null
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw corrupt('MARKER', `${what} is no object.`)
  if (json['version'] !== VERSION) {
    throw corrupt('MARKER', `${what} has version ${String(json['version'])}; this version reads ${VERSION}.`)
  }
  const string = (name: string): string => {
    const value = json[name]
    if (typeof value !== 'string') throw corrupt('MARKER', `${what} has no text "${name}".`)
    return value
  }
  const int64 = (name: string): bigint => jsonInt64(json[name], `"${name}" of ${what}`)
  const ledger = json['ledger']
  if (!Array.isArray(ledger)) throw corrupt('MARKER', `${what} has no ledger.`)
  const marker: Marker = {
    log: string('log'),
    topic: string('topic'),
    name: string('name'),
    incarnation: Number(int64('incarnation')),
    epoch: int64('epoch'),
    commit: string('commit'),
    snapshot: json['snapshot'] === null ? null : int64('snapshot'),
    sequence: json['sequence'] === null ? null : int64('sequence'),
    ledger: ledger.map(entryFromJson),
  }
  const fault = markerFault(marker)
  if (fault !== undefined) throw corrupt('MARKER', `${what} contradicts itself: ${fault}.`)
  return marker
}

function markerFault(marker: Marker): string | undefined {
  if ((marker.snapshot === null) !== (marker.sequence === null)) return 'snapshot without sequence number'
  const seen = new Set<string>()
  for (const entry of marker.ledger) {
    const fault = entryFault(entry)
    if (fault !== undefined) return fault
    const place = `${entry.incarnation}.${entry.partition}`
    if (seen.has(place)) return `two entries for incarnation ${entry.incarnation}, partition ${entry.partition}`
    seen.add(place)
  }
  return undefined
}

/** SHA-256 of the marker's text, hex: the snapshot's summary carries it. */
export function markerHash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The entries of the topic's present incarnation, by partition; empty ones for partitions that the marker does not know. */
export function presentLedger(marker: Marker, info: ColdTopicInfo): LedgerEntry[] {
  const known = new Map(
    marker.ledger
      .filter(({ incarnation }) => incarnation === info.incarnation)
      .map((entry) => [entry.partition, entry] as const),
  )
  return info.startOffsets.map(
    (start, partition) => known.get(partition) ?? emptyEntry(info.incarnation, partition, start),
  )
}

/** The marker's ledger with these entries in place of, or beside, its own. */
export function mergeLedger(marker: Marker, entries: readonly LedgerEntry[]): LedgerEntry[] {
  const place = (entry: LedgerEntry): string => `${entry.incarnation}.${entry.partition}`
  const merged = new Map(marker.ledger.map((entry) => [place(entry), entry] as const))
  for (const entry of entries) merged.set(place(entry), entry)
  return [...merged.values()].sort((a, b) => a.incarnation - b.incarnation || a.partition - b.partition)
}
