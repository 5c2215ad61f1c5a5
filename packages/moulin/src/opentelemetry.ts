import { checkOptions, option } from '@moulin/core'
import type { InstrumentOptions, HistogramOptions, Meter, MetricAttributes, OptionTable } from '@moulin/core'
import { metrics } from '@opentelemetry/api'
import type { Meter as ApiMeter, MetricOptions, ObservableResult } from '@opentelemetry/api'

export interface OpenTelemetryOptions {
  /** Default: `metrics.getMeter('moulin')` of the global provider, which must have been set before. */
  readonly meter?: ApiMeter
  /** Said of all that is measured: what tells two logs of one process apart, for instance. */
  readonly attributes?: MetricAttributes
}

const optionTable: OptionTable<OpenTelemetryOptions> = {
  meter: option.door('a Meter of @opentelemetry/api', ['createCounter', 'createHistogram', 'createObservableGauge']),
  attributes: option.objectOf('attributes by name'),
}

/**
 * A meter that passes what a log measures on to OpenTelemetry: `openLog(dir, { meter: openTelemetryMeter() })`. All metrics are in
 * docs/metrics.md. Needs the package `@opentelemetry/api`; which SDK is behind it, if any, is the application's business.
 * @throws `invalid` for a bad option.
 */
export function openTelemetryMeter(options: OpenTelemetryOptions = {}): Meter {
  checkOptions('openTelemetryMeter', options, optionTable)
  const { meter = metrics.getMeter('moulin'), attributes: common } = options
  const withCommon = (attributes: MetricAttributes | undefined): MetricAttributes | undefined =>
    common === undefined ? attributes : { ...common, ...attributes }
  return {
    counter(name, instrument) {
      const counter = meter.createCounter(name, metricOptions(instrument))
      return { add: (value, attributes) => counter.add(value, withCommon(attributes)) }
    },
    histogram(name, instrument) {
      const histogram = meter.createHistogram(name, metricOptions(instrument))
      return { record: (value, attributes) => histogram.record(value, withCommon(attributes)) }
    },
    gauge(name, instrument, observe) {
      const gauge = meter.createObservableGauge(name, metricOptions(instrument))
      const callback = (result: ObservableResult): void =>
        observe((value, attributes) => result.observe(value, withCommon(attributes)))
      gauge.addCallback(callback)
      return { close: () => gauge.removeCallback(callback) }
    },
  }
}

function metricOptions({ unit, description, boundaries }: InstrumentOptions & HistogramOptions = {}): MetricOptions {
  return {
    ...(unit === undefined ? {} : { unit }),
    ...(description === undefined ? {} : { description }),
    ...(boundaries === undefined ? {} : { advice: { explicitBucketBoundaries: [...boundaries] } }),
  }
}
