import { messageOf } from '../model/shown.ts'
import type { Logger, Runtime } from '../doors/runtime.ts'
import { guardedMeter } from './guarded-meter.ts'

const guards = new WeakMap<Logger, Logger>()

/**
 * The same logger, of which no line can break the work that it is about: what it throws, or rejects with, is told once by
 * `process.emitWarning` (type `MoulinWarning`, code `LOGGER`).
 */
export function guardedLogger(logger: Logger): Logger {
  const known = guards.get(logger)
  if (known !== undefined) return known
  let hasWarned = false
  const failed = (error: unknown): void => {
    if (hasWarned) return
    hasWarned = true
    const message = `The logger failed, and what it was told is lost: ${messageOf(error)} (This is said once.)`
    process.emitWarning(message, { type: 'MoulinWarning', code: 'LOGGER' })
  }
  const line =
    (level: keyof Logger): Logger['info'] =>
    (fields, message) => {
      try {
        // Of one that writes behind our back.
        const result: unknown = logger[level](fields, message)
        if (result instanceof Promise) result.catch(failed)
      } catch (error) {
        failed(error)
      }
    }
  const guarded: Logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
  guards.set(logger, guarded)
  guards.set(guarded, guarded)
  return guarded
}

/** The same doors, with a {@link guardedLogger} and a {@link guardedMeter}: for whoever takes a runtime and tells them things. */
export function guardedRuntime(runtime: Runtime): Runtime {
  const { clock, random, timers, logger, files, threads, meter, process: own } = runtime
  const guarded = { clock, random, timers, logger: guardedLogger(logger), files, threads, process: own }
  return meter === undefined ? guarded : { ...guarded, meter: guardedMeter(meter) }
}
