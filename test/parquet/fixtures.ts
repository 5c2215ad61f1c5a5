import { readFileSync } from 'node:fs'
import type { IcebergField } from '@moulin/core'
import type { Plain } from './plain.ts'
import { field, list, map, struct } from './types.ts'

const here = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url)

/** A small file of another writer with what it holds. */
export interface Fixture {
  readonly name: string
  readonly bytes: Uint8Array
  readonly fields: readonly IcebergField[]
  readonly table: readonly (readonly Plain[])[]
}

const rows: readonly IcebergField[] = [
  field(1, 'id', 'long', true),
  field(2, 'name', 'string'),
  field(3, 'flag', 'boolean'),
  field(4, 'f', 'float'),
  field(5, 'd', 'double'),
  field(6, 'n', 'int'),
  field(7, 'day', 'date'),
  field(8, 'at', 'timestamptz'),
  field(9, 'local', 'timestamp'),
  field(10, 'clock', 'time'),
  field(11, 'uid', 'uuid'),
  field(12, 'five', 'fixed[5]'),
  field(13, 'price', 'decimal(9,2)'),
  field(14, 'sum', 'decimal(18,4)'),
  field(15, 'big', 'decimal(38,10)'),
  field(16, 'loose', 'decimal(20,3)'),
  field(17, 'tags', list(18, 'string')),
  field(19, 'attrs', map(20, 21, 'long')),
  field(22, 'place', struct(field(23, 'x', 'double', true), field(24, 'inner', struct(field(25, 'y', 'int'))))),
  field(26, 'old', list(27, 'int', true)),
  field(28, 'grid', list(29, list(30, 'int'))),
]

const avro: readonly IcebergField[] = [
  field(1, 'id', 'long', true),
  field(2, 'numbers', list(3, 'int', true)),
  field(4, 'items', list(5, struct(field(6, 'sku', 'string', true), field(7, 'qty', 'int')), true), true),
  field(8, 'nested', list(9, list(10, 'long', true), true), true),
  field(11, 'counts', map(12, 13, 'long', true), true),
]

const named = (name: string, fields: readonly IcebergField[], values: string, count?: number): Fixture => ({
  name,
  bytes: new Uint8Array(readFileSync(here(`${name}.parquet`))),
  fields,
  table: (JSON.parse(readFileSync(here(values), 'utf8')) as Plain[][]).map((column) => column.slice(0, count)),
})

/** Fixtures that pyarrow wrote: fixtures/make_pyarrow.py says how. */
export function pyarrowFixtures(): Fixture[] {
  return ['pyarrow-v1-dictionary-snappy', 'pyarrow-v2-delta-zstd'].map((name) => named(name, rows, 'rows.json', 60))
}

/** Fixtures that parquet-java wrote: fixtures/Fixtures.java says how. */
export function javaFixtures(): Fixture[] {
  return [
    ...[
      'java-v1-dictionary-snappy',
      'java-v1-plain-gzip',
      'java-v2-delta-zstd',
      'java-v2-dictionary-none',
      'java-v2-split-lz4',
    ].map((name) => named(name, rows, 'rows.json')),
    ...['java-avro-old-lists', 'java-avro-new-lists'].map((name) => named(name, avro, 'avro.json')),
  ]
}
