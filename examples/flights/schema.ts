import { schema, t } from 'moulin'
import type { Infer } from 'moulin'

/** One row of the source, and the value of one record. */
export const Flight = schema({
  date: t.timestamp,
  delay: t.int53,
  distance: t.int53,
  origin: t.string,
  destination: t.string,
})
export type Flight = Infer<typeof Flight>

export const topicName = 'flights'
export const tableName = 'travel.flights'
