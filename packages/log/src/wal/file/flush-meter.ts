import { errorType, histogramOf } from '@moulin/core'
import type { Clock, Histogram, Meter } from '@moulin/core'

/** Tells a meter of the flushes of a write-ahead tier. */
export class FlushMeter {
  readonly #clock: Clock
  readonly #flushes: Histogram
  readonly #syncs: Histogram
  readonly #sizes: Histogram

  constructor(meter: Meter, clock: Clock) {
    this.#clock = clock
    this.#flushes = histogramOf(meter, 'moulin.wal.flush.duration')
    this.#syncs = histogramOf(meter, 'moulin.wal.sync.duration')
    this.#sizes = histogramOf(meter, 'moulin.wal.flush.size')
  }

  /** A flush that is about to make room for its bytes. */
  begin(): FlushTiming {
    const secondsSince = (beganMs: number): number => (this.#clock.monotonic() - beganMs) / 1000
    const beganMs = this.#clock.monotonic()
    let syncingMs = beganMs
    return {
      syncing: () => (syncingMs = this.#clock.monotonic()),
      synced: () => this.#syncs.record(secondsSince(syncingMs)),
      durable: (bytes) => {
        this.#flushes.record(secondsSince(beganMs))
        this.#sizes.record(bytes)
      },
      failed: (error) => this.#flushes.record(secondsSince(beganMs), { 'error.type': errorType(error) }),
    }
  }
}

/** One flush. */
export interface FlushTiming {
  /** The call begins that makes its bytes durable. */
  syncing(): void
  synced(): void
  /** It is over, and may be acked. */
  durable(bytes: number): void
  failed(error: unknown): void
}
