import type { Files } from './files.ts'
import type { Meter } from './meter.ts'
import type { Threads } from './threads.ts'

/**
 * The door to time, chance, timers, logs, the disk, threads and metrics. Nothing else in the library touches the ambient ones,
 * so a simulator that owns a `Runtime` owns everything. Nothing that decides safety uses a clock.
 */
export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  readonly timers: Timers
  readonly logger: Logger
  readonly files: Files
  readonly threads: Threads
  /** Without one nothing is measured. */
  readonly meter?: Meter
  /** Who this process is, for courtesy checks (`open.json`); what a reader beside a writer shows leans on a process being gone. */
  readonly process: ProcessInfo
}

export interface Clock {
  /** Milliseconds since the epoch; may jump. */
  now(): number
  /** Milliseconds from an arbitrary start; never falls. For durations only. */
  monotonic(): number
}

export interface Random {
  /** A random RFC 9562 version 4 UUID, lower case. */
  uuid(): string
  /** `length` random bytes. */
  bytes(length: number): Uint8Array
  /** A positive random int63, as Iceberg wants for snapshot ids. */
  int63(): bigint
}

export interface Timer {
  cancel(): void
}

export interface Timers {
  /** Calls `run` once after `ms`, however many; never after `Infinity`. Does not keep the process alive unless `ref` is true. */
  after(ms: number, run: () => void, options?: { readonly ref?: boolean }): Timer
  /** Resolves after `ms`; rejects with `aborted` when the signal fires first. Keeps the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Resolves after the current turn of the event loop: lets I/O in between two long computations. */
  turn(): Promise<void>
}

/** Shaped like pino: fields first, then the sentence. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface ProcessInfo {
  readonly pid: number
  /** Cores that it may use, at least 1: for the defaults of thread counts. */
  readonly cores: number
  /** Changes when the machine restarts, so that an old pid is not mistaken for a living one. */
  readonly bootId: string
  /** Which processes it sees: on one boot, a pid means the same process only where this is equal (a container has its own). */
  readonly pidSpace: string
  /** When this process started, in clock ticks or milliseconds: compared for equality only. */
  readonly startTime: string
  /** Start time of the process `pid` on this machine, or undefined when it is gone. */
  startTimeOf(pid: number): Promise<string | undefined>
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
}
