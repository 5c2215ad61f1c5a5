import { defaultLimits, notFound, systemRuntime } from '@moulin/core'
import type {
  Codec,
  ColdContext,
  ColdTier,
  ColdTopic,
  ColdTopicInfo,
  ObjectStore,
  Position,
  Runtime,
} from '@moulin/core'
import { hookedStore } from './hooked-store.ts'
import { SuiteHot, suiteRecordsOf } from './suite-hot.ts'

/** A tier with nothing in it, and what a log would lend it. */
export interface ColdTierSubject {
  readonly tier: ColdTier
  /** Default: one in memory. */
  readonly store?: ObjectStore
  /** Default: the machine's own. A virtual clock is moved on while a call is waited for. */
  readonly runtime?: Runtime
}

/** What became of a commit whose answer is lost: it was made, it was not, or the caller is told that it was not. */
export type LostCommit = 'kept' | 'lost' | 'refused'

/** What only the owner of a tier can do to it. Checks that need a way are skipped where it is not given. */
export interface ColdTierWays<S extends ColdTierSubject = ColdTierSubject> {
  /** The tier of the next process on the same history. It knows nothing else; the one before may still be open. */
  reopen?(subject: S): S | Promise<S>
  /**
   * The next commit ends so: `kept` and `lost` without an answer (outcome `unknown`), `refused` with the word that it was not made. A
   * tier that finds out by itself what became of it may resolve all the same.
   */
  loseCommit?(subject: S, how: LostCommit): void
  /** Stops the next commit before it is sent; `reached` resolves when it is there. */
  holdCommit?(subject: S): { readonly reached: Promise<void>; release(): void }
  /** Takes away the file that has a place, unbeknown to the tier. What is returned brings it back. */
  hide?(subject: S, table: string, position: Position): Promise<() => Promise<void>>
  /** Puts a table back to where it was before its last commit, as a stranger does. */
  rollBack?(subject: S, table: string): Promise<void>
}

export type ColdTierWay = keyof ColdTierWays

interface Parts<S extends ColdTierSubject> {
  readonly subject: S
  readonly ways: ColdTierWays<S>
  readonly hot: SuiteHot
  readonly info: ColdTopicInfo
  readonly epoch: bigint
  readonly opened: S[]
  readonly lent?: Partial<ColdContext>
}

/** What a check starts from, other than a raw topic of two partitions that begin at 0. */
export interface SuiteTopic extends Partial<ColdTopicInfo> {
  /** With a codec the topic has value columns. */
  readonly codec?: Codec
}

/** A log around one tier: hot records in arrays, no write-ahead tier, one topic. */
export class ColdTierLog {
  readonly tier: ColdTier
  readonly hot: SuiteHot
  readonly info: ColdTopicInfo
  readonly runtime: Runtime
  readonly #parts: Parts<ColdTierSubject>
  readonly #store: ObjectStore

  private constructor(parts: Parts<ColdTierSubject>) {
    this.#parts = parts
    this.tier = parts.subject.tier
    this.hot = parts.hot
    this.info = parts.info
    this.runtime = parts.subject.runtime ?? systemRuntime()
    this.#store = parts.subject.store ?? hookedStore()
  }

  static over<S extends ColdTierSubject>(subject: S, ways: ColdTierWays<S>, opened: S[]): ColdTierLog {
    const info = topicInfo({})
    const parts = { subject, ways, hot: new SuiteHot(info.startOffsets), info, epoch: 1n, opened }
    return new ColdTierLog(parts as unknown as Parts<ColdTierSubject>)
  }

  /** The same tier with another topic, and nothing sent to it. */
  topic(more: SuiteTopic): ColdTierLog {
    const info = topicInfo(more)
    return new ColdTierLog({ ...this.#parts, info, hot: new SuiteHot(info.startOffsets) })
  }

  /** The same records seen by a later life of the topic. */
  life(more: SuiteTopic): ColdTierLog {
    return new ColdTierLog({ ...this.#parts, info: { ...this.info, ...more } })
  }

  attach(lent: Partial<ColdContext> = {}): Promise<ColdTopic> {
    return this.call(this.tier.attach(this.info, this.context(lent)))
  }

  /** The same log, which lends this as well. */
  lending(lent: Partial<ColdContext>): ColdTierLog {
    return new ColdTierLog({ ...this.#parts, lent: { ...this.#parts.lent, ...lent } })
  }

  context(lent: Partial<ColdContext> = {}): ColdContext {
    const { valueCodec } = this.info
    const codecOf = async (id: number): Promise<Codec> => {
      if (id === 1 && valueCodec !== undefined) return valueCodec
      throw notFound('SCHEMA_ID', `There is no schema ${id}.`)
    }
    return {
      runtime: this.runtime,
      limits: defaultLimits,
      store: this.#store,
      schemas: {
        codec: codecOf,
        async entry(id) {
          const { format: codec, definition } = await codecOf(id)
          return { id, codec, definition, sha256: '', registry: undefined, mapping: 1, ids: null }
        },
      },
      hot: this.hot,
      recordsOf: suiteRecordsOf,
      access: 'read-write',
      epoch: this.#parts.epoch,
      checkFence: async () => {},
      ...this.#parts.lent,
      ...lent,
    }
  }

  /** The next process: the tier anew, the next epoch, the same records. `ends`: an older copy of the log. */
  async reopen(ends?: readonly bigint[]): Promise<ColdTierLog> {
    this.hot.reopen(ends)
    return this.beside()
  }

  /** Another process beside this one, on the same history and the same records. */
  async beside(): Promise<ColdTierLog> {
    const subject = await this.#way('reopen')(this.#parts.subject)
    this.#parts.opened.push(subject)
    return new ColdTierLog({ ...this.#parts, subject, epoch: this.#parts.epoch + 1n })
  }

  loseCommit(how: LostCommit): void {
    this.#way('loseCommit')(this.#parts.subject, how)
  }

  holdCommit(): { readonly reached: Promise<void>; release(): void } {
    return this.#way('holdCommit')(this.#parts.subject)
  }

  hide(position: Position): Promise<() => Promise<void>> {
    return this.#way('hide')(this.#parts.subject, this.info.table, position)
  }

  rollBack(): Promise<void> {
    return this.#way('rollBack')(this.#parts.subject, this.info.table)
  }

  /** What the work comes to. A virtual clock goes on meanwhile, so that waits between retries end. */
  async call<T>(work: Promise<T>): Promise<T> {
    const { clock } = this.runtime as { readonly clock: { advance?: (ms: number) => Promise<void> } }
    if (clock.advance === undefined) return work
    let isDone = false
    const done = (): void => void (isDone = true)
    work.then(done, done)
    for (let turns = 0; !isDone; turns++) await clock.advance(turns < 50 ? 0 : 1_000)
    return work
  }

  #way<W extends ColdTierWay>(name: W): NonNullable<ColdTierWays[W]> {
    const way = this.#parts.ways[name]
    if (way === undefined) throw new TypeError(`This check needs ${name}: give the suite a way.`)
    return way.bind(this.#parts.ways) as NonNullable<ColdTierWays[W]>
  }
}

function topicInfo({ codec, ...more }: SuiteTopic): ColdTopicInfo {
  const partitions = more.partitions ?? 2
  return {
    logId: '11111111-1111-4111-8111-111111111111',
    name: 'orders',
    id: '22222222-2222-4222-8222-222222222222',
    incarnation: 1,
    partitions,
    table: 'shop.orders',
    partitionBy: [],
    valueMode: codec === undefined ? 'raw' : 'columns',
    rowCrc: true,
    valueCodec: codec,
    valueSchemaId: codec === undefined ? 0 : 1,
    startOffsets: new Array<bigint>(partitions).fill(0n),
    ...more,
  }
}
