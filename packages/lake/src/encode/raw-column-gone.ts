import { unsupported } from '@moulin/core'

/** What stops tiering where a value has no column left to go to. */
export function rawColumnGone(partition: number, offset: bigint): Error {
  const message =
    `The table has no column _kafka_value any more, and the value at offset ${offset} of partition ${partition} needs it, so nothing ` +
    'more is tiered; reads go on. Make the earlier schema current that has the column: a new one of its name is another column.'
  return unsupported('RAW_COLUMN', message, { context: { partition, offset } })
}
