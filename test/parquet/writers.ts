import type { FileWriterFactory } from '@moulin/format'
import { hyparquetWriter } from '@moulin/format'

/** Until ours is there. */
export const ours: FileWriterFactory = hyparquetWriter
export const isOurs: boolean = ours.name === 'moulin'
