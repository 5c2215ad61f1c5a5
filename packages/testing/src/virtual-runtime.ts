import { checkOptions, option, systemRuntime } from '@moulin/core'
import type { Files, Logger, Meter, OptionTable, Runtime, ThreadPort } from '@moulin/core'
import type { ProcessTable } from './process-table.ts'
import { processTable } from './process-table.ts'
import type { SeededRandom } from './seeded-random.ts'
import { seededRandom } from './seeded-random.ts'
import { simulatedDisk } from './simulated-disk.ts'
import type { VirtualClock } from './virtual-clock.ts'
import { virtualClock } from './virtual-clock.ts'
import { virtualThreads } from './virtual-threads.ts'

export interface VirtualRuntimeOptions {
  readonly seed: number
  /** Default: those of a new {@link simulatedDisk} with the same seed. */
  readonly files?: Files
  /** Default: a new one. Share it among the processes of one machine. */
  readonly clock?: VirtualClock
  /** Default: a new one. Share it among the processes of one machine. */
  readonly processes?: ProcessTable
  /** Default: one for all. A process in another one, as in a container, does not know this one's pids. */
  readonly pidSpace?: string
  /** Of a new clock, milliseconds since the epoch. */
  readonly startMs?: number
  /**
   * What worker threads do, in this thread: see {@link virtualThreads}; `serveTier` of `@moulin/lake` for those of a cold tier,
   * `serveFeed` of `@moulin/log` for those of a feed. Default:
   * they are the system's, whose answers come when they come.
   */
  readonly serveThread?: (port: ThreadPort, module: URL) => void
  /** Default: none. */
  readonly meter?: Meter
}

/** A runtime that a test owns: nothing in it happens by itself. */
export interface VirtualRuntime extends Runtime {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  /** Every line logged so far. */
  readonly logs: readonly LogLine[]
  /** All worker threads that run here die. */
  killThreads(): void
  /** The process is gone: its timers never run, its worker threads answer nothing and `startTimeOf` no longer knows it. */
  exit(): void
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: object
  readonly message: string
  readonly atMs: number
}

const optionTable: OptionTable<VirtualRuntimeOptions> = {
  seed: option.required(option.integer('', 0)),
  files: option.filesCheck,
  clock: option.door('a virtualClock', ['now', 'timers']),
  processes: option.door('a processTable', ['start', 'end']),
  pidSpace: option.text,
  startMs: option.integer('ms since the epoch', -8.64e15, 8.64e15),
  serveThread: option.callback,
  meter: option.meterCheck,
}

/** One virtual process: seeded chance, a clock that stands still, captured logs. */
export function virtualRuntime(options: VirtualRuntimeOptions): VirtualRuntime {
  checkOptions('virtualRuntime', options, optionTable)
  const clock = options.clock ?? virtualClock(options.startMs === undefined ? {} : { startMs: options.startMs })
  const processes = options.processes ?? processTable()
  const { pid, startTime } = processes.start()
  const timers = clock.timers()
  const { serveThread, meter } = options
  const threads = serveThread === undefined ? undefined : virtualThreads({ serve: serveThread, timers })
  const logs: LogLine[] = []
  const line =
    (level: LogLine['level']): Logger['info'] =>
    (fields, message) =>
      void logs.push({ level, fields, message, atMs: clock.now() })
  return {
    clock,
    timers,
    random: seededRandom(options.seed),
    logger: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    logs,
    files: options.files ?? simulatedDisk({ seed: options.seed }).files,
    threads: threads ?? systemRuntime().threads,
    ...(meter === undefined ? {} : { meter }),
    process: {
      pid,
      cores: 2,
      startTime,
      bootId: processes.bootId,
      pidSpace: options.pidSpace ?? 'virtual-space',
      startTimeOf: async (other) =>
        options.pidSpace === undefined || other === pid ? processes.startTimeOf(other) : undefined,
    },
    killThreads: () => threads?.kill(),
    exit() {
      threads?.drop()
      timers.drop()
      processes.end(pid)
    },
  }
}
