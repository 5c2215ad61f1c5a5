import { thrift, type ThriftReader } from '../thrift-reader.ts'

/** What precedes a page. A count or size that the header lacks is −1. Spec: parquet.thrift, PageHeader. */
export interface PageHeader {
  readonly kind: 'data' | 'data-v2' | 'dictionary' | 'index' | 'unknown'
  /** As stored, for messages. */
  readonly type: number
  readonly uncompressedBytes: number
  readonly compressedBytes: number
  /** CRC-32 of the page as stored, as a signed integer. */
  readonly crc: number | undefined
  /** With nulls; of a dictionary its entries. */
  readonly values: number
  /** Only of version 2. */
  readonly rows: number | undefined
  readonly encoding: string
  /** Only of version 1; of version 2 they are always RLE. */
  readonly definitionEncoding: string
  readonly repetitionEncoding: string
  /** Only of version 2, which keeps its levels outside of the codec. */
  readonly definitionBytes: number
  readonly repetitionBytes: number
  readonly isCompressed: boolean
}

const encodings = [
  'PLAIN',
  'GROUP_VAR_INT',
  'PLAIN_DICTIONARY',
  'RLE',
  'BIT_PACKED',
  'DELTA_BINARY_PACKED',
  'DELTA_LENGTH_BYTE_ARRAY',
  'DELTA_BYTE_ARRAY',
  'RLE_DICTIONARY',
  'BYTE_STREAM_SPLIT',
] as const

/** Also of footers. */
export function encodingName(encoding: number): string {
  return encodings[encoding] ?? `encoding ${encoding}`
}

const kinds = ['data', 'index', 'dictionary', 'data-v2'] as const

/** Reads one header; nothing in it is compared with anything yet. @throws `corrupt` for what is no Thrift. */
export function readPageHeader(reader: ThriftReader): PageHeader {
  let [type, uncompressedBytes, compressedBytes] = [-1, -1, -1]
  let crc: number | undefined
  // Of the one struct for the kind of page, its integers by field id.
  let fields: number[] = []
  let kind: PageHeader['kind'] = 'unknown' as PageHeader['kind']
  let isCompressed = true
  reader.struct((id, fieldType) => {
    if (fieldType === thrift.i32) {
      const value = reader.i32()
      if (id === 1) type = value
      else if (id === 2) uncompressedBytes = value
      else if (id === 3) compressedBytes = value
      else if (id === 4) crc = value
      return true
    }
    if (fieldType !== thrift.struct || (id !== 5 && id !== 7 && id !== 8)) return false
    fields = []
    reader.struct((field, innerType) => {
      if (id === 8 && field === 7) isCompressed = innerType !== thrift.false
      if (innerType !== thrift.i32 || field > 6) return false
      fields[field] = reader.i32()
      return true
    })
    kind = id === 5 ? 'data' : id === 7 ? 'dictionary' : 'data-v2'
    return true
  })
  const stated = kinds[type] ?? 'unknown'
  const isV2 = stated === 'data-v2'
  return {
    // A header of one type with the struct of another is as good as none.
    kind: stated === 'index' || stated === kind ? stated : 'unknown',
    type,
    uncompressedBytes,
    compressedBytes,
    crc,
    values: fields[1] ?? -1,
    rows: isV2 ? fields[3] : undefined,
    encoding: encodingName((isV2 ? fields[4] : fields[2]) ?? -1),
    definitionEncoding: isV2 ? 'RLE' : encodingName(fields[3] ?? 3),
    repetitionEncoding: isV2 ? 'RLE' : encodingName(fields[4] ?? 3),
    definitionBytes: isV2 ? (fields[5] ?? -1) : 0,
    repetitionBytes: isV2 ? (fields[6] ?? -1) : 0,
    isCompressed,
  }
}
