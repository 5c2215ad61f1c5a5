export { avro } from './avro/avro-codec.ts'
export type { AvroSchemaJson } from './avro/avro-codec.ts'
export { avroTypeOf, openAvroFile, readAvroFile, writeAvroFile } from './avro/avro-file.ts'
export type { AvroBlock, OpenAvroFile, ReadAvroOptions, WriteAvroOptions } from './avro/avro-file.ts'
export { AvroReader, avroReaderOf, minimumBytes } from './avro/avro-reader.ts'
export type { AvroRead } from './avro/avro-reader.ts'
export type { AvroType } from './avro/avro-schema.ts'
export { BatchFramer, headerKeySize, nullableSize } from './batch/batch-framer.ts'
export { batchesIn, crcOfBatch, patchBatch } from './batch/batch-header.ts'
export type { BatchHeader } from './batch/batch-header.ts'
export { offsetSince } from './batch/offset-since.ts'
export { keptOfBatch } from './batch/kept-of-batch.ts'
export { appendRecordsSection, checkBatch, checkCrc, readRecords } from './batch/read-batch.ts'
export type { BatchRecord, CheckedBatch } from './batch/read-batch.ts'
export { bodySize, recordCrc, recordCrcOf } from './batch/record-body.ts'
export { RecordPlace, type RecordTime } from './batch/record-place.ts'
export { RecordCursor } from './batch/record-cursor.ts'
export type { BatchLimits } from './batch/record-cursor.ts'
export { encodeBatch, LONE_RECORD_BYTES, recordBatchBuilder } from './batch/write-batch.ts'
export type {
  EncodeBatchOptions,
  InPlaceCodec,
  RecordBatchBuilder,
  RecordBatchBuilderOptions,
  WritableCompression,
} from './batch/write-batch.ts'
export { footerBytesOf } from './parquet/encode/footer-size.ts'
export { codecFormats } from './codec-formats.ts'
export { compress, decompress } from './bytes/compression.ts'
export type { Compression } from './bytes/compression.ts'
export { varintSize } from './bytes/byte-sink.ts'
export { crc32c, crc32cOf, crc32cOfInt64 } from './bytes/crc32c.ts'
export { crc32cJoined } from './bytes/crc32c-joined.ts'
export { crc32cRanges } from './bytes/crc32c-ranges.ts'
export { json } from './json/json-codec.ts'
export { murmur2 } from './bytes/murmur2.ts'
export type {
  FieldMetrics,
  FileWriter,
  FileWriterFactory,
  FileWriterOptions,
  LeafEncoding,
  MetricValue,
  SortingColumn,
  WrittenFile,
  WrittenRowGroup,
} from './parquet/file-writer.ts'
export { defaultColumn } from './parquet/decode/default-column.ts'
export type { DefaultField, DefaultKind } from './parquet/decode/default-column.ts'
export { constantColumn } from './parquet/decode/scalar-column.ts'
export { parquetWriter } from './parquet/encode/parquet-writer.ts'
export { openParquet } from './parquet/open-parquet.ts'
export type { NameMapping } from './parquet/name-mapping.ts'
export type {
  OpenParquetOptions,
  ParquetBounds,
  ParquetField,
  ParquetFile,
  ParquetPageBounds,
  ParquetPageBoundsRequest,
  ParquetReadRequest,
  ParquetRowGroup,
} from './parquet/parquet-file.ts'
export { bytesRangeReader, storeRangeReader } from './parquet/range-reader.ts'
export type { RangeReader } from './parquet/range-reader.ts'
export { puffinBlobContent } from './puffin/puffin-blob.ts'
export { readPuffinFooter } from './puffin/puffin-footer.ts'
export type { PuffinBlob } from './puffin/puffin-footer.ts'
export { PositionSet } from './roaring/position-set.ts'
export { PositionSetBuilder } from './roaring/position-set-builder.ts'
export { positionUnion } from './roaring/position-union.ts'
export { readRoaring64 } from './roaring/roaring64.ts'
export { decodeHandlers } from './parquet/serve-decodes.ts'
export type { DecodeCalls } from './parquet/serve-decodes.ts'
export { parquetWorkers, pooledDecodes } from './parquet/workers.ts'
export type { ParquetWorkers, ParquetWorkersOptions, PooledDecodesOptions } from './parquet/workers.ts'
export { rowsEncoderOf } from './values/row-by-row.ts'
export { topBitsAt } from './parquet/leaf-bounds.ts'
export { doubled } from './bytes/doubled.ts'
export { halvesOf, highOf, lowOf } from './bytes/int64-halves.ts'
export {
  bigIntBytes,
  bigIntOf,
  bigIntWidth,
  civilDate,
  dateText,
  daysOf,
  decimalText,
  floorMillis,
} from './values/scalars.ts'
export { textBuffer } from './bytes/text-buffer.ts'
export type { MemoryGrant } from './threads/memory-budget.ts'
export type { ThreadEnd } from './threads/started-thread.ts'
export { StartedThread } from './threads/started-thread.ts'
export { serveCalls, WORKER_NICENESS } from './threads/serve-calls.ts'
export { threadPool } from './threads/thread-pool.ts'
export { staysHere } from './threads/transferables.ts'
export type { ThreadLease, ThreadPool, ThreadPoolOptions } from './threads/thread-pool.ts'
