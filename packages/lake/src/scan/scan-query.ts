import type { Expression } from '@moulin/core'

/** What a scan gives, resolved against the topic's columns (under our names, whatever the table calls them). */
export interface ScanQuery {
  readonly columns: readonly string[]
  readonly where: Expression | undefined
  /** Columns that rows need to be judged and shown. */
  readonly needed: readonly string[]
}
