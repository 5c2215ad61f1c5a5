import { DuckDBInstance } from '@duckdb/node-api'

/** DuckDB over an exact list of Parquet files: an engine that shares no code with us. */
export interface Sql {
  /** Rows as objects of strings, numbers and bigints. */
  query(sql: string): Promise<Record<string, unknown>[]>
  close(): void
}

/** A database in which `name` is a view over just these files (never a glob). */
export async function sqlOver(views: Readonly<Record<string, readonly string[]>>): Promise<Sql> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  const connection = await instance.connect()
  for (const [name, files] of Object.entries(views)) {
    const list = files.map((file) => `'${file.replaceAll("'", "''")}'`).join(', ')
    await connection.run(`CREATE VIEW ${name} AS SELECT * FROM read_parquet([${list}])`)
  }
  return {
    async query(sql) {
      return (await connection.runAndReadAll(sql)).getRowObjectsJS() as Record<string, unknown>[]
    },
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}
