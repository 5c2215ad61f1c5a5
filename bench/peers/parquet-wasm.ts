import { Compression, Encoding, Table, writeParquet, WriterPropertiesBuilder } from 'parquet-wasm'
import type { TunedColumns } from '../shapes/shape.ts'
import { rowGroupRows } from '../shapes/shape.ts'

/** An Arrow IPC stream to Parquet by parquet-rs as WebAssembly. Its level of zstd is 1 and cannot be set. */
export function parquetWasmWrite(
  ipc: Uint8Array,
  codec: 'snappy' | 'zstd',
  tuned: TunedColumns,
): { readonly bytes: number } {
  let properties = new WriterPropertiesBuilder()
    .setCompression(codec === 'snappy' ? Compression.SNAPPY : Compression.ZSTD)
    .setMaxRowGroupSize(rowGroupRows)
    .setDictionaryEnabled(false)
  for (const name of tuned.dictionary) properties = properties.setColumnDictionaryEnabled(name, true)
  for (const name of tuned.delta) properties = properties.setColumnEncoding(name, Encoding.DELTA_BINARY_PACKED)
  return { bytes: writeParquet(Table.fromIPCStream(ipc), properties.build()).length }
}
