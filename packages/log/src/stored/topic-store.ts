import {
  arrayField,
  asObject,
  countField,
  exists,
  fieldError,
  formatCaps,
  isKind,
  isMoulinError,
  jsonInt64,
  listInOrder,
  loadStored,
  storedBytes,
  storedCheck,
  stringField,
  type JsonObject,
  type ObjectStore,
  type PartitionFieldOf,
  type Runtime,
  type ValueMode,
} from '@moulin/core'
import { topicKind } from './stored-kinds.ts'
import { tenDigits } from './ten-digits.ts'
import type { StoredConfig } from '../topics/topic-config.ts'

const PREFIX = 'log/topics/'
const object = /^log\/topics\/([^/]+)\/(\d{10})\.json$/

/** What a version of a topic says. Layout: docs/formats/log.md. */
export interface TopicRecord {
  readonly name: string
  readonly id: string
  /** Counts the topics that have had this name, and the lives of this one, from 0. */
  readonly incarnation: number
  /** First offset of each partition in this incarnation; 0 for one that is not listed. */
  readonly start: readonly bigint[]
  /** Ids in the schema ledger; 0 for none. */
  readonly valueSchemaId: number
  readonly keySchemaId: number
  readonly config: StoredConfig
}

/** A version of a topic: the name's first is 1. No version is ever changed or removed; the highest counts. */
export interface TopicVersion {
  readonly version: number
  readonly state: 'live' | 'deleted'
  readonly record: TopicRecord
}

export interface TopicStore {
  /** Names of all topics that are not deleted, those that need a newer reader among them. */
  names(): Promise<string[]>
  /** Names of all topics that there have ever been. */
  everNamed(): Promise<string[]>
  /**
   * The version that counts, deleted or not: the highest. One that is damaged is told, and gives way to the one before it.
   * @throws `unsupported` when it needs a newer reader, never the one before it; `corrupt` when all are damaged.
   */
  newest(name: string, onDamaged?: (key: string, error: Error) => void): Promise<TopicVersion | undefined>
  /** Writes the name's version `version`, the next one. @throws `exists` when somebody else did. */
  create(topic: TopicRecord, version: number): Promise<TopicVersion>
  /** Writes that the topic is no more. The name is free: its next topic is the next incarnation. */
  remove(topic: TopicVersion): Promise<void>
}

/** The topics of a log, one object for each version. */
export function topicStore(store: ObjectStore, { runtime }: { runtime: Runtime }): TopicStore {
  /** Versions by name, newest first. */
  const listed = async (prefix: string): Promise<Map<string, number[]>> => {
    const versions = new Map<string, number[]>()
    for await (const { key } of listInOrder(store, { prefix })) {
      const [, name, version] = object.exec(key) ?? []
      if (name === undefined) continue
      versions.set(name, [Number(version), ...(versions.get(name) ?? [])])
    }
    return versions
  }

  const load = async (name: string, version: number): Promise<TopicVersion | undefined> => {
    const key = versionKey(name, version)
    const json = await loadStored(store, topicKind, key, formatCaps.maxJsonBytes)
    return json === undefined ? undefined : { version, ...parseTopic(json, key) }
  }

  const warn = (key: string, err: Error): void => {
    runtime.logger.warn({ err, key }, 'A topic is damaged: trying the version before it')
  }

  const newestOf = async (
    name: string,
    versions: readonly number[],
    onDamaged = warn,
  ): Promise<TopicVersion | undefined> => {
    let failure: unknown
    for (const version of versions) {
      try {
        return await load(name, version)
      } catch (error) {
        if (!isMoulinError(error) || error.kind !== 'corrupt') throw error
        failure ??= error
        onDamaged(versionKey(name, version), error)
      }
    }
    if (failure !== undefined) throw failure as Error
    return undefined
  }

  const write = async (topic: TopicVersion): Promise<TopicVersion> => {
    const { version, state, record } = topic
    const { name, ...members } = record
    const bytes = storedBytes(topicKind, { name, version, state, ...members }, 2)
    await store.put(versionKey(name, version), bytes, { mode: 'create' })
    return topic
  }

  return {
    async names() {
      const names: string[] = []
      for (const [name, versions] of await listed(PREFIX)) {
        if (await isLive(versions, () => newestOf(name, versions))) names.push(name)
      }
      return names.sort()
    },
    everNamed: async () => [...(await listed(PREFIX)).keys()].sort(),
    newest: async (name, onDamaged) => newestOf(name, (await listed(`${PREFIX}${name}/`)).get(name) ?? [], onDamaged),
    async create(record, version) {
      try {
        return await write({ version, state: 'live', record })
      } catch (error) {
        if (!isKind(error, 'exists')) throw error
        throw topicExists(record.name, error)
      }
    },
    async remove(topic) {
      await write({ ...topic, version: topic.version + 1, state: 'deleted' })
    },
  }
}

export function topicExists(name: string, cause?: Error): Error {
  return exists('TOPIC_EXISTS', `Topic ${name} exists already.`, { context: { topic: name }, cause })
}

/** A name's first version is always a live one. What cannot be read is there all the same. */
async function isLive(versions: readonly number[], newest: () => Promise<TopicVersion | undefined>): Promise<boolean> {
  if (versions[0] === 1) return true
  try {
    return (await newest())?.state === 'live'
  } catch (error) {
    if (isKind(error, 'unsupported') || isKind(error, 'corrupt')) return true
    throw error
  }
}

function versionKey(name: string, version: number): string {
  return `${PREFIX}${name}/${tenDigits(version)}.json`
}

function parseTopic(json: JsonObject, what: string): Omit<TopicVersion, 'version'> {
  const { state } = json
  if (state !== 'live' && state !== 'deleted') throw fieldError(what, 'state')
  const record = {
    name: stringField(json, 'name', what),
    id: stringField(json, 'id', what),
    incarnation: countField(json, 'incarnation', what),
    start: arrayField(json, 'start', what).map((offset) => jsonInt64(offset, `start in ${what}`)),
    valueSchemaId: countField(json, 'valueSchemaId', what),
    keySchemaId: countField(json, 'keySchemaId', what),
    config: parseConfig(asObject(json['config'], what), what),
  }
  return { state, record }
}

function parseConfig(json: JsonObject, what: string): StoredConfig {
  const { freshnessMs } = json
  if (freshnessMs !== null && typeof freshnessMs !== 'number') throw fieldError(what, 'freshnessMs')
  return {
    partitions: countField(json, 'partitions', what),
    table: stringField(json, 'table', what),
    partitionBy: arrayField(json, 'partitionBy', what).map((field) => parseField(asObject(field, what), what)),
    valueMode: stringField(json, 'valueMode', what) as ValueMode,
    rowCrc: storedCheck.boolean(json['rowCrc'], what, 'rowCrc'),
    formatVersion: formatVersionField(json, what),
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

// Topics had none when every table was of version 2.
function formatVersionField(json: JsonObject, what: string): 2 | 3 {
  const { formatVersion = 2 } = json
  if (formatVersion === 2 || formatVersion === 3) return formatVersion
  throw fieldError(what, 'formatVersion')
}

function boundField(json: JsonObject, field: string, what: string): number {
  const value = json[field]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= -1) return value
  throw fieldError(what, field)
}
