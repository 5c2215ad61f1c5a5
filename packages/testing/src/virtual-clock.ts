import type { Clock, OptionTable, Timer, Timers } from '@moulin/core'
import { aborted, checkOptions, invalid, option, systemRuntime } from '@moulin/core'

/** Time that stands still until a test moves it. Several runtimes may share one: the processes of one machine. */
export interface VirtualClock extends Clock {
  /**
   * Moves time on by `ms`, running the timers that fall due in order of their time, then of their making. After each,
   * one turn of the event loop passes, so that all microtasks (and virtual disks) have run before the next.
   */
  advance(ms: number): Promise<void>
  /** Sets the wall clock off by `ms`, forward or back; `monotonic` and timers do not notice. */
  jump(ms: number): void
  /** Number of timers that wait. */
  readonly waiting: number
  /** The timers of one process. `drop` forgets them all, as its death does. */
  timers(): Timers & { drop(): void }
}

export interface VirtualClockOptions {
  /** Milliseconds since the epoch at the start. Default 2026-01-01. */
  readonly startMs?: number
}

interface Waiting {
  readonly dueMs: number
  readonly order: number
  readonly run: () => void
  readonly owner: object
}

let real: Timers | undefined
// The real event loop's: virtual time has turns, but no length.
const turn = (): Promise<void> => (real ??= systemRuntime().timers).turn()

const optionTable: OptionTable<VirtualClockOptions> = {
  startMs: option.integer('ms since the epoch', -8.64e15, 8.64e15),
}

export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  checkOptions('virtualClock', options, optionTable)
  let passedMs = 0
  let wallMs = options.startMs ?? Date.UTC(2026, 0, 1)
  let order = 0
  const waiting = new Set<Waiting>()

  const earliest = (untilMs: number): Waiting | undefined => {
    let first: Waiting | undefined
    for (const timer of waiting) {
      if (timer.dueMs > untilMs) continue
      if (
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order)
      )
        first = timer
    }
    return first
  }
  const moveTo = (ms: number): void => {
    wallMs += ms - passedMs
    passedMs = ms
  }

  return {
    now: () => wallMs,
    monotonic: () => passedMs,
    get waiting() {
      return waiting.size
    },
    jump(ms) {
      wallMs += ms
    },
    async advance(ms) {
      if (!(ms >= 0)) throw invalid('ADVANCE', `Time does not move by ${ms} ms: give 0 or more.`)
      const untilMs = passedMs + ms
      await turn()
      for (let timer = earliest(untilMs); timer !== undefined; timer = earliest(untilMs)) {
        waiting.delete(timer)
        moveTo(Math.max(passedMs, timer.dueMs))
        timer.run()
        await turn()
      }
      moveTo(Math.max(passedMs, untilMs))
    },
    timers() {
      const owner = {}
      let dropped = false
      const after = (ms: number, run: () => void): Timer => {
        const timer: Waiting = { dueMs: passedMs + Math.max(0, ms), order: order++, run, owner }
        if (!dropped) waiting.add(timer)
        return { cancel: () => void waiting.delete(timer) }
      }
      return {
        after,
        turn,
        sleep: (ms, signal) => sleepOn(after, ms, signal),
        drop() {
          dropped = true
          for (const timer of [...waiting]) if (timer.owner === owner) waiting.delete(timer)
        },
      }
    },
  }
}

function sleepOn(after: Timers['after'], ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel()
      reject(aborted('ABORTED', 'The wait was aborted by its signal.', { cause: signal?.reason as unknown }))
    }
    const timer = after(ms, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}
