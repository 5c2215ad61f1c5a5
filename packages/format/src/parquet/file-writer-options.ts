import { option, type OptionCheck, type OptionTable } from '@moulin/core'
import type { FileWriterOptions, LeafEncoding, SortingColumn } from './file-writer.ts'

const encodings: readonly LeafEncoding[] = [
  'auto',
  'plain',
  'dictionary',
  'delta-binary-packed',
  'delta-length-byte-array',
  'delta-byte-array',
  'byte-stream-split',
  'rle',
]

const rate: OptionCheck = {
  expected: 'a number between 0 and 1',
  accepts: (value) => typeof value === 'number' && value > 0 && value < 1,
}

/** What every {@link FileWriterFactory} takes; which of it a writer has is the writer's to say. */
export const fileWriterTable: OptionTable<FileWriterOptions> = {
  schema: option.required(option.door('an Iceberg schema', [], ['type', 'fields'])),
  // Parquet has more than are written here: those are unsupported, not unknown.
  compression: option.oneOf('none', 'gzip', 'snappy', 'zstd', 'lz4', 'brotli', 'lzo'),
  keyValue: option.recordOf(option.text),
  pageBytes: option.positiveBytes,
  columnIndexes: option.anyOf(option.oneOf('all'), option.listOf(option.text)),
  rowGroupBytes: option.positiveBytes,
  sink: option.callback,
  encodings: option.recordOf(option.oneOf(...encodings)),
  deltas: option.flag,
  pageVersion: option.oneOf(1, 2),
  pageChecksums: option.flag,
  boundBytes: option.positiveBytes,
  bloomFilters: option.recordOf(option.nested<{ readonly fpp?: number }>({ fpp: rate })),
  sortingColumns: option.listOf(
    option.nested<SortingColumn>({
      path: option.required(option.text),
      descending: option.flag,
      nullsFirst: option.flag,
    }),
  ),
}
