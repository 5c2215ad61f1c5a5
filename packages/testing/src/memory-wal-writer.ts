import {
  closed,
  throwIfAborted,
  type Appended,
  type Failing,
  type Section,
  type WalLocation,
  type WalUsage,
  type WalWriter,
  type WalWriterOptions,
} from '@moulin/core'
import type { MemoryWalSections } from './memory-wal-sections.ts'
import type { SeededRandom } from './seeded-random.ts'

/** How late a flush arrives, at most. */
const MAX_TURNS = 6

interface Pending {
  readonly section: Section
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

/** What goes out together. */
interface Flush {
  readonly appends: readonly Pending[]
  /** It has arrived, and is committed as soon as all before it are. */
  hasArrived: boolean
}

interface MemoryWalWriterParts {
  readonly open: WalWriterOptions
  readonly sections: MemoryWalSections
  readonly random: SeededRandom
  readonly epoch: bigint
  readonly maxInFlight: number
  /** The writer is closed. */
  readonly release: () => void
}

/** The writer of `memoryWal`. */
export class MemoryWalWriter implements WalWriter {
  readonly rejections = 0
  readonly failing: Failing = { lastError: null, failingSinceMs: null, retries: 0 }
  readonly #parts: MemoryWalWriterParts
  #queue: Pending[] = []
  /** Oldest first. */
  readonly #underWay: Flush[] = []
  #isStarting = false
  #failure: Error | undefined
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(parts: MemoryWalWriterParts) {
    this.#parts = parts
  }

  get epoch(): bigint {
    return this.#parts.epoch
  }

  append(section: Section): Promise<Appended> {
    if (this.#closing !== undefined) return Promise.reject(closed('WAL_CLOSED', 'This memoryWal was closed.'))
    if (this.#failure !== undefined) return Promise.reject(this.#closedByFailure())
    return new Promise((resolve, reject) => {
      this.#queue.push({ section, resolve, reject })
      this.#start()
    })
  }

  async read(location: WalLocation, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    if (this.#closing !== undefined) throw closed('WAL_CLOSED', 'This memoryWal was closed.')
    throwIfAborted(options.signal)
    return this.#parts.sections.read(location)
  }

  async release(locations: readonly WalLocation[]): Promise<void> {
    this.#parts.sections.release(locations)
  }

  async checkFence(): Promise<void> {
    this.#parts.sections.checkFence(this.epoch)
  }

  sparse(share: number): readonly string[] {
    return this.#parts.sections.sparse(share)
  }

  async space(): Promise<undefined> {}

  usage(): WalUsage {
    return this.#parts.sections.usage()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#underWay.length > 0 || this.#queue.length > 0) await new Promise<void>((idle) => (this.#idle = idle))
    this.#parts.release()
  }

  /** Sends what is queued, in this turn's end: its appends share a flush. */
  #start(): void {
    if (this.#isStarting || this.#queue.length === 0 || this.#underWay.length >= this.#parts.maxInFlight) return
    this.#isStarting = true
    queueMicrotask(() => {
      this.#isStarting = false
      if (this.#failure !== undefined) return
      const flush: Flush = { appends: this.#take(), hasArrived: false }
      this.#underWay.push(flush)
      void this.#send(flush)
      this.#start()
    })
  }

  #take(): Pending[] {
    const { maxFlushBytes } = this.#parts.open.limits
    let count = 0
    for (let bytes = 0; count < this.#queue.length; count++) {
      bytes += this.#queue[count]!.section.batches.length
      if (count > 0 && bytes > maxFlushBytes) break
    }
    return this.#queue.splice(0, count)
  }

  async #send(flush: Flush): Promise<void> {
    const { open, random } = this.#parts
    for (let turns = random.below(MAX_TURNS); turns >= 0; turns--) await open.runtime.timers.turn()
    flush.hasArrived = true
    this.#commit()
    this.#start()
    if (this.#underWay.length === 0 && this.#queue.length === 0) this.#idle?.()
  }

  /** All that has arrived, up to the first flush that has not. */
  #commit(): void {
    const { sections, epoch, open } = this.#parts
    while (this.#underWay[0]?.hasArrived === true) {
      const { appends } = this.#underWay[0]
      try {
        const flush = appends.map(({ section }) => section)
        const committed = sections.commit(epoch, flush, open.nextOffset)
        this.#underWay.shift()
        committed.forEach(({ header: { baseOffset, lastOffset, aborted }, location }, index) => {
          const offsets = { baseOffset, lastOffset, ...(aborted && { aborted }) }
          appends[index]!.resolve({ ...offsets, location, durability: 'memory' })
        })
      } catch (error) {
        this.#fail(error as Error)
      }
    }
  }

  /** Final: a newer writer has opened. All behind the hole is as unknown as the flush itself. */
  #fail(error: Error): void {
    this.#failure = error
    const all = [...this.#underWay.splice(0).flatMap(({ appends }) => appends), ...this.#queue.splice(0)]
    for (const { reject } of all) reject(error)
  }

  #closedByFailure(): Error {
    return closed('WAL_FAILED', 'This memoryWal failed before: open the log again.', { cause: this.#failure })
  }
}
