import { counterOf, errorType, histogramOf } from '@moulin/core'
import type { Appended, Clock, Counter, Histogram, Meter, MetricAttributes } from '@moulin/core'

/** Tells a meter of the appends of one topic, once each has been acked or has failed. */
export class AckMeter {
  readonly #clock: Clock
  readonly #topic: string
  readonly #messages: Counter
  readonly #durations: Histogram
  /** By partition. */
  readonly #attributes: (MetricAttributes | undefined)[] = []

  constructor(meter: Meter, clock: Clock, topic: string) {
    this.#clock = clock
    this.#topic = topic
    this.#messages = counterOf(meter, 'messaging.client.sent.messages')
    this.#durations = histogramOf(meter, 'messaging.client.operation.duration')
  }

  measured(
    { partition, recordCount }: { readonly partition: number; readonly recordCount: number },
    append: () => Promise<Appended>,
  ): Promise<Appended> {
    const beganMs = this.#clock.monotonic()
    const attributes = (this.#attributes[partition] ??= this.#attributesOf(partition))
    return append().then(
      (appended) => {
        this.#tell(beganMs, recordCount, attributes)
        return appended
      },
      (error: unknown) => {
        this.#tell(beganMs, recordCount, { ...attributes, 'error.type': errorType(error) })
        throw error
      },
    )
  }

  #tell(beganMs: number, recordCount: number, attributes: MetricAttributes): void {
    this.#messages.add(recordCount, attributes)
    this.#durations.record((this.#clock.monotonic() - beganMs) / 1000, attributes)
  }

  #attributesOf(partition: number): MetricAttributes {
    return {
      'messaging.system': 'moulin',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': this.#topic,
      'messaging.destination.partition.id': String(partition),
    }
  }
}
