import {
  arrayField,
  asObject,
  countField,
  exists,
  fieldError,
  isKind,
  loadStored,
  storedBytes,
  stringField,
  type JsonObject,
  type Limits,
  type ObjectStore,
  type PartitionFieldOf,
  type ValueMode,
} from '@moulin/core'
import { topicKind } from './stored-kinds.ts'
import type { StoredConfig } from './topic-config.ts'

const PREFIX = 'log/topics/'
const SUFFIX = '.json'

/** What is stored of a topic. Never changed; layout: docs/formats/log.md. */
export interface TopicRecord {
  readonly name: string
  readonly id: string
  readonly incarnation: number
  /** Ids in the schema ledger; 0 for none. */
  readonly valueSchemaId: number
  readonly keySchemaId: number
  readonly config: StoredConfig
}

export interface TopicStore {
  names(): Promise<string[]>
  load(name: string): Promise<TopicRecord | undefined>
  /** @throws `exists`. */
  create(topic: TopicRecord): Promise<void>
  /** Takes back a topic that nothing has been written to. */
  remove(name: string): Promise<void>
}

/** The topics of a log, one object each. */
export function topicStore(store: ObjectStore, limits: Limits): TopicStore {
  return {
    async names() {
      const names: string[] = []
      for await (const { key } of store.list({ prefix: PREFIX })) {
        if (key.endsWith(SUFFIX)) names.push(key.slice(PREFIX.length, -SUFFIX.length))
      }
      return names.sort()
    },
    async load(name) {
      const key = PREFIX + name + SUFFIX
      const json = await loadStored(store, topicKind, key, limits.maxJsonBytes)
      return json === undefined ? undefined : parseTopic(json, key)
    },
    async create(topic) {
      const bytes = storedBytes(topicKind, { ...topic }, 2)
      try {
        await store.put(PREFIX + topic.name + SUFFIX, bytes, { mode: 'create' })
      } catch (error) {
        if (!isKind(error, 'exists')) throw error
        throw exists('TOPIC_EXISTS', `Topic ${topic.name} exists already.`, {
          context: { topic: topic.name },
          cause: error,
        })
      }
    },
    remove: (name) => store.delete(PREFIX + name + SUFFIX),
  }
}

function parseTopic(json: JsonObject, what: string): TopicRecord {
  return {
    name: stringField(json, 'name', what),
    id: stringField(json, 'id', what),
    incarnation: countField(json, 'incarnation', what),
    valueSchemaId: countField(json, 'valueSchemaId', what),
    keySchemaId: countField(json, 'keySchemaId', what),
    config: parseConfig(asObject(json['config'], what), what),
  }
}

function parseConfig(json: JsonObject, what: string): StoredConfig {
  const { freshnessMs, rowCrc } = json
  if (typeof rowCrc !== 'boolean') throw fieldError(what, 'rowCrc')
  if (freshnessMs !== null && typeof freshnessMs !== 'number') throw fieldError(what, 'freshnessMs')
  return {
    partitions: countField(json, 'partitions', what),
    table: stringField(json, 'table', what),
    partitionBy: arrayField(json, 'partitionBy', what).map((field) => parseField(asObject(field, what), what)),
    valueMode: stringField(json, 'valueMode', what) as ValueMode,
    rowCrc,
    freshnessMs,
    timestampBeforeMaxMs: boundField(json, 'timestampBeforeMaxMs', what),
    timestampAfterMaxMs: boundField(json, 'timestampAfterMaxMs', what),
    onBadRecord: 'raw',
  }
}

function parseField(json: JsonObject, what: string): PartitionFieldOf {
  return {
    source: stringField(json, 'source', what),
    transform: stringField(json, 'transform', what),
    name: stringField(json, 'name', what),
  }
}

function boundField(json: JsonObject, field: string, what: string): number {
  const value = json[field]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= -1) return value
  throw fieldError(what, field)
}
