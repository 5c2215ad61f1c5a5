import type { Counter, GaugeObserver, Histogram, InstrumentOptions, Meter, MetricAttributes } from '@moulin/core'

/** A meter that keeps all it is told, for tests. */
export interface RecordingMeter extends Meter {
  /** What was asked for so far, by name. */
  readonly instruments: ReadonlyMap<string, RecordedInstrument>
  /** In the order of their coming; a gauge is looked at now. `attributes`: only what has these, and perhaps others. */
  seen(name: string, attributes?: MetricAttributes): readonly SeenValue[]
  /** The sum of what {@link seen} says. */
  total(name: string, attributes?: MetricAttributes): number
}

export interface RecordedInstrument extends InstrumentOptions {
  readonly kind: 'counter' | 'histogram' | 'gauge'
}

export interface SeenValue {
  readonly value: number
  readonly attributes: MetricAttributes
}

export function recordingMeter(): RecordingMeter {
  const instruments = new Map<string, RecordedInstrument>()
  const told = new Map<string, SeenValue[]>()
  const observers = new Map<string, Set<GaugeObserver>>()
  const made = (kind: RecordedInstrument['kind'], name: string, options: InstrumentOptions = {}): void => {
    instruments.set(name, { kind, ...options })
  }
  const keep = (name: string): ((value: number, attributes?: MetricAttributes) => void) => {
    const values = told.get(name) ?? []
    told.set(name, values)
    return (value, attributes = {}) => void values.push({ value, attributes })
  }
  const seen = (name: string, attributes: MetricAttributes = {}): readonly SeenValue[] => {
    const values = [...(told.get(name) ?? [])]
    for (const observe of observers.get(name) ?? [])
      observe((value, own = {}) => void values.push({ value, attributes: own }))
    const wanted = Object.entries(attributes)
    return values.filter(({ attributes: own }) => wanted.every(([key, value]) => own[key] === value))
  }
  return {
    instruments,
    seen,
    total: (name, attributes) => seen(name, attributes).reduce((sum, { value }) => sum + value, 0),
    counter(name, options): Counter {
      made('counter', name, options)
      return { add: keep(name) }
    },
    histogram(name, options): Histogram {
      made('histogram', name, options)
      return { record: keep(name) }
    },
    gauge(name, options, observe) {
      made('gauge', name, options)
      const all = observers.get(name) ?? new Set()
      observers.set(name, all.add(observe))
      return { close: () => void all.delete(observe) }
    },
  }
}
