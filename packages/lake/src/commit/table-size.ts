import { formatCaps, invalid, jsonBytes } from '@moulin/core'
import type { Limits } from '@moulin/core'
import { footerBytesOf } from '@moulin/format'
import { createTableRequest } from '../table/table-layout.ts'
import type { TableLayout } from '../table/table-layout.ts'

/** Of a footer's cap: a file has several row groups, each with all columns. */
const FOOTER_SHARE = 8
/** Of the warning: snapshots and markers have the rest. */
const METADATA_SHARE = 2

/**
 * Refuses columns that are too many or have too long names: every version of the metadata has them all, and every row group
 * in the footer of a data file.
 * @throws `invalid` code `TABLE_TOO_WIDE`.
 */
export function checkTableSize(layout: TableLayout, topic: string, { metadataWarnBytes }: Limits): void {
  const metadataBytes = jsonBytes(createTableRequest(layout, {})).length
  const footerBytes = footerBytesOf(layout.schema)
  const most = { metadata: metadataWarnBytes / METADATA_SHARE, footer: formatCaps.maxParquetFooterBytes / FOOTER_SHARE }
  const fault =
    metadataBytes > most.metadata
      ? `${metadataBytes} bytes of each version of the table's metadata, and half of metadataWarnBytes (${metadataWarnBytes}) is the most`
      : footerBytes > most.footer
        ? `${footerBytes} bytes for each row group of a data file's footer, and ${most.footer} is the most that readers have room for`
        : undefined
  if (fault === undefined) return
  const message =
    `Topic ${topic}: the columns of the table would take ${fault}. ` +
    "Use fewer fields or shorter names, or keep the values as bytes with valueMode 'raw'."
  throw invalid('TABLE_TOO_WIDE', message, { context: { topic, metadataBytes, footerBytes } })
}
