import { readFile, unlink, writeFile } from 'node:fs/promises'
import type { IcebergField } from '@moulin/core'
import { Compression, Encoding, readParquet, writeParquet, WriterPropertiesBuilder, WriterVersion } from 'parquet-wasm'
import { duckdbConnection, duckdbPath } from './read-with-duckdb.ts'

/** Options of DuckDB's COPY, as SQL. */
export async function rewriteWithDuckDb(
  bytes: Uint8Array,
  fields: readonly IcebergField[],
  options: string,
): Promise<Uint8Array> {
  const connection = await duckdbConnection()
  const [from, to] = [duckdbPath(), duckdbPath()]
  await writeFile(from, bytes)
  const names = fields.map(({ name }) => `"${name.replaceAll('"', '""')}"`).join(', ')
  try {
    await connection.run(`copy (select ${names} from read_parquet('${from}')) to '${to}' (format parquet, ${options})`)
    const copied = await readFile(to)
    await unlink(to)
    return copied
  } finally {
    await unlink(from)
  }
}

export interface RustOptions {
  readonly version: 1 | 2
  readonly codec: keyof typeof Compression
  readonly dictionary: boolean
  readonly encodings?: Readonly<Record<string, keyof typeof Encoding>>
  readonly rowGroupRows?: number
}

export function rewriteWithRust(bytes: Uint8Array, options: RustOptions): Uint8Array {
  let properties = new WriterPropertiesBuilder()
    .setWriterVersion(options.version === 1 ? WriterVersion.V1 : WriterVersion.V2)
    .setCompression(Compression[options.codec])
    .setDictionaryEnabled(options.dictionary)
    .setDataPageSizeLimit(800)
    .setWriteBatchSize(50)
    // Some columns outgrow it inside a chunk.
    .setDictionaryPageSizeLimit(600)
    .setMaxRowGroupSize(options.rowGroupRows ?? 1_000_000)
  for (const [name, encoding] of Object.entries(options.encodings ?? {})) {
    properties = properties.setColumnDictionaryEnabled(name, false).setColumnEncoding(name, Encoding[encoding])
  }
  return writeParquet(readParquet(bytes), properties.build())
}
