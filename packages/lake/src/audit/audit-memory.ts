import {
  arrayField,
  corrupt,
  countField,
  jsonInt64,
  loadStored,
  storedBytes,
  storedCheck,
  stringField,
} from '@moulin/core'
import type { CallOptions, JsonValue, ObjectStore, OffsetRange, StoredKind } from '@moulin/core'

const PREFIX = 'log/audits/'
const kind: StoredKind = { name: 'audit', format: 1, minimumReader: 1 }

/** Offsets of one (incarnation, partition) whose rows a deep audit found deleted. */
export interface DeletedOffsets {
  readonly incarnation: number
  readonly partition: number
  /** What the table answered for then: `[start, frontier)`. */
  readonly start: bigint
  readonly frontier: bigint
  /** How many there are, those that `ranges` has no room for too. */
  readonly count: bigint
  /** The first of them: rising and apart. */
  readonly ranges: readonly OffsetRange[]
}

/** What the last deep audit of a writer found deleted of a topic. Layout: docs/formats/log.md. */
export interface AuditMemory {
  readonly topic: string
  /** Of the table that was audited; null for one without. */
  readonly snapshot: bigint | null
  /** Wall time, milliseconds since the epoch. */
  readonly timeMs: number
  readonly deleted: readonly DeletedOffsets[]
  /** Snapshots of others that have added files of the log again, whose returned rows were told. */
  readonly addedBy: readonly bigint[]
}

export const keyOfAudits = (topic: string): string => `${PREFIX}${topic}`

/**
 * Undefined where no audit has found anything yet.
 * @throws `unsupported` code `FORMAT_VERSION` for one of a later format; `corrupt` for one that is none.
 */
export async function loadAuditMemory(
  store: ObjectStore,
  topic: string,
  { signal }: CallOptions,
): Promise<AuditMemory | undefined> {
  const key = keyOfAudits(topic)
  const what = `the record of audits ${key}`
  const json = await loadStored(store, kind, key, MAX_BYTES, signal)
  if (json === undefined) return undefined
  if (stringField(json, 'topic', what) !== topic) throw malformed(what, `topic ${JSON.stringify(json['topic'])}`)
  return {
    topic,
    snapshot: json['snapshot'] === null ? null : jsonInt64(json['snapshot'], `"snapshot" of ${what}`),
    timeMs: countField(json, 'timeMs', what),
    deleted: arrayField(json, 'deleted', what).map((entry) => deletedIn(entry, what)),
    addedBy:
      json['addedBy'] === undefined
        ? []
        : arrayField(json, 'addedBy', what).map((id) => jsonInt64(id, `"addedBy" of ${what}`)),
  }
}

/** In place of what an earlier audit found. */
export async function storeAuditMemory(store: ObjectStore, memory: AuditMemory, call: CallOptions): Promise<void> {
  const deleted = memory.deleted.map(({ incarnation, partition, start, frontier, count, ranges }) => [
    incarnation,
    partition,
    String(start),
    String(frontier),
    String(count),
    ranges.map(({ from, to }) => [String(from), String(to)]),
  ])
  const snapshot = memory.snapshot === null ? null : String(memory.snapshot)
  const members = { ...memory, snapshot, deleted, addedBy: memory.addedBy.map(String) }
  await store.put(keyOfAudits(memory.topic), storedBytes(kind, members), call)
}

/** A reader's: some ten times what is written at most, see {@link rememberedRanges}. */
const MAX_BYTES = 64 * 1024 * 1024

/** Ranges of all partitions together that are remembered; of what lies beyond, only how much it is. */
export const rememberedRanges = 100_000

function deletedIn(entry: JsonValue, what: string): DeletedOffsets {
  const [incarnation, partition, start, frontier, count, ranges] = storedCheck.array(entry, `an entry of ${what}`)
  const found = {
    incarnation: storedCheck.int(incarnation, `an incarnation of ${what}`),
    partition: storedCheck.int(partition, `a partition of ${what}`),
    start: jsonInt64(start, `a start of ${what}`),
    frontier: jsonInt64(frontier, `a frontier of ${what}`),
    count: jsonInt64(count, `a count of ${what}`),
    ranges: storedCheck.array(ranges, `the ranges of ${what}`).map((range) => {
      const [from, to] = storedCheck.array(range, `a range of ${what}`)
      return { from: jsonInt64(from, `a range of ${what}`), to: jsonInt64(to, `a range of ${what}`) }
    }),
  }
  let last = found.start - 1n
  let listed = 0n
  for (const { from, to } of found.ranges) {
    if (from <= last || to <= from || to > found.frontier) throw malformed(what, `the range [${from}, ${to})`)
    last = to
    listed += to - from
  }
  if (found.count < listed) throw malformed(what, `${found.count} offsets in ranges of ${listed}`)
  return found
}

function malformed(what: string, found: string): Error {
  const message =
    `${what} has ${found}. It says what the last deep audit found deleted: put a copy from a backup back, ` +
    'or delete it, and rows that have come back since are not noticed.'
  return corrupt('AUDIT_RECORD', message, { context: { what } })
}
