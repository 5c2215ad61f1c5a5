import {
  closed,
  throwIfAborted,
  type Timer,
  type WalLocation,
  type WalReader,
  type WalReaderOptions,
  type WalUsage,
} from '@moulin/core'
import { byOffset, placeOf, type MemoryWalSections } from './memory-wal-sections.ts'

/** What was released is in a checkpoint some time later: a look without any news finds it. */
const LOOK_MS = 1_000

/** A reader of `memoryWal`: what is committed is acked. */
export class MemoryWalReader implements WalReader {
  readonly #sections: MemoryWalSections
  readonly #open: WalReaderOptions
  #epoch = 0n
  /** Of the last section that was told. */
  #number = 0
  /** Of each section that was told and not released, by its place. */
  readonly #told = new Map<string, WalLocation>()
  /** Under way. */
  readonly #looks = new Set<Promise<void>>()
  #timer: Timer | undefined
  #onChange: (() => void) | undefined
  #isClosed = false

  constructor(sections: MemoryWalSections, open: WalReaderOptions) {
    this.#sections = sections
    this.#open = open
  }

  get epoch(): bigint {
    return this.#epoch
  }

  async read(location: WalLocation, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    throwIfAborted(options.signal)
    return this.#sections.read(location)
  }

  async release(locations: readonly WalLocation[]): Promise<void> {
    for (const location of locations) this.#told.delete(placeOf(location))
  }

  usage(): WalUsage {
    let liveBytes = 0
    const segments = new Set<string>()
    for (const { segment, sizeBytes } of this.#told.values()) {
      liveBytes += sizeBytes
      segments.add(segment)
    }
    return { liveBytes, heldBytes: liveBytes, segments: segments.size, liveSegments: segments.size, bufferBytes: 0 }
  }

  follow(looked: (error: Error | undefined) => void): void {
    const { timers } = this.#open.runtime
    let isDue = false
    const look = async (): Promise<void> => {
      // What was committed in one turn is looked at together.
      await timers.turn()
      isDue = false
      if (this.#isClosed) return
      const error = await this.refresh().then(
        () => undefined,
        (failed: Error) => failed,
      )
      // What it was closed in the middle of is no failure.
      if (!this.#isClosed) looked(error)
    }
    this.#onChange = () => {
      if (isDue) return
      isDue = true
      void look()
    }
    this.#sections.watchers.add(this.#onChange)
    const tick = (): void => {
      this.#timer = timers.after(LOOK_MS, tick)
      this.#onChange?.()
    }
    this.#timer = timers.after(LOOK_MS, tick)
  }

  refresh(): Promise<void> {
    const look = this.#look().finally(() => this.#looks.delete(look))
    this.#looks.add(look)
    return look
  }

  async #look(): Promise<void> {
    this.#checkOpen()
    while (this.#epoch !== this.#sections.epoch) {
      const { epoch } = this.#sections
      await this.#open.beforeRecovery()
      this.#checkOpen()
      this.#epoch = epoch
    }
    // One that was appended again stands behind later ones.
    const found = [...this.#sections.since(this.#number)]
    this.#number = found.at(-1)?.number ?? this.#number
    for (const { header, location } of found.sort(byOffset)) {
      if (!this.#open.isLive(header)) continue
      this.#told.set(placeOf(location), location)
      this.#open.recover(header, location)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    if (this.#onChange !== undefined) this.#sections.watchers.delete(this.#onChange)
    await Promise.allSettled(this.#looks)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw closed('WAL_CLOSED', 'This memoryWal was closed.')
  }
}
