import { checkOptions, option } from '@moulin/core'
import type { Int64, OptionTable, Snapshot, SnapshotRef, TableMetadata, TableUpdate } from '@moulin/core'
import { ancestors, propertyOf } from './metadata-lookup.ts'

export interface ExpiryOptions {
  readonly nowMs: number
  /** The newest of the table, whatever their age; default 100. */
  readonly keepSnapshots?: number
  /** Younger ones stay, whatever their number; default 2 hours. */
  readonly keepMs?: number
}

export interface ExpiryPlan {
  /** None when nothing expires. */
  readonly updates: readonly TableUpdate[]
  readonly snapshotIds: readonly bigint[]
}

/** What may be kept, for all who pass it on. */
export const keepTable: OptionTable<Omit<ExpiryOptions, 'nowMs'>> = {
  keepSnapshots: option.integer('', 0),
  keepMs: option.milliseconds(),
}
const optionTable: OptionTable<ExpiryOptions> = { ...keepTable, nowMs: option.required(option.milliseconds()) }

const defaults = { keepSnapshots: 100, keepMs: 2 * 60 * 60 * 1000 }

/**
 * Which snapshots a commit forgets: those older than `keepMs` *and* beyond the newest `keepSnapshots`. Snapshots that a
 * branch or tag names stay, and so does what a branch asks for itself (`min-snapshots-to-keep`, `max-snapshot-age-ms`)
 * or the table's properties (`history.expire.*`) ask for beyond our own numbers. Files are not touched: removing what
 * no snapshot names any more is maintenance.
 *
 * The age goes by the clock, the number does not: a clock that jumps ahead still leaves `keepSnapshots`.
 */
export function planExpiry(metadata: TableMetadata, options: ExpiryOptions): ExpiryPlan {
  checkOptions('planExpiry', options, optionTable)
  const keepSnapshots = Math.max(options.keepSnapshots ?? defaults.keepSnapshots, minSnapshots(metadata))
  const keepMs = Math.max(options.keepMs ?? defaults.keepMs, maxAgeMs(metadata))
  const oldest = options.nowMs - keepMs
  const rising = [...(metadata.snapshots ?? [])].sort(bySequenceNumber)
  const candidates = rising.slice(0, Math.max(0, rising.length - keepSnapshots)).filter((s) => timeOf(s) < oldest)
  if (candidates.length === 0) return { updates: [], snapshotIds: [] }
  const named = namedSnapshots(metadata, options.nowMs)
  const expired = candidates.filter((snapshot) => !named.has(BigInt(snapshot['snapshot-id'])))
  if (expired.length === 0) return { updates: [], snapshotIds: [] }
  const ids: Int64[] = expired.map((snapshot) => snapshot['snapshot-id'])
  return {
    updates: [{ action: 'remove-snapshots', 'snapshot-ids': ids }],
    snapshotIds: ids.map((id) => BigInt(id)),
  }
}

// What refs name, and what each branch keeps by its own settings.
function namedSnapshots(metadata: TableMetadata, nowMs: number): Set<bigint> {
  const named = new Set<bigint>()
  for (const ref of Object.values(metadata.refs ?? {})) {
    named.add(BigInt(ref['snapshot-id']))
    if (ref.type === 'branch') for (const id of keptByBranch(metadata, ref, nowMs)) named.add(id)
  }
  return named
}

function* keptByBranch(metadata: TableMetadata, ref: SnapshotRef, nowMs: number): Generator<bigint> {
  const count = ref['min-snapshots-to-keep'] ?? 0
  const age = ref['max-snapshot-age-ms']
  if (count === 0 && age === undefined) return
  const oldest = age === undefined ? Infinity : nowMs - Number(age)
  let seen = 0
  for (const snapshot of ancestors(metadata, ref['snapshot-id'])) {
    if (seen++ < count || timeOf(snapshot) >= oldest) yield BigInt(snapshot['snapshot-id'])
  }
}

function minSnapshots(metadata: TableMetadata): number {
  return countOf(propertyOf(metadata, 'history.expire.min-snapshots-to-keep'))
}

function maxAgeMs(metadata: TableMetadata): number {
  return countOf(propertyOf(metadata, 'history.expire.max-snapshot-age-ms'))
}

// A property that is no number asks for nothing: expiry then keeps what it keeps anyway.
const countOf = (text: string | undefined): number => (text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0)

const timeOf = (snapshot: Snapshot): number => Number(snapshot['timestamp-ms'])

function bySequenceNumber(a: Snapshot, b: Snapshot): number {
  return BigInt(a['sequence-number']) < BigInt(b['sequence-number']) ? -1 : 1
}
