import type { FileWriterFactory } from '@moulin/format'
import { parquetWriter } from '@moulin/format'

/** The writer under test. */
export const ours: FileWriterFactory = parquetWriter
