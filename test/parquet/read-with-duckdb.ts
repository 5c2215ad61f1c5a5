import { mkdtempSync, rmSync } from 'node:fs'
import { unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as duckdb from '@duckdb/node-api'
import type { IcebergField, IcebergType } from '@moulin/core'
import { doubleText, floatText, hex } from './plain.ts'
import type { Plain } from './plain.ts'

let shared: Promise<duckdb.DuckDBConnection> | undefined
let folder = ''
let files = 0

/** One database of the process, and a folder for its files; both are gone after {@link closeDuckDb}. */
export function duckdbConnection(): Promise<duckdb.DuckDBConnection> {
  shared ??= duckdb.DuckDBInstance.create(':memory:', { threads: '1' }).then((instance) => instance.connect())
  return shared
}

export function duckdbPath(): string {
  if (folder === '') folder = mkdtempSync(join(tmpdir(), 'moulin-duckdb-'))
  return join(folder, `${files++}.parquet`)
}

export async function closeDuckDb(): Promise<void> {
  ;(await shared)?.closeSync()
  shared = undefined
  if (folder !== '') rmSync(folder, { recursive: true })
  folder = ''
}

export async function duckdbTable(bytes: Uint8Array, fields: readonly IcebergField[]): Promise<Plain[][]> {
  const connection = await duckdbConnection()
  const path = duckdbPath()
  await writeFile(path, bytes)
  try {
    const names = fields.map(({ name }) => `"${name.replaceAll('"', '""')}"`)
    const reader = await connection.runAndReadAll(`select ${names.join(', ')} from read_parquet('${path}')`)
    const columns = reader.getColumns()
    return fields.map(({ type }, index) => (columns[index] ?? []).map((value) => plain(type, value)))
  } finally {
    await unlink(path)
  }
}

function plain(type: IcebergType, value: duckdb.DuckDBValue): Plain {
  if (value === null || value === undefined) return null
  if (typeof type === 'string') return plainLeaf(type, value)
  if (type.type === 'struct') {
    const { entries } = value as duckdb.DuckDBStructValue
    return type.fields.map((field) => plain(field.type, entries[field.name]!))
  }
  if (type.type === 'list') return (value as duckdb.DuckDBListValue).items.map((item) => plain(type.element, item))
  return (value as duckdb.DuckDBMapValue).entries.map((entry) => [
    plain(type.key, entry.key),
    plain(type.value, entry.value),
  ])
}

function plainLeaf(type: string, value: duckdb.DuckDBValue): Plain {
  if (type === 'float') return floatText(value as number)
  if (type === 'double') return doubleText(value as number)
  if (typeof value === 'boolean') return value
  if (typeof value === 'string') return hex(Buffer.from(value))
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (value instanceof duckdb.DuckDBBlobValue) return hex(value.bytes)
  if (value instanceof duckdb.DuckDBDecimalValue) return String(value.value)
  if (value instanceof duckdb.DuckDBUUIDValue) return value.toUint128().toString(16).padStart(32, '0')
  if (value instanceof duckdb.DuckDBDateValue) return String(value.days)
  if (value instanceof duckdb.DuckDBTimeValue || value instanceof duckdb.DuckDBTimeTZValue) return String(value.micros)
  if (value instanceof duckdb.DuckDBTimestampNanosecondsValue) return String(value.nanos)
  if (value instanceof duckdb.DuckDBTimestampValue || value instanceof duckdb.DuckDBTimestampTZValue)
    return String(value.micros)
  throw new Error(`DuckDB gave ${String(value)} (${String(value?.constructor.name)}) for ${type}.`)
}
