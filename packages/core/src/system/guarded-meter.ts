import { messageOf } from '../model/shown.ts'
import type {
  Counter,
  Gauge,
  GaugeObserver,
  Histogram,
  InstrumentOptions,
  Meter,
  MetricAttributes,
} from '../doors/meter.ts'

const guards = new WeakMap<Meter, Meter>()

interface SharedGauge {
  readonly made: Gauge | undefined
  readonly observers: Set<GaugeObserver>
}

/**
 * The same meter, of which no instrument can break the work that it measures: what it throws, or rejects with, is told once by
 * `process.emitWarning` (type `MoulinWarning`, code `METER`). An instrument that could not be made measures nothing.
 *
 * However often a name is asked for here, the meter is asked once: counters and histograms stay, and all that observe a gauge at a time
 * share one. The first one says what its options are.
 */
export function guardedMeter(meter: Meter): Meter {
  const known = guards.get(meter)
  if (known !== undefined) return known
  let hasWarned = false
  const failed = (error: unknown): undefined => {
    if (hasWarned) return
    hasWarned = true
    const message = `The meter failed, and what it was told is lost: ${messageOf(error)} (This is said once.)`
    process.emitWarning(message, { type: 'MoulinWarning', code: 'METER' })
  }
  const guard = <T>(work: () => T): T | undefined => {
    try {
      const result = work()
      // Of one that works behind our back.
      if (result instanceof Promise) result.catch(failed)
      return result
    } catch (error) {
      return failed(error)
    }
  }
  const counters = new Map<string, Counter>()
  const histograms = new Map<string, Histogram>()
  const gauges = new Map<string, SharedGauge>()
  const share = (name: string, options: InstrumentOptions, first: GaugeObserver): SharedGauge => {
    // Before it is made: it may be looked at right then.
    const observers = new Set([first])
    const observeAll: GaugeObserver = (see) => {
      const seeGuarded = (value: number, attributes?: MetricAttributes): void =>
        void guard(() => see(value, attributes))
      for (const observe of observers) guard(() => observe(seeGuarded))
    }
    return { observers, made: guard(() => meter.gauge(name, options, observeAll)) }
  }
  const guarded: Meter = {
    counter(name, options): Counter {
      const known = counters.get(name)
      if (known !== undefined) return known
      const made = guard(() => meter.counter(name, options))
      const counter: Counter = { add: (value, attributes) => void guard(() => made?.add(value, attributes)) }
      counters.set(name, counter)
      return counter
    },
    histogram(name, options): Histogram {
      const known = histograms.get(name)
      if (known !== undefined) return known
      const made = guard(() => meter.histogram(name, options))
      const histogram: Histogram = { record: (value, attributes) => void guard(() => made?.record(value, attributes)) }
      histograms.set(name, histogram)
      return histogram
    },
    gauge(name, options, observe): Gauge {
      // One of its own, whoever else observes with the same function.
      const observer: GaugeObserver = (see) => observe(see)
      const gauge = gauges.get(name) ?? share(name, options, observer)
      gauges.set(name, gauge)
      gauge.observers.add(observer)
      return {
        close() {
          if (!gauge.observers.delete(observer) || gauge.observers.size > 0) return
          gauges.delete(name)
          guard(() => gauge.made?.close())
        },
      }
    },
  }
  guards.set(meter, guarded)
  guards.set(guarded, guarded)
  return guarded
}
