import { corrupt, exhausted, unsupported } from '@moulin/core'
import { thrift, ThriftReader } from '../thrift-reader.ts'

/** What the headers of one chunk's pages must keep to. */
export interface PageExpectations {
  /** For messages: column, row group and file. */
  readonly what: string
  readonly type: string
  readonly valueCount: number
  readonly maxPageBytes: number
  /** Every data page of the chunk is there. */
  readonly isWhole: boolean
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

/** A data page whose header held. */
export interface CheckedPage {
  readonly values: number
  /** The run-length encoded levels of a version 2 page; undefined for version 1, which keeps them under its codec. */
  readonly repetitionLevels: Uint8Array | undefined
  readonly definitionLevels: Uint8Array | undefined
}

interface PageHeader {
  type: number
  uncompressedBytes: number
  compressedBytes: number
  values: number
  nulls: number
  encoding: number
  repetitionBytes: number
  definitionBytes: number
  levelEncodings: readonly number[]
}

/**
 * Walks the page headers of a chunk before hyparquet does: it believes the sizes, counts and encodings that it finds.
 * `spans` are the parts of the chunk that were loaded, in order, each made of whole pages.
 * @returns the data pages.
 * @throws `corrupt`, `exhausted` above `maxParquetPageBytes`, `unsupported` for an encoding or a kind of page.
 */
export function checkPages(spans: readonly Uint8Array[], expected: PageExpectations): CheckedPage[] {
  const pages: CheckedPage[] = []
  let values = 0
  let hasDictionary = false
  for (const bytes of spans) {
    const reader = new ThriftReader(bytes, 0, bytes.length, `A page header of ${expected.what}`)
    while (reader.position < bytes.length) {
      const header = readPageHeader(reader)
      checkHeader(header, bytes.length - reader.position, expected)
      if (header.type === dictionaryPage) hasDictionary = true
      else {
        values += header.values
        pages.push(checkedPage(header, bytes, reader.position))
      }
      // Without it the library would take the indexes for the values.
      if (!hasDictionary && encodings[header.encoding]?.endsWith('_DICTIONARY'))
        throw bad(expected, 'name a dictionary that is not there')
      reader.position += header.compressedBytes
    }
  }
  if (values > expected.valueCount || (expected.isWhole && values !== expected.valueCount))
    throw bad(expected, `hold ${values} values where the footer states ${expected.valueCount}`)
  return pages
}

function checkedPage(header: PageHeader, bytes: Uint8Array, start: number): CheckedPage {
  const { values, repetitionBytes, definitionBytes } = header
  if (header.type !== dataPageV2) return { values, repetitionLevels: undefined, definitionLevels: undefined }
  const definition = start + repetitionBytes
  return {
    values,
    repetitionLevels: bytes.subarray(start, definition),
    definitionLevels: bytes.subarray(definition, definition + definitionBytes),
  }
}

const [dataPage, dictionaryPage, dataPageV2] = [0, 2, 3]

function readPageHeader(reader: ThriftReader): PageHeader {
  const header: PageHeader = {
    type: -1,
    uncompressedBytes: -1,
    compressedBytes: -1,
    values: -1,
    nulls: 0,
    encoding: -1,
    repetitionBytes: 0,
    definitionBytes: 0,
    levelEncodings: [],
  }
  reader.struct((id, type) => {
    if (type === thrift.i32) {
      const value = reader.i32()
      if (id === 1) header.type = value
      else if (id === 2) header.uncompressedBytes = value
      else if (id === 3) header.compressedBytes = value
      return true
    }
    if (type !== thrift.struct || (id !== 5 && id !== 7 && id !== 8)) return false
    const fields: number[] = []
    reader.struct((field, fieldType) => {
      if (fieldType !== thrift.i32 || field > 6) return false
      fields[field] = reader.i32()
      return true
    })
    header.values = fields[1] ?? -1
    header.encoding = (id === 8 ? fields[4] : fields[2]) ?? -1
    if (id === 5) header.levelEncodings = [fields[3] ?? 3, fields[4] ?? 3]
    if (id !== 8) return true
    header.nulls = fields[2] ?? -1
    header.definitionBytes = fields[5] ?? -1
    header.repetitionBytes = fields[6] ?? -1
    return true
  })
  return header
}

function checkHeader(header: PageHeader, left: number, expected: PageExpectations): void {
  const { type, uncompressedBytes, compressedBytes, values, nulls, definitionBytes, repetitionBytes } = header
  if (type !== dataPage && type !== dictionaryPage && type !== dataPageV2)
    throw unsupported('PARQUET_PAGE', `${expected.what} has a page of type ${type}, which this version does not read.`)
  if (compressedBytes < 0 || compressedBytes > left) throw bad(expected, `state ${compressedBytes} bytes of ${left}`)
  if (uncompressedBytes > expected.maxPageBytes) {
    const message = `A page of ${expected.what} has ${uncompressedBytes} bytes; the limit maxParquetPageBytes is ${expected.maxPageBytes}.`
    throw exhausted('PARQUET_LIMIT', message, { context: { what: expected.what, uncompressedBytes } })
  }
  const levelBytes = definitionBytes < 0 || repetitionBytes < 0 ? Infinity : definitionBytes + repetitionBytes
  if (levelBytes > Math.min(compressedBytes, uncompressedBytes))
    throw bad(expected, 'have levels that are longer than their page')
  // An entry of a dictionary takes a byte at least.
  const maxValues = type === dictionaryPage ? uncompressedBytes : expected.valueCount
  if (values < 0 || values > maxValues || nulls < 0 || nulls > values)
    throw bad(expected, `state ${values} values and ${nulls} nulls`)
  checkEncoding(header, expected)
}

function checkEncoding({ type, encoding, levelEncodings }: PageHeader, expected: PageExpectations): void {
  const name = encodings[encoding] ?? `encoding ${encoding}`
  const isInteger = expected.type === 'INT32' || expected.type === 'INT64'
  const isKnown =
    name === 'PLAIN' ||
    name === 'PLAIN_DICTIONARY' ||
    (name === 'RLE_DICTIONARY' && type !== dictionaryPage) ||
    (name === 'RLE' && expected.type === 'BOOLEAN') ||
    (name === 'DELTA_BINARY_PACKED' && isInteger) ||
    ((name === 'DELTA_LENGTH_BYTE_ARRAY' || name === 'DELTA_BYTE_ARRAY') && expected.type.endsWith('BYTE_ARRAY')) ||
    (name === 'BYTE_STREAM_SPLIT' && expected.type !== 'BYTE_ARRAY' && expected.type !== 'BOOLEAN')
  const level = levelEncodings.find((value) => encodings[value] !== 'RLE')
  if (isKnown && level === undefined) return
  const what = level === undefined ? name : `levels in ${encodings[level] ?? `encoding ${level}`}`
  const message = `${expected.what} uses ${what} for ${expected.type}, which this version does not read.`
  throw unsupported('PARQUET_ENCODING', message, { context: { what: expected.what, encoding: name } })
}

function bad({ what }: PageExpectations, how: string): Error {
  return corrupt('PARQUET_PAGE', `The page headers of ${what} ${how}.`, { context: { what } })
}
