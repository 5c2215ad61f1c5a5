import {
  corrupt,
  hasOutcome,
  isKind,
  isMoulinError,
  notFound,
  tableIdentifier,
  tableText,
  type Codec,
  type TableIdentifier,
  type TopicConfig,
} from '@moulin/core'
import type { LogCore } from '../log-core.ts'
import { withWayBack } from '../stored/stored-damage.ts'
import {
  checkConfig,
  checkNewConfig,
  checkSameCodec,
  checkSameConfig,
  comparedOptions,
  resolveConfig,
  type StoredConfig,
} from './topic-config.ts'
import { checkTopicName } from './topic-name.ts'
import { TopicState } from './topic-state.ts'
import { isLogBehind } from '../tiering/tiered-topic.ts'
import { topicExists, type TopicRecord, type TopicVersion } from '../stored/topic-store.ts'
import { checkWritable, type TopicTiering } from '../tiering/topic-tiering.ts'
import type { Holding } from '../tiering/wal-pressure.ts'

type AnyConfig = TopicConfig<never> | TopicConfig

/** Topics that a message names. */
const NAMED = 10

/** The topics of an open log: creates them, finds them, keeps one state for each. */
export class TopicDirectory {
  readonly #core: LogCore
  readonly #states = new Map<string, TopicState>()
  /** By name: the last call, while it runs. */
  readonly #last = new Map<string, Promise<unknown>>()

  constructor(core: LogCore) {
    this.#core = core
  }

  states(): Iterable<TopicState> {
    return this.#states.values()
  }

  *tierings(): Iterable<TopicTiering> {
    for (const { tiering } of this.#states.values()) yield tiering
  }

  /** What the write-ahead tier keeps of topics that are not kept here: this version cannot read them. */
  unread(): Holding[] {
    const { hot } = this.#core
    const known = new Set(Array.from(this.#states.values(), ({ record }) => record.id))
    const names = new Map(Array.from(hot.checkpointed(), ({ id, name }) => [id, name]))
    const held = new Map<string, number>()
    for (const { id, partitions } of hot.topics()) {
      const bytes = partitions.reduce((sum, partition) => sum + partition.bytesFrom(partition.released), 0)
      if (!known.has(id) && bytes > 0) held.set(id, (held.get(id) ?? 0) + bytes)
    }
    return Array.from(held, ([id, bytes]) => ({
      bytes,
      reason: `topic ${names.get(id) ?? id} ${bytes} bytes (it needs a newer version, which alone can move them)`,
    }))
  }

  names(): Promise<string[]> {
    return this.#core.topics.names()
  }

  /**
   * Every stored topic becomes part of checkpoints, and is tiered and released whether or not anybody opens it. One that needs a newer reader keeps its write-ahead data and its place in
   * checkpoints. @throws `corrupt` for write-ahead data of a topic that is not stored.
   */
  async load(): Promise<void> {
    const { hot, checkpoints, runtime } = this.#core
    const ids = new Set<string>()
    const live = new Map<string, TopicRecord>()
    let refused = 0
    for (const name of await this.#core.topics.everNamed()) {
      let topic: TopicVersion | undefined
      try {
        topic = await withWayBack(this.#core.topics.newest(name))
      } catch (error) {
        if (!isKind(error, 'unsupported')) throw error
        refused++
        runtime.logger.warn({ err: error, topic: name }, 'A topic needs a newer reader: its data is kept as it is')
      }
      if (topic === undefined) continue
      const { state, record } = topic
      ids.add(record.id)
      if (state === 'deleted') continue
      live.set(record.id, record)
      this.#keep(new TopicState(this.#core, record))
    }
    for (const entry of hot.checkpointed()) {
      const record = live.get(entry.id)
      if (record === undefined) checkpoints.carry(entry)
      else if (entry.incarnation > record.incarnation) throw outdated(record, entry.incarnation)
      // An earlier life stays what it was.
      else if (entry.incarnation < record.incarnation)
        checkpoints.add(entry, hot.topic(entry.id, entry.incarnation, entry.next.length))
    }
    for (const { id } of hot.topics()) {
      // It may be that of a topic that we cannot read.
      if (ids.has(id) || refused > 0) continue
      throw corrupt(
        'TOPIC_MISSING',
        `The write-ahead data holds records of topic ${id}, but no object below log/topics/ names it: restore it.`,
        { context: { topicId: id } },
      )
    }
  }

  /** The log is open: topics begin to do what is due. */
  begin(): void {
    for (const { tiering } of this.#states.values()) tiering.begin()
  }

  create(name: string, config: AnyConfig): Promise<TopicState> {
    return this.#inOrder(name, async () => {
      checkWritable(this.#core.access, 'creating a topic')
      checkTopicName(name)
      checkConfig(name, config)
      return this.#create(name, config)
    })
  }

  /** A stored topic. Of a config, only what it names is compared. */
  async find(name: string, config: AnyConfig | undefined): Promise<TopicState> {
    const found = await this.#inOrder(name, async () => {
      checkTopicName(name)
      checkConfig(name, config)
      const state = await this.#find(name)
      if (state === undefined) throw await this.#missing(name)
      if (config !== undefined) this.#checkNamed(state, config)
      state.onBroken = config?.onBroken ?? state.onBroken
      return state
    })
    await this.#attach(found)
    return found
  }

  /** The stored topic whose table it is. A reader beside a writer finds those made since, too. */
  async ofTable(identifier: TableIdentifier): Promise<TopicState | undefined> {
    const text = tableText(identifier)
    // A level of ours has no dot, so as many levels in one text are the same ones.
    const isIt = ({ config }: TopicRecord): boolean =>
      config.table === text && tableIdentifier(text).namespace.length === identifier.namespace.length
    for (const { record } of this.#states.values()) {
      if (isIt(record)) return this.find(record.name, undefined)
    }
    let unread: Error | undefined
    for (const name of await this.#core.topics.names()) {
      if (this.#states.has(name)) continue
      const topic = await withWayBack(this.#core.topics.newest(name)).catch((error: unknown) => {
        if (!isKind(error, 'unsupported') && !isKind(error, 'corrupt')) throw error
        // Another topic may have the table: one that cannot be read refuses only itself.
        unread ??= error
        return undefined
      })
      if (topic?.state === 'live' && isIt(topic.record)) return this.find(name, undefined)
    }
    // It may be that one's.
    if (unread !== undefined) throw unread
    return undefined
  }

  async ensure(name: string, config: AnyConfig): Promise<TopicState> {
    const ensured = await this.#inOrder(name, async () => {
      checkTopicName(name)
      checkConfig(name, config)
      let state = await this.#find(name)
      if (state === undefined) {
        checkWritable(this.#core.access, 'creating a topic')
        try {
          return await this.#create(name, config)
        } catch (error) {
          if (!isKind(error, 'exists', 'TOPIC_EXISTS')) throw error
          // Written since we looked: by another opener, or late, by a process that is gone.
          state = await this.#find(name)
          if (state === undefined) throw error
        }
      }
      if (state.missingSchema !== undefined) throw state.missingSchema
      checkSameCodec(name, 'value', state.valueCodec, config.value)
      checkSameCodec(name, 'key', state.keyCodec, config.key)
      checkSameConfig(name, state.record.config, resolveConfig(name, config), comparedOptions)
      state.onBroken = config.onBroken ?? state.onBroken
      return state
    })
    await this.#attach(ensured)
    return ensured
  }

  // Two calls for one name must not both create it. Other names do not wait: a catalog that hangs is one table's matter.
  #inOrder<T>(name: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#last.get(name) ?? Promise.resolve()).then(work)
    const last = done
      .catch(() => undefined)
      .then(() => {
        if (this.#last.get(name) === last) this.#last.delete(name)
      })
    this.#last.set(name, last)
    return done
  }

  async #find(name: string): Promise<TopicState | undefined> {
    let state = this.#states.get(name)
    if (state === undefined) {
      const topic = await withWayBack(this.#core.topics.newest(name))
      if (topic?.state !== 'live') return undefined
      state = new TopicState(this.#core, topic.record)
      await state.loadCodecs()
      this.#keep(state)
      state.tiering.begin()
    }
    await state.loadCodecs()
    return state
  }

  async #create(name: string, config: AnyConfig): Promise<TopicState> {
    const { ledger, runtime, limits } = this.#core
    const before = await this.#core.topics.newest(name)
    if (before?.state === 'live') throw topicExists(name)
    const stored = resolveConfig(name, config)
    checkNewConfig(name, stored, limits)
    const value = config.value as Codec | undefined
    await this.#core.tier?.plan?.({ ...stored, name, valueCodec: value }, limits)
    const { key } = config
    const record: TopicRecord = {
      name,
      id: runtime.random.uuid(),
      incarnation: before === undefined ? 0 : before.record.incarnation + 1,
      start: [],
      valueSchemaId: value === undefined ? 0 : await ledger.register(value),
      keySchemaId: key === undefined ? 0 : await ledger.register(key),
      config: stored,
    }
    const created = await this.#core.topics.create(record, (before?.version ?? 0) + 1)
    await this.#core.wal.checkFence()
    const state = new TopicState(this.#core, record, { value, key })
    state.onBroken = config.onBroken ?? state.onBroken
    try {
      await this.#attach(state, (error) => isLogBehind(error) || isKind(error, 'conflict', 'LINEAGE_BROKEN'))
    } catch (error) {
      // The table is refused and nothing has been written: the name is free again.
      if (hasOutcome(error, 'rejected')) {
        // Unless a newer writer may be using it by now.
        await this.#core.wal.checkFence()
        await this.#core.topics.remove(created)
      }
      throw error
    }
    this.#keep(state)
    state.tiering.begin()
    return state
  }

  #keep(state: TopicState): TopicState {
    this.#core.checkpoints.add(state.record, state.hot)
    this.#states.set(state.record.name, state)
    return state
  }

  /**
   * Finds or creates the topic's table. What may pass does not stop the log, nor, for a topic that exists, does anything that its table
   * refuses: it is a state of the topic, which `stats()` shows.
   */
  async #attach(state: TopicState, isBearable: (error: unknown) => boolean = isOfTable): Promise<void> {
    if (this.#core.tier === undefined) return
    const { name, config } = state.record
    const { logger } = this.#core.runtime
    try {
      if ((await state.coldInTime()) === undefined) {
        const fields = { topic: name, table: config.table, catalogWaitMs: this.#core.catalogWaitMs }
        logger.warn(fields, 'The table did not answer in time: it is waited for in the background')
      }
    } catch (error) {
      if (!isBearable(error) && !isKind(error, 'unavailable')) throw error
      const fields = { err: error, topic: name, table: config.table }
      logger.warn(fields, 'The table cannot be used now: records stay in the write-ahead tier')
    }
  }

  #checkNamed(state: TopicState, config: AnyConfig): void {
    const { name } = state.record
    if (state.missingSchema !== undefined) {
      if (config.value !== undefined || config.key !== undefined) throw state.missingSchema
      return
    }
    if (config.value !== undefined) checkSameCodec(name, 'value', state.valueCodec, config.value as Codec)
    if (config.key !== undefined) checkSameCodec(name, 'key', state.keyCodec, config.key)
    const named = comparedOptions.filter((option) => (config as Partial<StoredConfig>)[option] !== undefined)
    // The stored codec stands in where the config names none: it decides which value modes are possible.
    const whole = { value: state.valueCodec, ...config } as AnyConfig
    checkSameConfig(name, state.record.config, resolveConfig(name, whole), named)
  }

  async #missing(name: string): Promise<Error> {
    const message = `There is no topic ${name} in ${this.#core.name}: ${await this.#instead()}`
    return notFound('NO_TOPIC', message, { context: { topic: name } })
  }

  /** What to do about a topic that is not there: who can create none has mistaken its name. */
  async #instead(): Promise<string> {
    if (this.#core.access === 'read-write') return 'create it with createTopic or ensureTopic.'
    const names = await this.names()
    const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : ''
    return names.length === 0 ? 'it has none.' : `it has ${names.slice(0, NAMED).join(', ')}${more}.`
  }
}

/** Not that the log itself came to an end meanwhile. */
function isOfTable(error: unknown): boolean {
  return isMoulinError(error) && !isKind(error, 'fenced') && !isKind(error, 'closed') && !isKind(error, 'internal')
}

function outdated({ name, incarnation }: TopicRecord, known: number): Error {
  return corrupt(
    'TOPIC_OUTDATED',
    `Topic ${name} is at incarnation ${incarnation}, but a checkpoint knows ${known}: a version below log/topics/${name}/ is missing or damaged. Restore it.`,
    { context: { topic: name, incarnation, known } },
  )
}
