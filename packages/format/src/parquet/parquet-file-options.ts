import { option, type OptionCheck, type OptionTable } from '@moulin/core'
import type { OpenParquetOptions, ParquetFile, ParquetPageBoundsRequest, ParquetReadRequest } from './parquet-file.ts'

export const openTable: OptionTable<OpenParquetOptions> = {
  caps: option.someCaps,
  workers: option.door('ParquetWorkers', ['decode']),
  nameMapping: option.listOf(option.objectOf('a name mapping')),
  int96: option.oneOf('refuse', 'timestamp'),
  runtime: option.runtimeOf('logger'),
  signal: option.abortSignal,
}
const metricValue: OptionCheck = {
  expected: 'a value as stored: a boolean, number, bigint or Uint8Array',
  accepts: (value) => ['boolean', 'number', 'bigint'].includes(typeof value) || value instanceof Uint8Array,
}
const isRowGroup = option.required(option.integer('', 0))
const isFieldId = option.required(option.integer('', 0))
export const readTable: OptionTable<ParquetReadRequest> = {
  rowGroup: isRowGroup,
  types: option.required(option.listOf(option.objectOf('an Iceberg field'))),
  fieldIds: option.listOf(isFieldId),
  rows: option.nested<NonNullable<ParquetReadRequest['rows']>>({ start: isRowGroup, end: isRowGroup }),
  fetched: option.callback,
  signal: option.abortSignal,
}
export const dictionaryTable: OptionTable<Parameters<ParquetFile['dictionary']>[0]> = {
  rowGroup: isRowGroup,
  field: option.required(option.door('an Iceberg field', [], ['id', 'type'])),
  signal: option.abortSignal,
}
export const mightContainTable: OptionTable<Parameters<ParquetFile['mightContain']>[0]> = {
  rowGroup: isRowGroup,
  fieldId: isFieldId,
  value: option.required(metricValue),
  signal: option.abortSignal,
}
export const pageBoundsTable: OptionTable<ParquetPageBoundsRequest> = {
  rowGroup: isRowGroup,
  fieldId: isFieldId,
  type: option.anyOf(option.text, option.objectOf('an Iceberg type')),
  signal: option.abortSignal,
}
