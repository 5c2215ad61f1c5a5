import * as format from '@moulin/format'
import type { FileWriterFactory } from '@moulin/format'

/** The product's default writer. */
export const parquetWriter: FileWriterFactory =
  (format as unknown as { parquetWriter?: FileWriterFactory }).parquetWriter ?? format.hyparquetWriter
