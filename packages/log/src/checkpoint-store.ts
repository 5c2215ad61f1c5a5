import {
  arrayField,
  asObject,
  countField,
  fieldError,
  isMoulinError,
  jsonInt64,
  loadStored,
  storedBytes,
  stringField,
  type JsonObject,
  type Limits,
  type ObjectStore,
  type Runtime,
} from '@moulin/core'
import { checkpointKind } from './stored-kinds.ts'

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
}

export interface CheckpointStore {
  /** The newest readable one. */
  newest(): Promise<Checkpoint | undefined>
  /** Durable on return. Older ones of this writer are removed, but for one. */
  write(checkpoint: Checkpoint): Promise<void>
}

export function checkpointStore(
  store: ObjectStore,
  { logId, limits, runtime }: { logId: string; limits: Limits; runtime: Runtime },
): CheckpointStore {
  let written = 0
  return {
    async newest() {
      for (;;) {
        const keys: string[] = []
        for await (const object of store.list({ prefix: PREFIX })) if (key.test(object.key)) keys.push(object.key)
        let failure: unknown
        for (const name of keys.reverse()) {
          try {
            const json = await loadStored(store, checkpointKind, name, limits.maxJsonBytes)
            if (json !== undefined) return parseCheckpoint(json, name)
          } catch (error) {
            if (!isMoulinError(error) || error.kind !== 'corrupt') throw error
            failure ??= error
            runtime.logger.warn({ err: error, key: name }, 'A checkpoint is damaged: trying the one before it')
          }
        }
        if (failure !== undefined) throw failure as Error
        if (keys.length === 0) return undefined
        // All of them were removed while we looked: their writer has put newer ones there.
      }
    },

    async write(checkpoint) {
      const name = keyOf(checkpoint.epoch, ++written)
      await store.put(name, storedBytes(checkpointKind, { logId, number: written, ...checkpoint }))
      await removeOlder(store, name)
    },
  }
}

// Never those of a newer writer: they sort behind.
async function removeOlder(store: ObjectStore, newest: string): Promise<void> {
  const older: string[] = []
  for await (const object of store.list({ prefix: PREFIX })) {
    if (key.test(object.key) && object.key < newest) older.push(object.key)
  }
  for (const name of older.slice(0, Math.max(0, older.length - (KEPT - 1)))) await store.delete(name)
}

function keyOf(epoch: bigint, number: number): string {
  return `${PREFIX}${String(epoch).padStart(10, '0')}${String(number).padStart(10, '0')}.json`
}

function parseCheckpoint(json: JsonObject, what: string): Checkpoint {
  return {
    epoch: jsonInt64(json['epoch'], `epoch in ${what}`),
    topics: arrayField(json, 'topics', what).map((topic) => parseTopic(asObject(topic, what), what)),
  }
}

function parseTopic(json: JsonObject, what: string): CheckpointTopic {
  const next = offsets(json, 'next', what)
  const released = offsets(json, 'released', what)
  if (next.length !== released.length) throw fieldError(what, 'released')
  return {
    name: stringField(json, 'name', what),
    id: stringField(json, 'id', what),
    incarnation: countField(json, 'incarnation', what),
    next,
    released,
  }
}

function offsets(json: JsonObject, field: string, what: string): bigint[] {
  return arrayField(json, field, what).map((offset) => jsonInt64(offset, `${field} in ${what}`))
}
