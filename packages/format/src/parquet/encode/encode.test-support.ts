import type { IcebergField } from '@moulin/core'
import { type FileMetaData, parquetMetadata } from 'hyparquet'
import { expect } from 'vitest'
import { type PageHeader, readPageHeader } from '../decode/page-header.ts'
import type { FileWriter, FileWriterOptions, WrittenFile } from '../file-writer.ts'
import { openParquet } from '../open-parquet.ts'
import type { ParquetFile } from '../parquet-file.ts'
import { batchFrom, rowsOf } from '../parquet.test-columns.ts'
import { bytesRangeReader } from '../range-reader.ts'
import { ThriftReader } from '../thrift-reader.ts'
import { parquetWriter } from './parquet-writer.ts'

export type Rows = readonly (readonly unknown[])[]

export function writer(fields: readonly IcebergField[], options: Partial<FileWriterOptions> = {}): FileWriter {
  return parquetWriter.create({ schema: { type: 'struct', fields }, ...options })
}

export function write(
  fields: readonly IcebergField[],
  groups: readonly Rows[],
  options?: Partial<FileWriterOptions>,
): WrittenFile {
  const file = writer(fields, options)
  for (const rows of groups) file.writeRowGroup(batchFrom(fields, rows))
  return file.finish()
}

/** As our own reader sees it. */
export const open = ({ bytes }: WrittenFile): Promise<ParquetFile> =>
  openParquet(bytesRangeReader(bytes, 'test.parquet'))

export async function readBack(fields: readonly IcebergField[], written: WrittenFile): Promise<unknown[][]> {
  const file = await open(written)
  const rows: unknown[][] = []
  for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++)
    rows.push(...rowsOf(await file.read({ rowGroup, types: fields })))
  return rows
}

/** As hyparquet sees it. */
export const footer = ({ bytes }: WrittenFile): FileMetaData => parquetMetadata(bytes.slice().buffer)

export interface Page extends PageHeader {
  readonly body: Uint8Array
}

/** All pages of a column chunk, one after the other. */
export function pagesOf(written: WrittenFile, column = 0, rowGroup = 0): Page[] {
  const meta = footer(written).row_groups[rowGroup]!.columns[column]!.meta_data!
  const start = Number(meta.dictionary_page_offset ?? meta.data_page_offset)
  const end = start + Number(meta.total_compressed_size)
  const pages: Page[] = []
  const reader = new ThriftReader(written.bytes, start, end, 'pages')
  while (reader.position < end) {
    const header = readPageHeader(reader)
    const body = written.bytes.subarray(reader.position, reader.position + header.compressedBytes)
    reader.position += header.compressedBytes
    pages.push({ ...header, body })
  }
  expect(reader.position).toBe(end)
  return pages
}

/** Each once, in the order in which they come. */
export const encodingsOf = (pages: readonly Page[]): string[] => [...new Set(pages.map(({ encoding }) => encoding))]

/** Numbers that look random and are the same every time. */
export function lcg(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
