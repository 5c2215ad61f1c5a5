/**
 * The door to metrics, shaped like OpenTelemetry's `Meter`. An instrument is asked for once and used often, by all topics and logs that
 * have this meter (`guardedMeter` sees to it); a gauge again when it was closed. What an instrument is told belongs to it, and it may
 * be told from within a flush, so it must return at once. Adapter: `moulin/opentelemetry`; names: docs/metrics.md.
 */
export interface Meter {
  /** What only grows. */
  counter(name: string, options?: InstrumentOptions): Counter
  /** Values of which the distribution matters. */
  histogram(name: string, options?: HistogramOptions): Histogram
  /** What is as it is: `observe` is called whenever somebody collects, until the gauge is closed. */
  gauge(name: string, options: InstrumentOptions, observe: GaugeObserver): Gauge
}

export interface InstrumentOptions {
  /** As UCUM writes it: `s`, `By`, `1`, `{message}`. */
  readonly unit?: string
  readonly description?: string
}

export interface HistogramOptions extends InstrumentOptions {
  /** Rising upper borders of the buckets: advice. */
  readonly boundaries?: readonly number[]
}

export type MetricAttributes = Readonly<Record<string, string | number | boolean>>

export interface Counter {
  /** `value` is 0 or more. */
  add(value: number, attributes?: MetricAttributes): void
}

export interface Histogram {
  record(value: number, attributes?: MetricAttributes): void
}

export type GaugeObserver = (see: (value: number, attributes?: MetricAttributes) => void) => void

export interface Gauge {
  /** It is observed no more. Idempotent. */
  close(): void
}
