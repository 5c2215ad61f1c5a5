import type { Compression } from '../../bytes/compression.ts'
import type { LeafEncoding } from '../file-writer.ts'
import type { PhysicalType } from '../parquet-schema.ts'

/** Numbers of parquet-format's `parquet.thrift`. */
export const physicalCodes: Readonly<Record<PhysicalType, number>> = {
  BOOLEAN: 0,
  INT32: 1,
  INT64: 2,
  FLOAT: 4,
  DOUBLE: 5,
  BYTE_ARRAY: 6,
  FIXED_LEN_BYTE_ARRAY: 7,
}

export const codecCodes: Readonly<Record<Compression, number>> = { none: 0, snappy: 1, gzip: 2, zstd: 6 }

export const encodingCodes: Readonly<Record<PageEncoding, number>> = {
  plain: 0,
  rle: 3,
  'delta-binary-packed': 5,
  'delta-length-byte-array': 6,
  'delta-byte-array': 7,
  dictionary: 8,
  'byte-stream-split': 9,
}

/** How the values of a page are written. */
export type PageEncoding = Exclude<LeafEncoding, 'auto'>

export const pageTypes = { data: 0, dictionary: 2, dataV2: 3 } as const

export const repetitionCodes = { REQUIRED: 0, OPTIONAL: 1, REPEATED: 2 } as const

export const convertedCodes = { UTF8: 0, MAP: 1, LIST: 3, DECIMAL: 5, DATE: 6, TIMESTAMP_MICROS: 10 } as const
