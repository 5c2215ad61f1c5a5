import { corrupt, exhausted, unsupported } from '@moulin/core'
import { ThriftReader } from '../thrift-reader.ts'
import { type PageHeader, readPageHeader } from './page-header.ts'

/** A page as stored, whose header holds against the bytes that are there. */
export interface Page {
  readonly header: PageHeader
  readonly body: Uint8Array
}

export interface ChunkPages {
  readonly dictionary: Page | undefined
  readonly data: readonly Page[]
  /** Of all data pages, nulls included. */
  readonly values: number
}

/** What the pages of one chunk must keep to. */
export interface PageExpectations {
  /** Of the whole chunk, as the footer states it. */
  readonly valueCount: number
  readonly maxPageBytes: number
  /** Every data page of the chunk is there. */
  readonly isWhole: boolean
}

/** Positions in a column are 32-bit. */
const maxChunkBytes = 0x7fffffff

/**
 * Walks the page headers of a chunk, so that all that they state is checked before anything is made. `spans` are the
 * parts of the chunk that were loaded, in order, each made of whole pages.
 * @throws `corrupt`; `exhausted` above `maxParquetPageBytes`; `unsupported` for a kind of page.
 */
export function chunkPages(spans: readonly Uint8Array[], expected: PageExpectations): ChunkPages {
  const data: Page[] = []
  let dictionary: Page | undefined
  let values = 0
  let bytes = 0
  for (const span of spans) {
    const reader = new ThriftReader(span, 0, span.length, 'A page header')
    // What may follow the last value belongs to no page.
    while (reader.position < span.length && !(expected.isWhole && values >= expected.valueCount && data.length > 0)) {
      const header = readPageHeader(reader)
      const body = span.subarray(reader.position, reader.position + Math.max(0, header.compressedBytes))
      checkHeader(header, span.length - reader.position, expected)
      reader.position += header.compressedBytes
      if (header.kind === 'index') continue
      bytes += header.uncompressedBytes
      if (bytes > maxChunkBytes) throw bad('hold more than 2 GiB')
      const page = { header, body }
      if (header.kind !== 'dictionary') {
        data.push(page)
        values += header.values
      } else if (dictionary === undefined && data.length === 0) dictionary = page
      else throw bad('hold a dictionary that is not at the beginning')
    }
  }
  if (values > expected.valueCount || (expected.isWhole && values !== expected.valueCount))
    throw bad(`hold ${values} values where the footer states ${expected.valueCount}`)
  return { dictionary, data, values }
}

function checkHeader(header: PageHeader, left: number, { maxPageBytes, valueCount }: PageExpectations): void {
  const { kind, uncompressedBytes, compressedBytes, values, definitionBytes, repetitionBytes } = header
  if (kind === 'unknown')
    throw unsupported('PARQUET_PAGE', `It has a page of type ${header.type}, which this version does not read.`)
  if (compressedBytes < 0 || compressedBytes > left) throw bad(`state ${compressedBytes} bytes of ${left}`)
  if (kind === 'index') return
  if (uncompressedBytes < 0) throw bad(`state ${uncompressedBytes} uncompressed bytes`)
  if (uncompressedBytes > maxPageBytes) {
    const message = `One of its pages has ${uncompressedBytes} bytes; the limit maxParquetPageBytes is ${maxPageBytes}.`
    throw exhausted('PARQUET_LIMIT', message, { context: { uncompressedBytes, maxPageBytes } })
  }
  const levelBytes = definitionBytes < 0 || repetitionBytes < 0 ? Infinity : definitionBytes + repetitionBytes
  if (levelBytes > Math.min(compressedBytes, uncompressedBytes))
    throw bad('have levels that are longer than their page')
  // An entry of a dictionary takes a bit at least.
  const maxValues = kind === 'dictionary' ? uncompressedBytes * 8 : valueCount
  if (values < 0 || values > maxValues) throw bad(`state ${values} values`)
}

function bad(how: string): Error {
  return corrupt('PARQUET_PAGE', `Its page headers ${how}.`)
}
