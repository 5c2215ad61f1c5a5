import {
  arrayField,
  asObject,
  countField,
  fieldError,
  formatCaps,
  isMoulinError,
  jsonInt64,
  listInOrder,
  loadStored,
  storedBytes,
  stringField,
  type JsonObject,
  type JsonValue,
  type ObjectStore,
  type Runtime,
} from '@moulin/core'
import { checkpointKind } from './stored-kinds.ts'
import { tenDigits } from './ten-digits.ts'

const PREFIX = 'log/checkpoints/'
const KEPT = 2
const key = /^log\/checkpoints\/(\d{10})(\d{10})\.json$/

/** What must survive the release of write-ahead data. Layout: docs/formats/wal.md, "Checkpoint". */
export interface Checkpoint {
  readonly epoch: bigint
  readonly topics: readonly CheckpointTopic[]
}

export interface CheckpointTopic {
  readonly name: string
  readonly id: string
  readonly incarnation: number
  /** Per partition: the high watermark. */
  readonly next: readonly bigint[]
  /** Per partition: first offset that the write-ahead tier must still hold. */
  readonly released: readonly bigint[]
  /** Per partition: the high watermark that recovery found when the writer opened the log. */
  readonly recovered: readonly bigint[]
  /** The oldest frontier whose grace goes on. */
  readonly confirmed: ConfirmedFrontier | undefined
}

/** Per partition, what a table answered for, and since when by wall time, in milliseconds since the epoch. */
export interface ConfirmedFrontier {
  readonly frontier: readonly bigint[]
  readonly sinceMs: number
}

/** A topic's entry as it was read, with the members that we do not know. */
export interface StoredCheckpointTopic extends CheckpointTopic {
  readonly json: JsonObject
}

export interface StoredCheckpoint extends Checkpoint {
  readonly topics: readonly StoredCheckpointTopic[]
}

export interface CheckpointStore {
  /**
   * The newest one that is not damaged; those before it are told.
   * @throws `unsupported` when it needs a newer reader, never the one before it; `corrupt` when all are damaged.
   */
  newest(onDamaged?: (key: string, error: Error) => void): Promise<StoredCheckpoint | undefined>
  /** Durable on return. `carried` are entries of topics that this writer cannot read, written as they are. */
  write(checkpoint: Checkpoint, carried?: readonly StoredCheckpointTopic[]): Promise<void>
  /** Removes those before the last one that was written here, but for one. They stand in nobody's way: it can be done again at any time. */
  removeOlder(): Promise<void>
}

export function checkpointStore(
  store: ObjectStore,
  { logId, runtime }: { logId: string; runtime: Runtime },
): CheckpointStore {
  let written = 0
  let last: string | undefined
  const warn = (name: string, err: Error): void => {
    runtime.logger.warn({ err, key: name }, 'A checkpoint is damaged: trying the one before it')
  }
  return {
    async newest(onDamaged = warn) {
      for (;;) {
        const keys: string[] = []
        for await (const object of listInOrder(store, { prefix: PREFIX }))
          if (key.test(object.key)) keys.push(object.key)
        let failure: unknown
        for (const name of keys.reverse()) {
          try {
            const json = await loadStored(store, checkpointKind, name, formatCaps.maxJsonBytes)
            if (json !== undefined) return parseCheckpoint(json, name)
          } catch (error) {
            if (!isMoulinError(error) || error.kind !== 'corrupt') throw error
            failure ??= error
            onDamaged(name, error)
          }
        }
        if (failure !== undefined) throw failure as Error
        if (keys.length === 0) return undefined
        // All of them were removed while we looked: their writer has put newer ones there.
      }
    },

    async write({ epoch, topics }, carried = []) {
      const name = checkpointKey(epoch, ++written)
      const members = {
        logId,
        epoch,
        number: written,
        topics: [
          ...topics.map((topic) => ({ ...topic, confirmed: topic.confirmed ?? null, ...reserved })),
          ...carried.map(({ json }) => json),
        ],
        // Names of objects, once there are such things.
        producers: null,
        transactions: null,
      }
      await store.put(name, storedBytes(checkpointKind, members))
      last = name
    },

    async removeOlder() {
      if (last !== undefined) await removeOlder(store, last)
    },
  }
}

/** Per partition, what has no other value yet: log start and leader epoch are 0, the stable offset is `next`. */
const reserved = { logStart: [], stable: [], leaderEpoch: [] } as const

// Never those of a newer writer: they sort behind.
async function removeOlder(store: ObjectStore, newest: string): Promise<void> {
  const older: string[] = []
  for await (const object of listInOrder(store, { prefix: PREFIX })) {
    if (key.test(object.key) && object.key < newest) older.push(object.key)
  }
  const removed = older.slice(0, Math.max(0, older.length - (KEPT - 1)))
  // One that stays keeps none of the others.
  const { failed } = await store.deleteMany(removed)
  if (failed.length > 0) throw failed[0]!.error
}

function checkpointKey(epoch: bigint, number: number): string {
  return `${PREFIX}${tenDigits(epoch)}${tenDigits(number)}.json`
}

function parseCheckpoint(json: JsonObject, what: string): StoredCheckpoint {
  return {
    epoch: jsonInt64(json['epoch'], `epoch in ${what}`),
    topics: arrayField(json, 'topics', what).map((topic) => parseTopic(asObject(topic, what), what)),
  }
}

function parseTopic(json: JsonObject, what: string): StoredCheckpointTopic {
  const next = offsets(json, 'next', what)
  const released = offsets(json, 'released', what)
  const recovered = offsets(json, 'recovered', what)
  if (next.length !== released.length) throw fieldError(what, 'released')
  if (next.length !== recovered.length) throw fieldError(what, 'recovered')
  return {
    name: stringField(json, 'name', what),
    id: stringField(json, 'id', what),
    incarnation: countField(json, 'incarnation', what),
    next,
    released,
    recovered,
    confirmed: parseConfirmed(json['confirmed'], what),
    json,
  }
}

function parseConfirmed(json: JsonValue | undefined, what: string): ConfirmedFrontier | undefined {
  if (json === null || json === undefined) return undefined
  const confirmed = asObject(json, what)
  return { frontier: offsets(confirmed, 'frontier', what), sinceMs: countField(confirmed, 'sinceMs', what) }
}

function offsets(json: JsonObject, field: string, what: string): bigint[] {
  return arrayField(json, field, what).map((offset) => jsonInt64(offset, `${field} in ${what}`))
}
