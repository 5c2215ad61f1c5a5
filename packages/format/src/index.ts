export { readAvroFile, writeAvroFile } from './avro/avro-file.ts'
export type { AvroFile, ReadAvroOptions, WriteAvroOptions } from './avro/avro-file.ts'
export { compress, decompress } from './compression.ts'
export type { Compression } from './compression.ts'
export { crc32c } from './crc32c.ts'
export type {
  FieldMetrics,
  FileWriter,
  FileWriterFactory,
  FileWriterOptions,
  MetricValue,
  WrittenFile,
  WrittenRowGroup,
} from './parquet/file-writer.ts'
export type {
  NameMapping,
  OpenParquetOptions,
  ParquetBounds,
  ParquetField,
  ParquetFile,
  ParquetReadRequest,
  ParquetRowGroup,
} from './parquet/parquet-file.ts'
export { bytesRangeReader, storeRangeReader } from './parquet/range-reader.ts'
export type { RangeReader } from './parquet/range-reader.ts'
export type { ParquetWorkers, ParquetWorkersOptions } from './parquet/workers.ts'
