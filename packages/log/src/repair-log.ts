import {
  checkOptions,
  conflict,
  corrupt,
  defaultLimits,
  formatCaps,
  getIfThere,
  guardedRuntime,
  isKind,
  folderOf,
  loadStored,
  notFound,
  option,
  storedBytes,
  stringField,
  systemRuntime,
  withDefaults,
  type ColdTier,
  type Limits,
  type ObjectStore,
  type OptionTable,
  type Runtime,
} from '@moulin/core'
import { checkpointStore, type StoredCheckpoint, type StoredCheckpointTopic } from './stored/checkpoint-store.ts'
import { PROBE_PREFIX } from './stored/log-identity.ts'
import { loadEntry, SCHEMAS } from './stored/schema-ledger.ts'
import { identityKind } from './stored/stored-kinds.ts'
import { tableFrontiers } from './tiering/table-frontiers.ts'
import { topicStore, type TopicRecord } from './stored/topic-store.ts'
import { damagedInfo, listEpochs, newestInfo } from './wal/file/epoch-folder.ts'
import { parsePartitionKey, partitionKey } from './wal/file/life-partition.ts'
import type { GivenUp, PartitionBounds, RepairEvidence } from './wal/repair/repair-selection.ts'
import { filesToSetAside, repairWal, salvageWal, type WalSalvage } from './wal/repair/repair-wal.ts'

const IDENTITY = 'moulin.json'
const ASIDE = 'log/repair/'

export interface RepairLogOptions {
  readonly store: ObjectStore
  /** Folder of the write-ahead files: what `fileWal` was given. */
  readonly walDir: string | URL
  /** What the log's tables have need not be given up. Not closed. Without one, the write-ahead files alone count. */
  readonly tier?: ColdTier
  readonly runtime?: Runtime
  readonly limits?: Partial<Limits>
}

const optionTable: OptionTable<RepairLogOptions> = {
  store: option.required(option.storeCheck),
  walDir: option.required(option.place),
  tier: option.door('a ColdTier', ['attach', 'close']),
  runtime: option.runtimeCheck,
  limits: option.someLimits,
}

/** Something stored that cannot be read as it was written. */
export interface Damage {
  /** Path of a segment file or of an epoch's `open.json`, or key of an object. */
  readonly place: string
  /** Where in a segment file the good frames end; null for an object. */
  readonly position: number | null
  readonly reason: string
  /**
   * What {@link repairLog} does: `set aside` moves the good records of a segment file and keeps the file; `rewrite` keeps an object and
   * writes it anew from what the write-ahead files say; `pass over`: nothing, since the one before it counts; `restore`: nothing, since only
   * a copy from a backup helps, of any age, because such an object never changes.
   */
  readonly remedy: 'set aside' | 'rewrite' | 'pass over' | 'restore'
}

/** Offsets that cannot be kept. New records of the partition begin at `from`. */
export interface GivenUpRange extends GivenUp {
  /** Undefined when neither a topic nor the checkpoint that can be read has this id. */
  readonly topic: string | undefined
}

/** What is damaged, and what a repair would do. */
export interface RepairPlan {
  readonly logId: string
  readonly damages: readonly Damage[]
  readonly givenUp: readonly GivenUpRange[]
  /** Whether {@link repairLog} would change anything. */
  readonly isNeeded: boolean
}

/**
 * Looks for what keeps a log from being opened: damaged segments, checkpoints, topics, schemas, `moulin.json`. Changes nothing.
 * @throws `conflict` code `WRITER_ALIVE`; `not-found` code `WAL_MISSING`; `unsupported` for what a later version wrote; `corrupt` code `OTHER_LOG`
 * for write-ahead data of another log, `NO_IDENTITY`, `NO_CHECKPOINT` when too much is damaged at once; `unavailable` while the catalog does not answer.
 */
export async function planRepair(options: RepairLogOptions): Promise<RepairPlan> {
  return (await look('planRepair', options)).plan
}

/**
 * Does exactly this plan, under a new epoch that fences every other writer. Nothing that was damaged is deleted: it is kept below
 * `log/repair/`, and in the folder of the write-ahead files below `repair/`. Cut off in the middle it can be planned and done again.
 * @throws `conflict` code `PLAN_CHANGED` when the log is not as it was, `RESTORE_FIRST`, `WRITER_ALIVE`; whatever the disk and the store throw.
 */
export async function repairLog(options: RepairLogOptions, plan: RepairPlan): Promise<void> {
  checkPlan(plan)
  const first = plan.damages.find(({ remedy }) => remedy === 'restore')
  if (first !== undefined) {
    const sentence = `${first.place} must come back from a backup first: until then nobody can tell what need not be given up.`
    throw conflict('RESTORE_FIRST', sentence, { context: { key: first.place } })
  }
  const seen = await look('repairLog', options)
  checkSame(seen.plan, plan)
  const { store } = options
  const dir = folderOf('repairLog', options.walDir)
  const { runtime, limits, evidence } = seen
  const { logId } = plan
  for (const { place, remedy } of plan.damages) {
    if (remedy !== 'rewrite') continue
    await keepCopy(store, place)
    if (place === IDENTITY) await store.put(place, storedBytes(identityKind, { logId, root: store.root }, 2))
  }
  if (!seen.needsEpoch) return
  await repairWal(
    { runtime, limits, dir, logId, evidence, store },
    (found) => checkSame({ ...plan, givenUp: namedRanges(found, seen.named) }, plan),
    async (epoch, found) => {
      const checkpoints = checkpointStore(store, { logId, runtime })
      await checkpoints.write({ epoch, topics: [] }, entriesOf(seen, found))
      // The next writer does it.
      await checkpoints.removeOlder().catch(() => undefined)
    },
  )
}

function checkPlan(plan: unknown): void {
  const of = option.door('the plan that planRepair gave', [], ['logId', 'damages', 'givenUp'])
  checkOptions('repairLog', { plan }, { plan: option.required(of) })
}

interface Seen {
  readonly plan: RepairPlan
  readonly runtime: Runtime
  readonly limits: Limits
  readonly topics: readonly TopicRecord[]
  readonly checkpoint: StoredCheckpoint | undefined
  readonly named: readonly { id: string; name: string }[]
  readonly evidence: RepairEvidence
  /** Whether write-ahead data moves, or a checkpoint is made. */
  readonly needsEpoch: boolean
}

async function look(what: string, options: RepairLogOptions): Promise<Seen> {
  checkOptions(what, options, optionTable)
  const { store } = options
  const runtime = guardedRuntime(options.runtime ?? systemRuntime())
  const dir = folderOf(what, options.walDir)
  const limits = withDefaults<Limits>(defaultLimits, options.limits)
  const damages: Damage[] = []
  const damaged = (place: string, error: Error, remedy: Damage['remedy']): void => {
    damages.push({ place, position: null, reason: error.message, remedy })
  }

  const logId = await ifWhole(identityOf(store), (error) => damaged(IDENTITY, error, 'rewrite'))
  const at = { logId: logId ?? (await logIdOf(dir, options, runtime)), limits, runtime }
  if (logId === undefined) await refuseEmpty(store, dir, at.logId)
  const topics = await topicsOf(store, at, damaged)
  for await (const { key } of store.list({ prefix: SCHEMAS })) {
    await ifWhole(loadEntry(store, key), (error) => damaged(key, error, 'restore'))
  }

  const bad: [key: string, error: Error][] = []
  const checkpoint = await ifWhole(
    checkpointStore(store, at).newest((...each) => bad.push(each)),
    () => undefined,
  )
  const isLost = checkpoint === undefined && bad.length > 0
  const frontiers =
    options.tier === undefined
      ? new Map<string, bigint>()
      : await tableFrontiers(options.tier, topics, { store, ...at })
  const bounds = isLost ? undefined : boundsOf(checkpoint)
  const evidence = { bounds, isStale: bad.length > 0, starts: startsOf(topics), frontiers }
  const unreadable = await damagedInfo(runtime.files, dir)
  if (unreadable !== undefined) damaged(unreadable.path, unreadable.error, 'restore')
  const found = unreadable === undefined ? await salvageWal({ runtime, dir, logId: at.logId, evidence }) : undefined
  if (unreadable === undefined && found === undefined && (checkpoint !== undefined || isLost)) {
    const message = `${store.name} has been written before, but its write-ahead data is not in ${dir}: restore that folder. A repair cannot make it up.`
    throw notFound('WAL_MISSING', message, { context: { dir } })
  }
  const isRewritten = isLost || (found?.isReleasedFurther ?? false)
  for (const [key, error] of bad) damaged(key, error, isRewritten ? 'rewrite' : 'pass over')
  for (const { file, position, reason } of found?.segments.flatMap((segment) => segment.damages) ?? []) {
    damages.push({ place: file, position, reason, remedy: 'set aside' })
  }
  const named = [...topics, ...(checkpoint?.topics ?? [])]
  const givenUp = found === undefined ? [] : namedRanges(found, named)
  const needsEpoch = found !== undefined && (isRewritten || givenUp.length > 0 || filesToSetAside(found).length > 0)
  const plan = { logId: at.logId, damages, givenUp, isNeeded: needsEpoch || logId === undefined }
  return { plan, runtime, limits, topics, checkpoint, named, evidence, needsEpoch }
}

/** Undefined, and told, for what is damaged; undefined for what needs a newer reader, which is not damage. */
async function ifWhole<T>(reading: Promise<T>, onDamaged: (error: Error) => void): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (!isKind(error, 'corrupt')) throw error
    onDamaged(error)
    return undefined
  }
}

async function identityOf(store: ObjectStore): Promise<string> {
  const json = await loadStored(store, identityKind, IDENTITY, formatCaps.maxJsonBytes)
  if (json === undefined) throw corrupt('NO_IDENTITY', `${store.name} ${IDENTITY} is missing.`)
  return stringField(json, 'logId', IDENTITY)
}

async function logIdOf(dir: string, { store }: RepairLogOptions, { files }: Runtime): Promise<string> {
  const info = await newestInfo(files, dir, await listEpochs(files, dir))
  if (info !== undefined) return info.logId
  throw corrupt(
    'NO_IDENTITY',
    `Neither ${store.name} ${IDENTITY} nor ${dir} says which log this is: restore one of them.`,
  )
}

/** A place without anything of a log is a wrong one, not one that has lost a little. @throws `corrupt` code `OTHER_LOG`. */
async function refuseEmpty(store: ObjectStore, dir: string, logId: string): Promise<void> {
  if ((await store.head(IDENTITY)) !== undefined) return
  for await (const { key } of store.list({ prefix: 'log/' })) if (!key.startsWith(PROBE_PREFIX)) return
  const message = `${store.name} holds nothing of a log, and ${dir} the write-ahead data of log ${logId}: name the place of that log.`
  throw corrupt('OTHER_LOG', message, { context: { dir, found: logId } })
}

/** Those that can be read. */
async function topicsOf(
  store: ObjectStore,
  at: { limits: Limits; runtime: Runtime },
  damaged: (place: string, error: Error, remedy: Damage['remedy']) => void,
): Promise<TopicRecord[]> {
  const topics = topicStore(store, at)
  const records: TopicRecord[] = []
  for (const name of await topics.everNamed()) {
    const bad: [key: string, error: Error][] = []
    try {
      const newest = await topics.newest(name, (...each) => bad.push(each))
      if (newest !== undefined) records.push(newest.record)
      for (const [key, error] of bad) damaged(key, error, 'pass over')
    } catch (error) {
      // One that needs a newer reader is not damage: it refuses only itself.
      if (!isKind(error, 'corrupt') && !isKind(error, 'unsupported')) throw error
      for (const [key, reason] of bad) damaged(key, reason, 'restore')
    }
  }
  return records
}

function boundsOf(checkpoint: StoredCheckpoint | undefined): Map<string, PartitionBounds> {
  const bounds = new Map<string, PartitionBounds>()
  for (const { id: topicId, incarnation, next, released } of checkpoint?.topics ?? []) {
    next.forEach((end, partition) => {
      bounds.set(partitionKey({ topicId, incarnation, partition }), { released: released[partition]!, next: end })
    })
  }
  return bounds
}

function startsOf(topics: readonly TopicRecord[]): Map<string, bigint> {
  const starts = new Map<string, bigint>()
  for (const { id: topicId, incarnation, start } of topics) {
    start.forEach((offset, partition) => starts.set(partitionKey({ topicId, incarnation, partition }), offset))
  }
  return starts
}

function namedRanges({ givenUp }: WalSalvage, topics: readonly { id: string; name: string }[]): GivenUpRange[] {
  return givenUp.map((range) => ({ ...range, topic: topics.find(({ id }) => id === range.topicId)?.name }))
}

/**
 * Where every partition stands now, in every incarnation of which something is known: by the checkpoint, by a topic that is newer, or by
 * sections alone, whose topic this version may not be able to read.
 */
function entriesOf(
  { checkpoint, topics, named, evidence: { starts } }: Seen,
  { ends }: WalSalvage,
): StoredCheckpointTopic[] {
  const entries = new Map<string, StoredCheckpointTopic>()
  const add = (entry: StoredCheckpointTopic): void => {
    const life = `${entry.id}/${entry.incarnation}`
    if (!entries.has(life)) entries.set(life, entry)
  }
  checkpoint?.topics.forEach(add)
  for (const { name, id, incarnation, config } of topics) add(emptyEntry(name, id, incarnation, config.partitions))
  const found = [...ends.keys()].map(parsePartitionKey)
  for (const { topicId, incarnation } of found) {
    const ofLife = found.filter((each) => each.topicId === topicId && each.incarnation === incarnation)
    const partitions = Math.max(...ofLife.map(({ partition }) => partition)) + 1
    add(emptyEntry(named.find(({ id }) => id === topicId)?.name ?? topicId, topicId, incarnation, partitions))
  }
  return [...entries.values()].map((entry) => {
    const { id: topicId, incarnation } = entry
    const at = entry.next.map((_, partition) => {
      const key = partitionKey({ topicId, incarnation, partition })
      const start = starts.get(key) ?? 0n
      return ends.get(key) ?? { next: start, released: start }
    })
    const next = at.map((end) => end.next)
    const released = at.map((end) => end.released)
    const now = { next, released, recovered: next }
    return { ...entry, ...now, json: { ...entry.json, ...now } }
  })
}

function emptyEntry(name: string, id: string, incarnation: number, partitions: number): StoredCheckpointTopic {
  const zeros = Array.from({ length: partitions }, () => 0n)
  const json = { name, id, incarnation, logStart: [], stable: [], leaderEpoch: [] }
  return { name, id, incarnation, next: zeros, released: zeros, recovered: zeros, confirmed: undefined, json }
}

async function keepCopy(store: ObjectStore, key: string): Promise<void> {
  const object = await getIfThere(store, key)
  if (object === undefined) return
  for (let copy = 0; ; copy++) {
    try {
      await store.put(`${ASIDE}${key.replaceAll('/', '-')}.${copy}`, object.bytes, { mode: 'create' })
      return
    } catch (error) {
      if (!isKind(error, 'exists')) throw error
    }
  }
}

function checkSame(found: RepairPlan, confirmed: RepairPlan): void {
  const text = (plan: RepairPlan): string =>
    JSON.stringify(plan, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  if (text(found) === text(confirmed)) return
  throw conflict('PLAN_CHANGED', 'The log is not as it was when the plan was made: plan again.')
}
