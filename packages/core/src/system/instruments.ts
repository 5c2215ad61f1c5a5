import type { Counter, Gauge, GaugeObserver, Histogram, HistogramOptions, Meter } from '../doors/meter.ts'
import { metrics } from '../model/metrics.ts'
import type { CounterName, GaugeName, HistogramName, MetricName } from '../model/metrics.ts'
import { guardedMeter } from './guarded-meter.ts'

const nothing = { add(): void {}, record(): void {}, close(): void {} }

/** The instrument of a metric, of a {@link guardedMeter}; without a meter one that does nothing. */
export function counterOf(meter: Meter | undefined, name: CounterName): Counter {
  return meter === undefined ? nothing : guardedMeter(meter).counter(name, optionsOf(name))
}

/** As {@link counterOf}. */
export function histogramOf(meter: Meter | undefined, name: HistogramName): Histogram {
  return meter === undefined ? nothing : guardedMeter(meter).histogram(name, optionsOf(name))
}

/** As {@link counterOf}. */
export function gaugeOf(meter: Meter | undefined, name: GaugeName, observe: GaugeObserver): Gauge {
  return meter === undefined ? nothing : guardedMeter(meter).gauge(name, optionsOf(name), observe)
}

function optionsOf(name: MetricName): HistogramOptions {
  const { unit, description, boundaries } = metrics[name]
  return { unit, description, ...(boundaries === undefined ? {} : { boundaries }) }
}

/** What went wrong, as an attribute: the error's code, of which there are few. */
export function errorType(error: unknown): string {
  const { code } = Object(error) as { readonly code?: unknown }
  return typeof code === 'string' ? code : '_OTHER'
}
