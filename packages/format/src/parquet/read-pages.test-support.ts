import type { IcebergField, IcebergType } from '@moulin/core'
import { openParquet } from './open-parquet.ts'
import { pageFile, type TestChunk, type TestElement, type TestPage } from './page-file.test-support.ts'
import type { OpenParquetOptions } from './parquet-file.ts'
import { field, rowsOf } from './parquet.test-columns.ts'
import { bytesRangeReader } from './range-reader.ts'

/** Rows of the first row group. */
export async function readRows(
  bytes: Uint8Array,
  fields: readonly IcebergField[],
  options: OpenParquetOptions & { rows?: { start: number; end: number } } = {},
): Promise<unknown[][]> {
  const { rows, ...opening } = options
  const file = await openParquet(bytesRangeReader(bytes, 'pages.parquet'), opening)
  return rowsOf(await file.read({ rowGroup: 0, types: fields, ...(rows === undefined ? {} : { rows }) }))
}

/** The values of one column. */
export async function readColumn(
  element: TestElement,
  chunk: TestChunk,
  rowCount: number,
  type: IcebergType,
  options: OpenParquetOptions = {},
): Promise<unknown[]> {
  const bytes = pageFile([{ fieldId: 1, ...element }], rowCount, [chunk])
  return (await readRows(bytes, [field(1, 'c', type)], options)).map(([value]) => value)
}

/** A column named `c`. */
export const required = (type: TestElement['type'], more: Partial<TestElement> = {}): TestElement => ({
  name: 'c',
  repetition: 'REQUIRED',
  ...(type === undefined ? {} : { type }),
  ...more,
})
export const optional = (type: TestElement['type'], more: Partial<TestElement> = {}): TestElement => ({
  ...required(type, more),
  repetition: 'OPTIONAL',
})
export const testPage = (values: number, body: Uint8Array, more: Partial<TestPage> = {}): TestPage => ({
  values,
  body,
  ...more,
})
export const testChunk = (...pages: readonly TestPage[]): TestChunk => ({
  pages,
  valueCount: pages.reduce((sum, { kind, values }) => sum + (kind === 'dictionary' ? 0 : values), 0),
})
