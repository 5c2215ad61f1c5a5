import { readFileSync } from 'node:fs'
import type { IcebergField, IcebergType } from '@moulin/core'
import type { Plain } from './plain.ts'

const here = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url)

/** A small file of another writer with what it holds. */
export interface Fixture {
  readonly name: string
  readonly bytes: Uint8Array
  readonly fields: readonly IcebergField[]
  readonly table: readonly (readonly Plain[])[]
}

const optional = (id: number, name: string, type: IcebergType, required = false): IcebergField => ({
  id,
  name,
  type,
  required,
})
const list = (id: number, element: IcebergType, required = false): IcebergType => ({
  type: 'list',
  'element-id': id,
  element,
  'element-required': required,
})
const map = (key: number, id: number, value: IcebergType, required = false): IcebergType => ({
  type: 'map',
  'key-id': key,
  key: 'string',
  'value-id': id,
  value,
  'value-required': required,
})
const struct = (...fields: IcebergField[]): IcebergType => ({ type: 'struct', fields })

const rows: readonly IcebergField[] = [
  optional(1, 'id', 'long', true),
  optional(2, 'name', 'string'),
  optional(3, 'flag', 'boolean'),
  optional(4, 'f', 'float'),
  optional(5, 'd', 'double'),
  optional(6, 'n', 'int'),
  optional(7, 'day', 'date'),
  optional(8, 'at', 'timestamptz'),
  optional(9, 'local', 'timestamp'),
  optional(10, 'clock', 'time'),
  optional(11, 'uid', 'uuid'),
  optional(12, 'five', 'fixed[5]'),
  optional(13, 'price', 'decimal(9,2)'),
  optional(14, 'sum', 'decimal(18,4)'),
  optional(15, 'big', 'decimal(38,10)'),
  optional(16, 'loose', 'decimal(20,3)'),
  optional(17, 'tags', list(18, 'string')),
  optional(19, 'attrs', map(20, 21, 'long')),
  optional(
    22,
    'place',
    struct(optional(23, 'x', 'double', true), optional(24, 'inner', struct(optional(25, 'y', 'int')))),
  ),
  optional(26, 'old', list(27, 'int', true)),
  optional(28, 'grid', list(29, list(30, 'int'))),
]

const avro: readonly IcebergField[] = [
  optional(1, 'id', 'long', true),
  optional(2, 'numbers', list(3, 'int', true)),
  optional(4, 'items', list(5, struct(optional(6, 'sku', 'string', true), optional(7, 'qty', 'int')), true), true),
  optional(8, 'nested', list(9, list(10, 'long', true), true), true),
  optional(11, 'counts', map(12, 13, 'long', true), true),
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
