import { checkOptions, defaultLimits, jsonBytes, option } from '@moulin/core'
import type { Int64, OptionTable, Snapshot, SnapshotRef, TableMetadata, TableUpdate } from '@moulin/core'
import { ancestors, propertyOf } from './metadata-lookup.ts'

export interface ExpiryOptions {
  readonly nowMs: number
  /** The newest of the table, whatever their age; default 100. */
  readonly keepSnapshots?: number
  /** Younger ones stay, whatever their number; default 2 hours. */
  readonly keepMs?: number
  /** What the metadata is to stay below, as the commit leaves it; default `metadataWarnBytes`. */
  readonly maxBytes?: number
  /** Bytes that the commit adds to the metadata, about. */
  readonly addedBytes?: number
  /** Stay whatever they take: those that somebody still has to find. */
  readonly held?: ReadonlySet<bigint>
  /** Fewer than this that nobody asks for wait for more of them, unless bytes press; default 1. */
  readonly batch?: number
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
  maxBytes: option.aboutBytes,
  addedBytes: option.aboutBytes,
  held: option.door('a Set of snapshot ids', ['has']),
  batch: option.integer('', 1),
}
const optionTable: OptionTable<ExpiryOptions> = { ...keepTable, nowMs: option.required(option.milliseconds()) }

const defaults = { keepSnapshots: 100, keepMs: 2 * 60 * 60 * 1000, batch: 1 }

/**
 * Which snapshots a commit forgets, oldest first:
 *
 * 1. those that nobody asks for: older than `keepMs` and beyond the newest `keepSnapshots`;
 * 2. above an eighth of `maxBytes` also those that only `keepMs` asks for, so that a commit every second does not write
 *    thousands of snapshots each time;
 * 3. close to `maxBytes` also the newest, and what the table's properties (`history.expire.*`) or a branch
 *    (`min-snapshots-to-keep`, `max-snapshot-age-ms`) ask for.
 *
 * Never the current one, those that a branch or tag names, and those `held`. Files are not touched: whoever commits the
 * plan sees to what no snapshot names any more.
 *
 * The age goes by the clock, the number does not: a clock that jumps ahead still leaves `keepSnapshots`. A time that lies
 * ahead of now, as a clock that was wrong leaves it, says nothing of the age and keeps nobody: else there would be no end
 * to what it keeps.
 */
export function planExpiry(metadata: TableMetadata, options: ExpiryOptions): ExpiryPlan {
  checkOptions('planExpiry', options, optionTable)
  const { nowMs, maxBytes = defaultLimits.metadataWarnBytes, addedBytes = 0, batch = defaults.batch } = options
  const rising = [...(metadata.snapshots ?? [])].sort(bySequenceNumber)
  const isYoung = within(nowMs, options.keepMs ?? defaults.keepMs)
  const wanted = wantedSnapshots(metadata, rising, options)
  const held = heldSnapshots(metadata, options.held)
  const free: Snapshot[] = []
  const young: Snapshot[] = []
  const asked: Snapshot[] = []
  for (const snapshot of rising) {
    const id = idOf(snapshot)
    if (!held.has(id)) (wanted.has(id) ? asked : isYoung(snapshot) ? young : free).push(snapshot)
  }
  const sizes = metadataSize(metadata)
  const expired = new Set<bigint>()
  let bytes = sizes.total + addedBytes
  const expire = (snapshots: readonly Snapshot[], downTo: number): void => {
    for (const snapshot of snapshots) {
      if (bytes <= downTo) return
      expired.add(idOf(snapshot))
      bytes -= sizes.of(snapshot)
    }
  }
  const much = maxBytes / 8
  // More than is needed goes at once: not every commit is to have something to forget.
  if (free.length >= batch || bytes > much) expire(free, -Infinity)
  if (bytes > much) expire(young, (much * 7) / 8)
  if (bytes > (maxBytes * 7) / 8) expire(asked, (maxBytes * 3) / 4)
  if (expired.size === 0) return { updates: [], snapshotIds: [] }
  const ids: Int64[] = rising.map((snapshot) => snapshot['snapshot-id']).filter((id) => expired.has(BigInt(id)))
  return { updates: [{ action: 'remove-snapshots', 'snapshot-ids': ids }], snapshotIds: ids.map((id) => BigInt(id)) }
}

// The current one, and what refs name.
function heldSnapshots(metadata: TableMetadata, others: ReadonlySet<bigint> = new Set()): Set<bigint> {
  const held = new Set(others)
  const current = metadata['current-snapshot-id']
  if (current !== undefined && current !== null) held.add(BigInt(current))
  for (const ref of Object.values(metadata.refs ?? {})) held.add(BigInt(ref['snapshot-id']))
  return held
}

// The newest, those that the table's properties keep, and what each branch keeps by its own settings.
function wantedSnapshots(
  metadata: TableMetadata,
  rising: readonly Snapshot[],
  { nowMs, keepSnapshots = defaults.keepSnapshots }: ExpiryOptions,
): Set<bigint> {
  const count = Math.max(keepSnapshots, minSnapshots(metadata))
  const ageMs = maxAgeMs(metadata)
  const isKept = ageMs === 0 ? () => false : within(nowMs, ageMs)
  const wanted = new Set(rising.filter((snapshot, at) => at >= rising.length - count || isKept(snapshot)).map(idOf))
  for (const ref of Object.values(metadata.refs ?? {})) {
    if (ref.type === 'branch') for (const id of keptByBranch(metadata, ref, nowMs)) wanted.add(id)
  }
  return wanted
}

/** Bytes of the JSON, about, and what goes with a snapshot: its entry in the log, and its statistics. */
function metadataSize(metadata: TableMetadata): { readonly total: number; of(snapshot: Snapshot): number } {
  const { snapshots, statistics, 'partition-statistics': partitionStatistics, ...rest } = metadata
  const sizes = new Map<bigint, number>()
  let total = sizeOf(rest)
  const add = (members: readonly unknown[], ofLog: number): void => {
    for (const member of members) {
      const size = sizeOf(member) + 1
      const id = idOf(member as Snapshot)
      sizes.set(id, (sizes.get(id) ?? ofLog) + size)
      total += size
    }
  }
  add(snapshots ?? [], (metadata['snapshot-log'] ?? []).length > 0 ? LOG_ENTRY_BYTES : 0)
  add(statistics ?? [], 0)
  add(partitionStatistics ?? [], 0)
  return { total, of: (snapshot) => sizes.get(idOf(snapshot))! }
}

const LOG_ENTRY_BYTES = 64
const sizeOf = (json: unknown): number => jsonBytes(json).length

function* keptByBranch(metadata: TableMetadata, ref: SnapshotRef, nowMs: number): Generator<bigint> {
  const count = ref['min-snapshots-to-keep'] ?? 0
  const age = ref['max-snapshot-age-ms']
  if (count === 0 && age === undefined) return
  const isYoung = age === undefined ? () => false : within(nowMs, Number(age))
  let seen = 0
  for (const snapshot of ancestors(metadata, ref['snapshot-id'])) {
    if (seen++ < count || isYoung(snapshot)) yield idOf(snapshot)
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

/** Snapshots of one moment are dated one millisecond after the other, so ahead of the clock. */
const AHEAD_MS = 60_000

/** Whether a snapshot is of the last `ms`, and not of a time to come. */
function within(nowMs: number, ms: number): (snapshot: Snapshot) => boolean {
  return ({ 'timestamp-ms': time }) => Number(time) >= nowMs - ms && Number(time) <= nowMs + AHEAD_MS
}

const idOf = (snapshot: Snapshot): bigint => BigInt(snapshot['snapshot-id'])

function bySequenceNumber(a: Snapshot, b: Snapshot): number {
  return BigInt(a['sequence-number']) < BigInt(b['sequence-number']) ? -1 : 1
}
