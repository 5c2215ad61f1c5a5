import { aborted, exhausted, type Failing, type Runtime, type WalFull, type WalSpace } from '@moulin/core'
import { Chore, Scheduler } from '../chores/chore.ts'
import type { Holding, ReliefTopic, WalPressure } from './wal-pressure.ts'

/** Write-ahead bytes after which a checkpoint is due, so that a later loss of files is noticed. */
const CHECKPOINT_EVERY_BYTES = 256 * 1024 * 1024
/** Producers wait while room is being made, too, once this share of `maxWalBytes` has been taken on top of it. */
const ABOVE = 1 / 8
/** Segments of which at most this share lives are not worth their bytes: what lives in them is copied on. */
const SPARSE = 1 / 4
/** The disk is looked at whenever this share of its reserve has been appended, and, below the reserve, so often. */
const MEASURE_EVERY = 1 / 16
const LOOK_MS = 1_000
/** How long the release of one topic is waited for before another one is asked. */
const PATIENCE_MS = 5_000
/** Above `maxWalBytes`, appends of this share of it are looked at together. */
const STEP = 1 / 64

export interface WalReliefOptions {
  readonly maxWalBytes: number
  /** How long a send waits for room before it is refused. */
  readonly maxBlockMs: number
  /** See `WalUsage`. */
  readonly heldBytes: () => number
  /** See `WalWriter`. */
  readonly sparse: (share: number) => readonly string[]
  /** Copies what lives in these segments on, so that they are freed; returns how many sections moved. */
  readonly copyOn: (segments: readonly string[]) => Promise<number>
  /** See `WalWriter`. */
  readonly space: () => Promise<WalSpace | undefined>
  readonly topics: () => Iterable<ReliefTopic>
  /** What no topic of these can let go of. */
  readonly unread: () => readonly Holding[]
  /** Writes one. What fails is tried again, and told, by whoever does it. */
  readonly checkpoint: () => Promise<void>
  readonly runtime: Runtime
}

/**
 * Keeps the write-ahead tier below `maxWalBytes`, and its disk above the reserve. Else what lives in nearly empty segments is copied on;
 * then the grace ends early, that of the oldest confirmed data first; once nothing is confirmed, topics are tiered ahead of time. The
 * topics' own schedulers do the last two, at their own pace; this says what for. Where nothing helps, producers wait. Also writes a
 * checkpoint every so often.
 */
export class WalRelief implements WalPressure {
  readonly #copies: Chore
  readonly #options: WalReliefOptions
  readonly #scheduler: Scheduler
  readonly #measures: Chore
  /** While producers wait: whatever makes room, they are not to miss it. */
  readonly #looks: Chore
  #space: WalSpace | undefined
  /** Bytes appended, at which the disk is looked at next: at once, until it has been. */
  #measureAt = -Infinity
  #measuredMs = 0
  #stage: 'none' | 'copy' | 'release' | 'tier' = 'none'
  #releasing: ReliefTopic | undefined
  #appendedBytes = 0
  #checkpointAt = CHECKPOINT_EVERY_BYTES
  #lookAgainAt = 0
  #lookedMs = 0
  #chosenMs = 0
  #isStopped = false
  readonly #waiting = new Set<() => void>()
  #full: WalFull | null = null

  constructor(options: WalReliefOptions) {
    this.#options = options
    const { runtime } = options
    this.#copies = new Chore(
      runtime.clock,
      {
        name: 'Copying on what lives in nearly empty segments',
        isWanted: () => this.isRoomWanted && options.sparse(SPARSE).length > 0,
        due: () => (this.#stage === 'copy' ? -Infinity : Infinity),
        run: () => this.#copies.attempt(() => this.#copyOn(), { isInVain }).catch(() => undefined),
      },
      (error, retryMs) => {
        if (error !== undefined && retryMs !== null)
          runtime.logger.warn({ err: error, retryMs }, `${this.#copies.name} failed: it will be tried again`)
        this.ended()
        this.#scheduler.evaluate()
      },
    )
    this.#measures = new Chore(
      runtime.clock,
      {
        name: 'Measuring the disk',
        isWanted: () => true,
        due: () =>
          this.#appendedBytes >= this.#measureAt ? -Infinity : this.#isLow ? this.#measuredMs + LOOK_MS : Infinity,
        run: () => this.measure(),
      },
      () => this.#scheduler.evaluate(),
    )
    this.#looks = new Chore(
      runtime.clock,
      {
        name: 'Looking for room',
        isWanted: () => this.#full !== null,
        due: () => this.#lookedMs + LOOK_MS,
        run: () => this.#looks.attempt(async () => this.#look()),
      },
      () => this.#scheduler.evaluate(),
    )
    this.#scheduler = new Scheduler(runtime, [this.#copies, this.#measures, this.#looks])
  }

  get walFull(): WalFull | null {
    return this.#full
  }

  /** Looks at the disk. Never rejects. */
  async measure(): Promise<void> {
    const { space, runtime } = this.#options
    const wasLow = this.#isLow
    await this.#measures
      .attempt(async () => {
        this.#space = await space()
        this.#measuredMs = runtime.clock.monotonic()
        this.#measureAt =
          this.#space === undefined ? Infinity : this.#appendedBytes + this.#space.reserveBytes * MEASURE_EVERY
      })
      .catch((error: unknown) => {
        runtime.logger.warn({ err: error }, 'How much of the disk is free could not be found out')
      })
    if (wasLow || this.#isLow) this.#look()
  }

  /** Below the reserve. */
  get #isLow(): boolean {
    return this.#space !== undefined && this.#space.freeBytes < this.#space.reserveBytes
  }

  /** Room is wanted. */
  #isAbove(held: number): boolean {
    return held > this.#options.maxWalBytes || this.#isLow
  }

  appended(bytes: number): void {
    this.#appendedBytes += bytes
    if (this.#appendedBytes >= this.#checkpointAt && !this.#isStopped) {
      this.#checkpointAt = this.#appendedBytes + CHECKPOINT_EVERY_BYTES
      this.#options.checkpoint().catch(() => undefined)
    }
    if (this.#appendedBytes >= this.#measureAt) this.#scheduler.evaluate()
    const held = this.#options.heldBytes()
    if (held > this.#options.maxWalBytes && held >= this.#lookAgainAt) this.#look()
  }

  wants(topic: ReliefTopic): 'nothing' | 'release' | 'tier' {
    if (this.#stage === 'release') return topic === this.#releasing ? 'release' : 'nothing'
    return this.#stage === 'tier' ? 'tier' : 'nothing'
  }

  ended(): void {
    // What has ended may have freed some of it.
    if (this.#isLow) void this.measure()
    else if (this.#full !== null || this.#stage !== 'none' || this.#isAbove(this.#options.heldBytes())) this.#look()
  }

  get failing(): Failing {
    return this.#copies.failing
  }

  #look(): void {
    if (this.#isStopped) return
    const { heldBytes, maxWalBytes, topics, runtime } = this.#options
    const held = heldBytes()
    const now = runtime.clock.monotonic()
    this.#lookedMs = now
    this.#lookAgainAt = held + maxWalBytes * STEP
    const isAbove = this.#isAbove(held)
    const all = isAbove ? [...topics()] : []
    if (isAbove && this.#canCopyOn()) {
      this.#stage = 'copy'
      this.#scheduler.evaluate()
    } else if (all.length > 0 && !this.#isWorthWaiting(now)) {
      // A table that does not answer holds up no other.
      const confirmed = all.filter((topic) => topic.oldestConfirmedMs !== undefined && !topic.isReleasing)
      this.#releasing = confirmed.sort((a, b) => a.oldestConfirmedMs! - b.oldestConfirmedMs!)[0]
      this.#chosenMs = now
      this.#stage = this.#releasing === undefined ? 'tier' : 'release'
    }
    if (!isAbove) this.#stage = 'none'
    for (const topic of all) topic.evaluate()
    const isStuck = isAbove && !this.#copies.isRunning && !all.some(({ isBusy }) => isBusy)
    this.#judge(all, isStuck)
  }

  /** The topic that was to release what is oldest is at it, and has not been for long. */
  #isWorthWaiting(now: number): boolean {
    return this.#stage === 'release' && this.#releasing?.isReleasing === true && now - this.#chosenMs < PATIENCE_MS
  }

  #canCopyOn(): boolean {
    return this.#copies.isRunning || (!this.#copies.isWaiting && this.#options.sparse(SPARSE).length > 0)
  }

  async #copyOn(): Promise<number> {
    const segments = this.#options.sparse(SPARSE)
    const moved = await this.#options.copyOn(segments)
    const { logger } = this.#options.runtime
    if (moved > 0) logger.info({ segments: segments.length, sections: moved }, 'Nearly empty segments were freed')
    return moved
  }

  get freeBytes(): number {
    return this.#isLow ? this.#space!.freeBytes : Infinity
  }

  get isRoomWanted(): boolean {
    return this.#isAbove(this.#options.heldBytes())
  }

  get isFull(): boolean {
    return this.#full !== null
  }

  enter<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#full === null ? work() : this.#wait(work, signal)
  }

  stop(): void {
    this.#isStopped = true
    this.#scheduler.stop()
    this.#full = null
    this.#letIn()
  }

  /** Whether producers wait, and why. `isStuck`: room is wanted, and nothing that may make some is under way. */
  #judge(all: readonly ReliefTopic[], isStuck: boolean): void {
    const { heldBytes, maxWalBytes, runtime } = this.#options
    const held = heldBytes()
    if (!isStuck && !this.#isLow && held <= maxWalBytes * (1 + ABOVE)) {
      if (this.#full !== null)
        runtime.logger.info({ heldBytes: held, maxWalBytes }, 'There is room in the write-ahead tier again')
      this.#full = null
      this.#letIn()
      return
    }
    // What holds most comes first: only some of it fits into words.
    const holding = [...all.flatMap((topic) => topic.holding), ...this.#options.unread()]
      .sort((a, b) => b.bytes - a.bytes)
      .map((each) => each.reason)
    const what = this.#isLow
      ? `the disk of the write-ahead tier has ${this.#space!.freeBytes} bytes free, and ${this.#space!.reserveBytes} are kept for commits`
      : `the write-ahead tier holds ${held} bytes, maxWalBytes is ${maxWalBytes}`
    const reason = `${what}; ${holding.slice(0, 3).join('; ') || 'no topic holds it: the last segments do'}`
    if (this.#full === null)
      runtime.logger.warn({ heldBytes: held, maxWalBytes, holding }, 'Producers wait for room in the write-ahead tier')
    this.#full = { sinceMs: this.#full?.sinceMs ?? runtime.clock.now(), reason }
    this.#scheduler.evaluate()
  }

  #letIn(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const go of waiting) go()
  }

  /** In the order of the calls, as all of them are let in together. */
  #wait<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const { maxBlockMs, runtime } = this.#options
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.#waiting.delete(go)
        timer.cancel()
        signal?.removeEventListener('abort', stop)
        settle()
      }
      // At once, not when whoever waits is resumed: else a later call would pass.
      const go = (): void => end(() => resolve(work()))
      const stop = (): void => {
        const cause: unknown = signal?.reason
        end(() =>
          reject(
            aborted('ABORTED', 'The send was aborted while it waited for room in the write-ahead tier.', { cause }),
          ),
        )
      }
      const timer = runtime.timers.after(maxBlockMs, () => end(() => reject(this.#refused())), { ref: true })
      if (signal?.aborted === true) return stop()
      signal?.addEventListener('abort', stop, { once: true })
      this.#waiting.add(go)
    })
  }

  #refused(): Error {
    const { maxBlockMs, maxWalBytes } = this.#options
    const message = `No room for ${maxBlockMs} ms (maxBlockMs): ${this.#full?.reason ?? 'there is some only now'}. Nothing of this call was stored. Mend what holds the records back, ${this.#isLow ? 'or free some of the disk' : 'or raise maxWalBytes'}.`
    return exhausted('WAL_FULL', message, { retryable: true, context: { maxBlockMs, maxWalBytes } })
  }
}

/** All of it had been released meanwhile, or was being read in vain. */
const isInVain = (moved: number): boolean => moved === 0
