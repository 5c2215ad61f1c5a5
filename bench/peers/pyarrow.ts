import type { BenchOptions } from '../bench.ts'
import type { TunedColumns } from '../shapes/shape.ts'
import { pythonPeer } from './python-peer.ts'

/** A pyarrow that lives as long as the bench and does what it is told on one thread. */
export interface Pyarrow {
  /** An Arrow IPC file. */
  loadTable(name: string, path: string): Promise<void>
  loadFile(name: string, path: string): Promise<void>
  /** Writes a table as Parquet into memory, and then to `path`, which is not timed. */
  write(table: string, options: PyarrowWrite, path?: string): Promise<{ ms: number; bytes: number }>
  /** Reads all of a loaded file into columns. */
  read(file: string): Promise<{ ms: number; rows: number }>
  close(): void
}

/** Parameters of pyarrow.parquet.write_table. */
export interface PyarrowWrite {
  readonly compression: 'snappy' | 'zstd' | 'none'
  readonly row_group_size: number
  readonly compression_level?: number
  readonly use_dictionary?: boolean | readonly string[]
  readonly column_encoding?: Readonly<Record<string, string>>
  readonly write_page_index?: boolean
  readonly write_page_checksum?: boolean
}

/** What `tuned` says, in pyarrow's terms. */
export function pyarrowTuned(
  compression: 'snappy' | 'zstd',
  tuned: TunedColumns,
): Omit<PyarrowWrite, 'row_group_size'> {
  return {
    compression,
    ...(compression === 'zstd' && { compression_level: 1 }),
    use_dictionary: tuned.dictionary,
    column_encoding: Object.fromEntries(tuned.delta.map((name) => [name, 'DELTA_BINARY_PACKED'])),
  }
}

export async function pyarrow({ clock }: BenchOptions): Promise<Pyarrow> {
  const { tell, close } = await pythonPeer('serve_pyarrow.py')
  return {
    async loadTable(name, path) {
      await tell('load_table', { name, path })
    },
    async loadFile(name, path) {
      await tell('load_file', { name, path })
    },
    async write(table, options, path) {
      const answer = await tell('write', { table, options, path })
      return { ms: answer[clock], bytes: answer.bytes }
    },
    async read(file) {
      const answer = await tell('read', { file })
      return { ms: answer[clock], rows: answer.rows }
    },
    close,
  }
}
