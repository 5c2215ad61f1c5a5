/** What threads that feed a producer import; the query of its URL says what to yield: `format`, and `records` of all threads together. */
import type { ProducerRecord } from '@moulin/core'
import { produced } from './produced.ts'
import type { ProducedFormat } from './produced.ts'

/** The URL of this module for so many records. */
export function producedFeed(format: ProducedFormat, records: number): URL {
  const url = new URL(import.meta.url)
  url.search = String(new URLSearchParams({ format, records: String(records) }))
  return url
}

function* feed(thread: number, threads: number): Generator<ProducerRecord<never>> {
  const asked = new URL(import.meta.url).searchParams
  const records = Number(asked.get('records'))
  const share = Math.floor(((thread + 1) * records) / threads) - Math.floor((thread * records) / threads)
  yield* produced(asked.get('format') as ProducedFormat).records(share)
}

export { feed as default }
