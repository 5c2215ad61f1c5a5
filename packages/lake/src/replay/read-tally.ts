import { counterOf, histogramOf } from '@moulin/core'
import type { Meter } from '@moulin/core'

/** What one cold read takes. */
export class ReadTally {
  fetchedBytes = 0
  wantedBytes = 0
  /** For `ParquetFile.read`. */
  readonly fetched = (bytes: number): void => {
    this.fetchedBytes += bytes
  }
}

/** Tells a meter of the cold reads of one topic. */
export class ColdReadMeter {
  readonly #attributes: { readonly 'messaging.destination.name': string }
  readonly #reads
  readonly #fetched
  readonly #wanted
  readonly #amplification

  constructor(meter: Meter | undefined, topic: string) {
    this.#attributes = { 'messaging.destination.name': topic }
    this.#reads = counterOf(meter, 'moulin.cold.reads')
    this.#fetched = counterOf(meter, 'moulin.cold.fetched')
    this.#wanted = counterOf(meter, 'moulin.cold.wanted')
    this.#amplification = histogramOf(meter, 'moulin.cold.amplification')
  }

  /** Gives what the read gives, and tells of it as it goes on: one may last for hours. */
  async *counted<T>(read: (tally: ReadTally) => AsyncIterable<T>): AsyncGenerator<T> {
    const tally = new ReadTally()
    let [fetched, wanted] = [0, 0]
    const tell = (): void => {
      if (tally.fetchedBytes === fetched && tally.wantedBytes === wanted) return
      this.#fetched.add(tally.fetchedBytes - fetched, this.#attributes)
      this.#wanted.add(tally.wantedBytes - wanted, this.#attributes)
      ;[fetched, wanted] = [tally.fetchedBytes, tally.wantedBytes]
    }
    this.#reads.add(1, this.#attributes)
    try {
      for await (const some of read(tally)) {
        tell()
        yield some
      }
    } finally {
      tell()
      if (wanted > 0) this.#amplification.record(fetched / wanted, this.#attributes)
    }
  }
}
