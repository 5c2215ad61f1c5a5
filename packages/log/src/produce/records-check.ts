import { invalid, shown } from '@moulin/core'

/** @throws `invalid` code `RECORDS` for what cannot be iterated. */
export function checkRecords(what: string, records: unknown): void {
  const isIterable =
    typeof records === 'object' && records !== null && (Symbol.asyncIterator in records || Symbol.iterator in records)
  if (isIterable) return
  throw invalid('RECORDS', `${what}: the records are ${shown(records)}; give an iterable of records, such as an array.`)
}
