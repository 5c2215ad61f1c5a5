import {
  conflict,
  corrupt,
  defaultLimits,
  isKind,
  loadStored,
  storedBytes,
  stringField,
  systemRuntime,
  type Limits,
  type ObjectStore,
  type Runtime,
} from '@moulin/core'
import { checkpointStore, type CheckpointTopic, type StoredCheckpoint } from './checkpoint-store.ts'
import { epochClaims } from './epoch-claims.ts'
import { identityKind, schemaKind } from './stored-kinds.ts'
import { topicStore, type TopicRecord } from './topic-store.ts'
import { listEpochs, newestInfo } from './wal/epoch-folder.ts'
import { partitionKey, type GivenUp, type PartitionBounds } from './wal/repair-selection.ts'
import { filesToSetAside, repairWal, salvageWal, type WalSalvage } from './wal/repair-wal.ts'

const IDENTITY = 'moulin.json'
const CHECKPOINTS = 'log/checkpoints/'
const TOPICS = 'log/topics/'
const SCHEMAS = 'log/schemas/'
const ASIDE = 'log/repair/'

export interface RepairLogOptions {
  readonly store: ObjectStore
  /** Folder of the write-ahead files: what `fileWal` was given. */
  readonly walDir: string
  readonly runtime?: Runtime
  readonly limits?: Partial<Limits>
  /** Does exactly this plan, which {@link planRepair} gave, or throws `conflict` code `PLAN_CHANGED`. Without it nothing is changed. */
  readonly plan?: RepairPlan
}

/** Something stored that cannot be read as it was written. */
export interface Damage {
  /** Path of a file, or key of an object. */
  readonly place: string
  /** Of the first bad byte's frame, in a segment file. */
  readonly position: number | null
  readonly reason: string
  /** What {@link repairLog} does about it; null where it can only tell: restore that object from a backup. */
  readonly remedy: 'set aside' | 'rewrite' | 'keep the one before' | null
}

/** Offsets that cannot be kept. New records of the partition begin at `from`. */
export interface GivenUpRange extends GivenUp {
  /** Undefined when no topic that can be read has this id. */
  readonly topic: string | undefined
}

/** What is damaged, and what a repair would do: print it before it is done. Nothing is ever deleted. */
export interface RepairPlan {
  readonly logId: string
  readonly damages: readonly Damage[]
  readonly givenUp: readonly GivenUpRange[]
  /** Whether {@link repairLog} would change anything. */
  readonly isNeeded: boolean
}

/**
 * Looks for what keeps a log from being opened: damaged segments, checkpoints, topics, schemas, `moulin.json`. Changes nothing.
 * @throws `conflict` while a writer runs; `unsupported` for what a later version wrote; `corrupt` when no part of the log says whose it is.
 */
export async function planRepair(options: RepairLogOptions): Promise<RepairPlan> {
  return (await look(options)).plan
}

/**
 * Does what the plan says, under a new epoch that fences every other writer: files and objects that leave the log stay below
 * `log/repair/`. Cut off in the middle it can be done again, with a new plan.
 * @throws `conflict` code `PLAN_CHANGED`, `WRITER_ALIVE`; whatever the disk and the store throw.
 */
export async function repairLog(options: RepairLogOptions & { readonly plan: RepairPlan }): Promise<void> {
  const seen = await look(options)
  checkSame(seen.plan, options.plan)
  if (!seen.plan.isNeeded) return
  const { store } = options
  const { runtime, limits } = seen
  for (const { place, remedy } of seen.plan.damages) {
    if (remedy === 'rewrite') await rewriteIdentity(store, seen.plan.logId)
    if (remedy === 'set aside' && place.startsWith(CHECKPOINTS)) await moveAside(store, place)
  }
  if (seen.salvage === undefined || !needsNewEpoch(seen)) return
  const { logId } = seen.plan
  await repairWal(
    { runtime, limits, dir: options.walDir, logId, bounds: seen.bounds, claimEpoch: epochClaims(store, limits) },
    (found) => checkSame({ ...seen.plan, givenUp: namedRanges(found, seen.topics) }, options.plan),
    async (epoch, found) => {
      const checkpoints = checkpointStore(store, { logId, limits, runtime })
      await checkpoints.write({ epoch, topics: checkpointTopics(seen, found) })
    },
  )
}

interface Seen {
  readonly plan: RepairPlan
  readonly runtime: Runtime
  readonly limits: Limits
  readonly topics: readonly TopicRecord[]
  readonly checkpoint: StoredCheckpoint | undefined
  readonly hasBadCheckpoint: boolean
  readonly bounds: ReadonlyMap<string, PartitionBounds>
  readonly salvage: WalSalvage | undefined
}

async function look(options: RepairLogOptions): Promise<Seen> {
  const { store, walDir: dir, runtime = systemRuntime() } = options
  const limits = { ...defaultLimits, ...options.limits }
  const damages: Damage[] = []
  const logId = await identityOf(options, limits, damages)
  const topics = await topicsOf(store, { limits, runtime }, damages)
  await schemasOf(store, limits, damages)
  const checkpoint = await checkpointOf(options, { logId, limits, runtime }, damages)
  const hasBadCheckpoint = damages.some(({ place, remedy }) => place.startsWith(CHECKPOINTS) && remedy === 'set aside')
  const bounds = boundsOf(checkpoint)
  const found = await salvageWal({ runtime, dir, logId, bounds })
  for (const { damages: bad } of found?.segments ?? []) {
    for (const { file, position, reason } of bad) damages.push({ place: file, position, reason, remedy: 'set aside' })
  }
  const givenUp = found === undefined ? [] : namedRanges(found, topics)
  const isNeeded = givenUp.length > 0 || damages.some(({ remedy }) => remedy === 'set aside' || remedy === 'rewrite')
  const plan = { logId, damages, givenUp, isNeeded }
  return { plan, runtime, limits, topics, checkpoint, hasBadCheckpoint, bounds, salvage: found }
}

/** From `moulin.json`, or from what the write-ahead folder says. */
async function identityOf(
  { store, walDir, runtime = systemRuntime() }: RepairLogOptions,
  limits: Limits,
  damages: Damage[],
): Promise<string> {
  try {
    const json = await loadStored(store, identityKind, IDENTITY, limits.maxJsonBytes)
    if (json !== undefined) return stringField(json, 'logId', IDENTITY)
    damages.push({ place: IDENTITY, position: null, reason: 'it is missing', remedy: 'rewrite' })
  } catch (error) {
    damages.push({ place: IDENTITY, position: null, reason: reasonOf(error), remedy: 'rewrite' })
  }
  const info = await newestInfo(runtime.files, walDir, await listEpochs(runtime.files, walDir))
  if (info !== undefined) return info.logId
  throw corrupt(
    'NO_IDENTITY',
    `Neither ${store.name} ${IDENTITY} nor ${walDir} says which log this is: restore one of them.`,
  )
}

async function topicsOf(
  store: ObjectStore,
  at: { limits: Limits; runtime: Runtime },
  damages: Damage[],
): Promise<TopicRecord[]> {
  const topics = topicStore(store, at)
  const records: TopicRecord[] = []
  for (const name of await topics.everNamed()) {
    try {
      const newest = await topics.newest(name)
      if (newest !== undefined) records.push(newest.record)
    } catch (error) {
      if (isKind(error, 'unsupported')) continue
      damages.push({ place: `${TOPICS}${name}/`, position: null, reason: reasonOf(error), remedy: null })
    }
  }
  return records
}

async function schemasOf(store: ObjectStore, limits: Limits, damages: Damage[]): Promise<void> {
  for await (const { key } of store.list({ prefix: SCHEMAS })) {
    try {
      await loadStored(store, schemaKind, key, limits.maxJsonBytes)
    } catch (error) {
      if (isKind(error, 'unsupported')) continue
      damages.push({ place: key, position: null, reason: reasonOf(error), remedy: null })
    }
  }
}

/** The newest one that can be read. Damaged ones beside it are passed over; when none is left, all are set aside and made anew. */
async function checkpointOf(
  { store }: RepairLogOptions,
  at: { logId: string; limits: Limits; runtime: Runtime },
  damages: Damage[],
): Promise<StoredCheckpoint | undefined> {
  const bad: { key: string; reason: string }[] = []
  const quiet = { ...at, runtime: { ...at.runtime, logger: { ...at.runtime.logger, warn: collect } } }
  function collect(fields: object): void {
    const { key, err } = fields as { key?: string; err?: unknown }
    if (key !== undefined) bad.push({ key, reason: reasonOf(err) })
  }
  let newest: StoredCheckpoint | undefined
  try {
    newest = await checkpointStore(store, quiet).newest()
  } catch (error) {
    if (!isKind(error, 'corrupt')) throw error
  }
  const remedy = newest === undefined ? 'set aside' : 'keep the one before'
  for (const { key, reason } of bad) damages.push({ place: key, position: null, reason, remedy })
  return newest
}

function boundsOf(checkpoint: StoredCheckpoint | undefined): Map<string, PartitionBounds> {
  const bounds = new Map<string, PartitionBounds>()
  for (const { id, next, released } of checkpoint?.topics ?? []) {
    next.forEach((end, partition) => {
      bounds.set(partitionKey({ topicId: id, partition }), { released: released[partition], next: end })
    })
  }
  return bounds
}

function namedRanges({ givenUp }: WalSalvage, topics: readonly TopicRecord[]): GivenUpRange[] {
  return givenUp.map((range) => ({ ...range, topic: topics.find(({ id }) => id === range.topicId)?.name }))
}

function needsNewEpoch({ salvage: found, plan, hasBadCheckpoint }: Seen): boolean {
  return hasBadCheckpoint || plan.givenUp.length > 0 || (found !== undefined && filesToSetAside(found).length > 0)
}

/** Where every partition stands now; without a checkpoint to start from, of the topics that can be read. */
function checkpointTopics({ checkpoint, topics }: Seen, { ends }: WalSalvage): CheckpointTopic[] {
  const known =
    checkpoint?.topics ?? topics.map((record) => ({ ...record, next: zeros(record), released: zeros(record) }))
  return known.map(({ name, id, incarnation, next, released }) => {
    const at = next.map((_, partition) => ends.get(partitionKey({ topicId: id, partition })))
    const end = next.map((was, partition) => at[partition]?.next ?? was)
    const start = released.map((was, partition) => at[partition]?.released ?? was)
    return { name, id, incarnation, next: end, released: start, recovered: end }
  })
}

function zeros({ config }: TopicRecord): bigint[] {
  return Array.from({ length: config.partitions }, () => 0n)
}

async function rewriteIdentity(store: ObjectStore, logId: string): Promise<void> {
  await moveAside(store, IDENTITY)
  await store.put(IDENTITY, storedBytes(identityKind, { logId, root: store.root }, 2), { mode: 'create' })
}

/** There first, then gone here. One that is gone already was moved before. */
async function moveAside(store: ObjectStore, key: string): Promise<void> {
  const object = await store.get(key).catch((error: unknown) => {
    if (isKind(error, 'not-found')) return undefined
    throw error
  })
  if (object === undefined) return
  for (let copy = 0; ; copy++) {
    const to = `${ASIDE}${key.replaceAll('/', '-')}.${copy}`
    try {
      await store.put(to, object.bytes, { mode: 'create' })
      break
    } catch (error) {
      if (!isKind(error, 'exists')) throw error
    }
  }
  await store.delete(key)
}

function checkSame(found: RepairPlan, confirmed: RepairPlan): void {
  const text = (plan: RepairPlan): string =>
    JSON.stringify(plan, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  if (text(found) === text(confirmed)) return
  throw conflict('PLAN_CHANGED', 'The log is not as it was when the plan was made: plan again.')
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
