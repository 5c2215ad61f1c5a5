import { counterOf, isKind, tableText, waitFor } from '@moulin/core'
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

interface Tiering {
  readonly sinceMs: number
  /** False: it failed. */
  readonly done: Promise<boolean>
}

/** Tables of no topic whose names are remembered; the longest known are asked for again. */
const MAX_FOREIGN = 10_000

/**
 * Commit on read: whoever loads a table of a log finds in it what was hot for longer than `maxStalenessMs`, since the load itself has had it
 * tiered, by the topic's own commit. A table that nobody loads, or to which nothing was sent, costs nothing.
 */
export class FreshTables {
  readonly #options: FreshTablesOptions
  readonly #topics = new Map<string, Topic>()
  /** Names of tables that are no topic's, as they say themselves at each load. */
  readonly #foreign = new Set<string>()
  readonly #tierings = new Map<string, Tiering>()
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
   * Loads the table when it is as fresh as it has to be, or after `maxWaitMs` as it is. That it is stale is no error.
   * @throws what `load` throws.
   */
  async load(table: TableIdentifier, load: () => Promise<LoadedTable>, signal: AbortSignal): Promise<FreshTable> {
    const name = tableText(table)
    let isForeign = this.#foreign.has(name)
    for (;;) {
      const topic = isForeign ? undefined : await this.#topicOf(table, name)
      const staleMs =
        topic === undefined ? undefined : topic === 'unknown' ? NaN : await this.#freshen(name, topic, signal)
      const loaded = await load()
      const isMarked = hasMarker(loaded.metadata)
      if (isForeign && isMarked) {
        this.#foreign.delete(name)
        isForeign = false
        continue
      }
      // A topic's table has its marker from the first moment on: one that was made right now is not taken for another's.
      if (topic === undefined && !isMarked) this.#keepForeign(name)
      if (staleMs !== undefined) this.#tellStale(topic)
      return { loaded, staleMs }
    }
  }

  #tellStale(topic: Topic | 'unknown' | undefined): void {
    this.#stale++
    const name = typeof topic === 'object' ? { 'messaging.destination.name': topic.name } : {}
    counterOf(this.#options.runtime.meter, 'moulin.gateway.stale').add(1, name)
  }

  async #topicOf(table: TableIdentifier, name: string): Promise<Topic | 'unknown' | undefined> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    for (const log of this.#options.logs) {
      try {
        const topic = (await log.topicOfTable(table)) as Topic | undefined
        if (topic === undefined) continue
        this.#topics.set(name, topic)
        return topic
      } catch (error) {
        // No topic can have such a name.
        if (isKind(error, 'invalid')) continue
        this.#options.runtime.logger.warn(
          { err: error, table: name },
          'it cannot be told whether the table is of a topic',
        )
        return 'unknown'
      }
    }
    return undefined
  }

  /** How old the oldest record is that is still missing, in milliseconds; undefined when none is too old. */
  async #freshen(name: string, topic: Topic, signal: AbortSignal): Promise<number | undefined> {
    const { maxStalenessMs, maxWaitMs, runtime } = this.#options
    const { clock } = runtime
    const isStale = (ageMs: number | null): ageMs is number => ageMs !== null && ageMs > maxStalenessMs
    const nowMs = clock.monotonic()
    const ageMs = topic.stats().untieredAgeMs
    if (!isStale(ageMs)) return undefined
    // All that was durable by then is to be in the table: a commit begun later has it, however it was begun.
    const horizonMs = nowMs - maxStalenessMs
    let tiering = this.#tierings.get(name)
    if (tiering === undefined || tiering.sinceMs < horizonMs) tiering = this.#tier(name, topic)
    if (await this.#within(tiering.done, maxWaitMs, signal)) return undefined
    return ageMs + (clock.monotonic() - nowMs)
  }

  /** Goes on when nobody waits for it any more: the next one finds it done. */
  #tier(name: string, topic: Topic): Tiering {
    const { runtime, maxStalenessMs } = this.#options
    this.#commits++
    const sinceMs = runtime.clock.monotonic()
    // Whoever asks for it may show nothing that is younger than his question.
    const asOfMs = Math.max(0, runtime.clock.now() - maxStalenessMs)
    const done = topic.tier({ asOfMs }).then(
      () => true,
      (error: unknown) => {
        runtime.logger.warn(
          { err: error, table: name, topic: topic.name },
          'a table could not be made fresh for a load',
        )
        return false
      },
    )
    const tiering: Tiering = { sinceMs, done }
    this.#tierings.set(name, tiering)
    void done.then(() => {
      if (this.#tierings.get(name) === tiering) this.#tierings.delete(name)
    })
    return tiering
  }

  /** Whether the work was done, and in time. */
  async #within(work: Promise<boolean>, ms: number, signal: AbortSignal): Promise<boolean> {
    const { timers } = this.#options.runtime
    let cancel = (): void => {}
    const late = new Promise<boolean>((resolve) => {
      const timer = timers.after(ms, () => resolve(false), { ref: true })
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
