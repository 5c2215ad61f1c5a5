import { counterOf, fenced, isKind, unavailable, waitFor } from '@moulin/core'
import type { LoadedTable, Log, TableIdentifier, Topic } from '@moulin/core'
import type { GatewayRuntime } from '../gateway-runtime.ts'
import { hasMarker } from './marker.ts'

export interface FreshTablesOptions {
  readonly logs: readonly Log[]
  readonly maxStalenessMs: number
  readonly maxWaitMs: number
  readonly runtime: Pick<GatewayRuntime, 'clock' | 'timers' | 'logger' | 'meter'>
}

export interface FreshTable {
  readonly loaded: LoadedTable
  /** How old the oldest record is that the table lacks, where that is more than it may be; NaN where nobody can tell. */
  readonly staleMs: number | undefined
}

/** What is known of a table before it is loaded. */
interface Look {
  readonly topic?: Topic
  /** Whether a topic has it can be told. */
  readonly isKnown: boolean
  readonly staleMs: number | undefined
}

interface Tiering {
  readonly sinceMs: number
  /** False: it failed. */
  readonly done: Promise<boolean>
}

/** When a topic is asked again whose commit has failed. */
interface Pause {
  readonly ms: number
  readonly untilMs: number
}

/** Tables of no topic whose names are remembered; the longest known are asked for again. */
const MAX_FOREIGN = 10_000
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 15_000
const notStale: Look = { isKnown: true, staleMs: undefined }

/**
 * Commit on read: whoever loads a table of a log finds in it what was hot for longer than `maxStalenessMs`, since the load itself has had it
 * tiered, by the topic's own commit. A table that nobody loads, or to which nothing was sent, costs nothing.
 */
export class FreshTables {
  readonly #options: FreshTablesOptions
  /** Tables that are no topic's, as they say themselves at each load. */
  readonly #foreign = new Set<string>()
  /** One of each at a time for a table, however long they take: loads that give up leave no second one behind. */
  readonly #searches = new Map<string, Promise<Topic | undefined>>()
  readonly #tierings = new Map<string, Tiering>()
  readonly #pauses = new Map<string, Pause>()
  #commits = 0
  #stale = 0

  constructor(options: FreshTablesOptions) {
    this.#options = options
  }

  /** Commits that loads have asked for. */
  get commits(): number {
    return this.#commits
  }

  /** Loads that were answered without what they should have had. */
  get stale(): number {
    return this.#stale
  }

  /**
   * Loads the table when it is as fresh as it has to be, or after `maxWaitMs` as it is. That it is stale is no error, nor is anything
   * that a log says.
   * @throws what `load` throws; `aborted` by the signal.
   */
  async load(table: TableIdentifier, load: () => Promise<LoadedTable>, signal: AbortSignal): Promise<FreshTable> {
    // Levels may have dots.
    const name = JSON.stringify([...table.namespace, table.name])
    let isForeign = this.#foreign.has(name)
    for (;;) {
      const { topic, isKnown, staleMs } = isForeign ? notStale : await this.#look(table, name, signal)
      const loaded = await load()
      const isMarked = hasMarker(loaded.metadata)
      if (isForeign && isMarked) {
        this.#foreign.delete(name)
        isForeign = false
        continue
      }
      // A topic's table has its marker from the first moment on: one that was made right now is not taken for another's.
      if (isKnown && topic === undefined && !isMarked) this.#keepForeign(name)
      if (staleMs !== undefined) this.#tellStale(topic)
      return { loaded, staleMs }
    }
  }

  #tellStale(topic: Topic | undefined): void {
    this.#stale++
    const name = topic === undefined ? {} : { 'messaging.destination.name': topic.name }
    counterOf(this.#options.runtime.meter, 'moulin.gateway.stale').add(1, name)
  }

  /** Has the table made fresh, if it is a topic's; within `maxWaitMs`, and whatever the log does. */
  async #look(table: TableIdentifier, name: string, signal: AbortSignal): Promise<Look> {
    const { maxWaitMs, runtime } = this.#options
    const { clock, logger } = runtime
    const untilMs = clock.monotonic() + maxWaitMs
    let topic: Topic | undefined
    try {
      topic = await this.#within(this.#search(table, name), untilMs, signal)
      if (topic === undefined) return notStale
      return { topic, isKnown: true, staleMs: await this.#freshen(name, topic, untilMs, signal) }
    } catch (error) {
      if (signal.aborted) throw error
      logger.warn({ err: error, table: name }, 'it cannot be told how fresh a table is')
      return { ...(topic === undefined ? {} : { topic }), isKnown: false, staleMs: NaN }
    }
  }

  /** Asked at each load: a log that was closed knows nothing of its topics any more. */
  #search(table: TableIdentifier, name: string): Promise<Topic | undefined> {
    let search = this.#searches.get(name)
    if (search === undefined) {
      search = this.#topicOf(table).finally(() => this.#searches.delete(name))
      this.#searches.set(name, search)
    }
    return search
  }

  async #topicOf(table: TableIdentifier): Promise<Topic | undefined> {
    let failure: { readonly error: unknown } | undefined
    for (const log of this.#options.logs) {
      try {
        const topic = (await log.topicOfTable(table)) as Topic | undefined
        if (topic !== undefined) return topic
      } catch (error) {
        // No topic can have such a name; otherwise another log may have it.
        if (!isKind(error, 'invalid')) failure ??= { error }
      }
    }
    if (failure !== undefined) throw failure.error
    return undefined
  }

  /** How old the oldest record is that is still missing, in milliseconds; undefined when none is too old. */
  async #freshen(name: string, topic: Topic, untilMs: number, signal: AbortSignal): Promise<number | undefined> {
    const { maxStalenessMs, runtime } = this.#options
    const { clock } = runtime
    const beganMs = clock.monotonic()
    // All that was durable by then is to be in the table: a commit that was begun later has it, however it was begun.
    const horizonMs = beganMs - maxStalenessMs
    const asOfMs = Math.max(0, runtime.clock.now() - maxStalenessMs)
    for (;;) {
      const oldestMs = oldestUntieredMs(topic, clock.monotonic())
      if (oldestMs === undefined || oldestMs >= horizonMs) return undefined
      const isPaused = (this.#pauses.get(name)?.untilMs ?? -Infinity) > clock.monotonic()
      const tiering = this.#tierings.get(name) ?? (isPaused ? undefined : this.#tier(name, topic, asOfMs))
      const isDone = tiering !== undefined && (await this.#isDone(tiering, untilMs, signal))
      if (!isDone) return clock.monotonic() - oldestMs
      // What it left behind, it could not take: records of a transaction that has not ended.
      if (tiering.sinceMs >= horizonMs) return undefined
    }
  }

  /** Goes on when nobody waits for it any more: the next load finds it done. */
  #tier(name: string, topic: Topic, asOfMs: number): Tiering {
    const { clock, logger } = this.#options.runtime
    this.#commits++
    const sinceMs = clock.monotonic()
    // Whoever asks for it may show nothing that is younger than his question.
    const done = topic.tier({ asOfMs }).then(
      () => {
        this.#pauses.delete(name)
        return true
      },
      (error: unknown) => {
        const ms = Math.min(LONGEST_PAUSE_MS, 2 * (this.#pauses.get(name)?.ms ?? FIRST_PAUSE_MS / 2))
        this.#pauses.set(name, { ms, untilMs: clock.monotonic() + ms })
        logger.warn({ err: error, table: name, topic: topic.name, ms }, 'a table could not be made fresh for a load')
        return false
      },
    )
    const tiering: Tiering = { sinceMs, done: done.finally(() => this.#tierings.delete(name)) }
    this.#tierings.set(name, tiering)
    return tiering
  }

  async #isDone({ done }: Tiering, untilMs: number, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#within(done, untilMs, signal)
    } catch (error) {
      if (isKind(error, 'unavailable', 'FRESH_LATE')) return false
      throw error
    }
  }

  /** @throws `unavailable` code `FRESH_LATE` where the work goes on for longer; `aborted` by the signal; what the work throws. */
  async #within<T>(work: Promise<T>, untilMs: number, signal: AbortSignal): Promise<T> {
    const { clock, timers } = this.#options.runtime
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      const end = (): void => reject(unavailable('FRESH_LATE', 'The log took longer than a load waits (maxWaitMs).'))
      const timer = timers.after(Math.max(0, untilMs - clock.monotonic()), end, { ref: true })
      cancel = () => timer.cancel()
    })
    try {
      return await waitFor(Promise.race([work, late]), signal)
    } finally {
      cancel()
    }
  }

  #keepForeign(name: string): void {
    this.#foreign.add(name)
    if (this.#foreign.size > MAX_FOREIGN) this.#foreign.delete(this.#foreign.keys().next().value!)
  }
}

/**
 * Since when the oldest record waits for the table, by a clock that says `nowMs`; undefined where none does.
 * @throws `fenced` where another writer has the topic, whose records nobody here knows.
 */
function oldestUntieredMs(topic: Topic, nowMs: number): number | undefined {
  const { untieredAgeMs, lastError } = topic.stats()
  if (lastError?.code === 'FENCED') throw fenced('FENCED', lastError.message)
  return untieredAgeMs === null ? undefined : nowMs - untieredAgeMs
}
