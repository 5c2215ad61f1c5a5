import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { aborted } from '../model/errors.ts'
import { loggerCheck, meterCheck } from '../options/option-checks.ts'
import { checkOptions } from '../options/options.ts'
import type { Meter } from '../doors/meter.ts'
import type { Clock, Logger, ProcessInfo, Random, Runtime, Timers } from '../doors/runtime.ts'
import { silentLogger } from '../doors/runtime.ts'
import { guardedLogger } from './guarded-logger.ts'
import { guardedMeter } from './guarded-meter.ts'
import { systemFiles } from './system-files.ts'
import { systemThreads } from './system-threads.ts'

/**
 * The machine's own clock, chance, timers, disk and threads. Without a `logger`, the first failure in the background that nobody catches is told
 * by `process.emitWarning` (type `MoulinWarning`, the error's code), and nothing else is: `stats()` show what goes wrong. Without a `meter` nothing is measured.
 * @throws `invalid` for a bad option.
 */
export function systemRuntime(options: { readonly logger?: Logger; readonly meter?: Meter } = {}): Runtime {
  checkOptions('systemRuntime', options, { logger: loggerCheck, meter: meterCheck })
  return {
    clock: systemClock,
    random: systemRandom,
    timers: systemTimers,
    logger: options.logger === undefined ? warnOnce() : guardedLogger(options.logger),
    files: systemFiles(),
    threads: systemThreads,
    ...(options.meter === undefined ? {} : { meter: guardedMeter(options.meter) }),
    process: systemProcess(),
  }
}

function warnOnce(): Logger {
  let hasWarned = false
  const warn = (fields: object, message: string): void => {
    const { err } = fields as { err?: unknown }
    if (hasWarned || !(err instanceof Error)) return
    hasWarned = true
    const code = (err as { code?: unknown }).code
    const more = `${message}: ${err.message} (This is said once; give openLog a logger, or look at stats().)`
    process.emitWarning(more, { type: 'MoulinWarning', ...(typeof code === 'string' ? { code } : {}) })
  }
  return { ...silentLogger, warn, error: warn }
}

const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() }

const systemRandom: Random = {
  uuid: () => randomUUID(),
  // Plain and of its own: Node's is a Buffer.
  bytes: (length) => new Uint8Array(randomBytes(length)),
  int63: () => randomBytes(8).readBigUInt64LE() >> 1n,
}

/** 24.8 days: `setTimeout` takes anything longer for 1 ms. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

const systemTimers: Timers = {
  after(ms, run, options) {
    const dueMs = systemClock.monotonic() + ms
    let timer: NodeJS.Timeout
    const arm = (waitMs: number): void => {
      const isLast = !(waitMs > MAX_TIMEOUT_MS)
      const next = isLast ? run : () => arm(dueMs - systemClock.monotonic())
      timer = setTimeout(next, isLast ? waitMs : MAX_TIMEOUT_MS)
      if (options?.ref !== true) timer.unref()
    }
    arm(ms)
    return { cancel: () => clearTimeout(timer) }
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        timer.cancel()
        reject(aborted('ABORTED', 'The wait was aborted by its signal.', { cause: signal?.reason as unknown }))
      }
      const done = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const timer = systemTimers.after(ms, done, { ref: true })
      if (signal?.aborted) stop()
      else signal?.addEventListener('abort', stop, { once: true })
    })
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
}

// Linux names the boot and each process's start; elsewhere a pid alone has to do.
function systemProcess(): ProcessInfo {
  const pid = process.pid
  return {
    pid,
    cores: availableParallelism(),
    bootId: readProc('/proc/sys/kernel/random/boot_id') ?? 'unknown-boot',
    pidSpace: readLink('/proc/self/ns/pid') ?? 'one-space',
    startTime: startTimeIn(readProc('/proc/self/stat')) ?? `pid-${pid}`,
    async startTimeOf(other) {
      const stat = await readFile(`/proc/${other}/stat`, 'utf8').catch(() => undefined)
      return stat === undefined ? (isAlive(other) ? `pid-${other}` : undefined) : startTimeIn(stat)
    },
  }
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

// Fields after the command name, which may hold blanks: state first, start time in clock ticks twentieth. A zombie is gone.
function startTimeIn(stat: string | undefined): string | undefined {
  if (stat === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
