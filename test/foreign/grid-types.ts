/** Tables of every type, writer and codec. */
import { eq, gt, gte, isNull, lt } from '@moulin/core'
import { mergeOnRead } from './grid.ts'
import type { GridCase, GridTable } from './grid.ts'

const allTypes = `yes BOOLEAN, i INT, n BIGINT, f FLOAT, x DOUBLE, small DECIMAL(9, 2), large DECIMAL(38, 10), day DATE, at TIMESTAMP, wall TIMESTAMP_NTZ,
  s STRING, b BINARY, list ARRAY<BIGINT>, place STRUCT<x: DOUBLE, inner: STRUCT<at: TIMESTAMP, raw: BINARY>>, marks MAP<STRING, ARRAY<STRUCT<k: INT, d: DECIMAL(12, 2)>>>, ages MAP<INT, BIGINT>`

const extremes = [
  `true, 2147483647, 9223372036854775807, CAST('NaN' AS FLOAT), CAST('Infinity' AS DOUBLE), 9999999.99, 9999999999999999999999999999.9999999999, DATE'9999-12-31',
   TIMESTAMP'2262-04-11 23:47:16.854775Z', TIMESTAMP_NTZ'2026-01-01 00:00:00.000001', 'Grüße 日本 𝄞', X'00FF10', array(1, NULL, -9223372036854775808),
   named_struct('x', -0.0D, 'inner', named_struct('at', TIMESTAMP'1969-12-31 23:59:59.999999Z', 'raw', X'FF')), map('a', array(named_struct('k', 1, 'd', 1.25), NULL), 'b', NULL, 'c', array()), map(1, 2, -1, NULL)`,
  `false, -2147483648, -9223372036854775808, CAST('-Infinity' AS FLOAT), CAST('NaN' AS DOUBLE), -9999999.99, -9999999999999999999999999999.9999999999, DATE'0001-01-01',
   TIMESTAMP'1677-09-21 00:12:44Z', TIMESTAMP_NTZ'1969-12-31 23:59:59.999999', '', X'', array(), named_struct('x', NULL, 'inner', NULL), map(), map()`,
  `NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL`,
  `true, 0, 9007199254740993, CAST(0.1 AS FLOAT), 0.1D, 0.01, 0.0000000001, DATE'1970-01-01', TIMESTAMP'1970-01-01 00:00:00Z', TIMESTAMP_NTZ'1970-01-01 00:00:00', 'a', X'01', array(0), named_struct('x', 1e300D, 'inner', named_struct('at', NULL, 'raw', NULL)), map('', array()), map(0, 0)`,
]

const types = (version: 1 | 2 | 3, codec: string): GridCase => ({
  name: `types_v${version}_${codec}`,
  async write(table) {
    await table.create(allTypes, { version, properties: { 'write.parquet.compression-codec': codec } })
    await table.spark(`INSERT INTO {t} VALUES ${extremes.map((row) => `(${row})`).join(', ')}`)
  },
  where: [
    ['i > 0', gt('i', 0)],
    ['n >= 9007199254740993', gte('n', 9_007_199_254_740_993n)],
    ['f > 0', gt('f', 0)],
    [`x = double('NaN')`, eq('x', NaN)],
    ['large < 0', lt('large', '0')],
    [`s = ''`, eq('s', '')],
    [`b = X'00FF10'`, eq('b', Uint8Array.of(0, 255, 16))],
    ['place IS NULL', isNull('place')],
  ],
})

const codecs = ([1, 2, 3] as const).map((version, at) => types(version, ['gzip', 'snappy', 'zstd'][at]!))

const stripped: GridCase = {
  name: 'stripped_metrics',
  async write(table) {
    await table.create('id INT, s STRING', { properties: { 'write.metadata.metrics.default': 'none' } })
    await table.spark(
      `INSERT INTO {t} SELECT CAST(id AS INT), concat('s', id) FROM range(0, 50)`,
      `INSERT INTO {t} VALUES (NULL, NULL)`,
    )
  },
  where: [
    ['id > 40', gt('id', 40)],
    ['s IS NULL', isNull('s')],
  ],
}

const added: GridCase = {
  name: 'added_files',
  async write(table: GridTable) {
    const { spark, folder } = table.engines
    const place = `${folder}/plain-parquet`
    await table.create('id INT, name STRING, place STRUCT<x: INT, y: STRING>')
    await spark.sql(
      `CREATE TEMPORARY VIEW plain AS SELECT CAST(id AS INT) AS id, concat('n', id) AS name, named_struct('x', CAST(id AS INT), 'y', 'z') AS place FROM range(0, 20)`,
    )
    await spark.sql(`INSERT OVERWRITE DIRECTORY USING parquet OPTIONS ('path' '${place}') SELECT * FROM plain`)
    await table.spark(
      `CALL lake.system.add_files(table => '${table.identifier}', source_table => '\`parquet\`.\`${place}\`')`,
      'ALTER TABLE {t} RENAME COLUMN name TO title',
      `INSERT INTO {t} VALUES (100, 'own', NULL)`,
    )
  },
  where: [
    ['id > 10', gt('id', 10)],
    [`title = 'n7'`, eq('title', 'n7')],
  ],
}

const variant: GridCase = {
  name: 'beside_variant_v3',
  // The others can be read.
  columns: ['id', 's'],
  async write(table) {
    await table.create('id INT, v VARIANT, s STRING', { version: 3 })
    await table.spark(
      `INSERT INTO {t} SELECT CAST(id AS INT), parse_json(concat('{"a":', id, '}')), concat('s', id) FROM range(0, 30)`,
    )
  },
  where: [['id > 20', gt('id', 20)]],
}

const field = (id: number, name: string, type: string): object => ({ id, name, required: false, type })

/** A column of no type, which files do not have. */
const unknown: GridCase = {
  name: 'unknown_v3',
  async write(table) {
    const fields = [field(1, 'id', 'int'), field(2, 'nothing', 'unknown'), field(3, 's', 'string')]
    await table.java('create', {
      schema: { type: 'struct', 'schema-id': 0, fields },
      location: table.location,
      properties: { 'format-version': '3' },
    })
    await table.java('append', { rows: [{ id: 1, s: 'a' }, { id: 2 }] })
    await table.java('append', { rows: [{ id: 3, s: 'c' }] })
    await table.java('equalityDelete', { columns: ['s'], rows: [{}] })
  },
  where: [
    ['nothing IS NULL', isNull('nothing')],
    ['id > 2', gt('id', 2)],
  ],
}

const ofDuckdb = ([2, 3] as const).map((version): GridCase => ({
  name: `duckdb_v${version}`,
  async write(table) {
    await table.create(
      'i INT, n BIGINT, x DOUBLE, d DECIMAL(18, 3), day DATE, at TIMESTAMP, s STRING, b BINARY, list ARRAY<INT>, place STRUCT<a: INT, b: STRING>',
      { version },
    )
    await table.duckdb(
      `INSERT INTO {t} VALUES (1, 2, 0.5, 1.125, DATE '1969-12-31', TIMESTAMPTZ '1969-12-31 23:59:59.999999+00', 'a', '\\x00\\xFF'::BLOB, [1, NULL], {a: 1, b: 'x'}), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
      `INSERT INTO {t} SELECT i, i * 5000000000, i / 7, i / 8, DATE '2020-01-01' + CAST(i AS INT), TIMESTAMPTZ '2020-01-01 00:00:00+00' + INTERVAL (i) HOUR, 's' || i, NULL, [i], NULL FROM range(100, 200) AS r(i)`,
    )
  },
  where: [
    ['i > 150', gt('i', 150)],
    [`s = 'a'`, eq('s', 'a')],
  ],
}))

const refused = (what: string, property: string, format: string): GridCase => ({
  name: `refused_${what}_${format}`,
  refused: 'FILE_FORMAT',
  async write(table) {
    await table.create('id INT, s STRING', { properties: mergeOnRead })
    await table.spark(
      `INSERT INTO {t} SELECT CAST(id AS INT), concat('s', id) FROM range(0, 20)`,
      `ALTER TABLE {t} SET TBLPROPERTIES ('${property}' = '${format}')`,
      'DELETE FROM {t} WHERE id % 3 = 0',
      `INSERT INTO {t} VALUES (100, 'more')`,
    )
  },
})

const ofPyiceberg: GridCase = {
  name: 'pyiceberg_v2',
  async write(table) {
    await table.create(
      'i INT, n BIGINT, x DOUBLE, s STRING, list ARRAY<INT>, place STRUCT<a: INT, b: STRING>, marks MAP<STRING, INT>',
      { partitionedBy: 's' },
    )
    await table.pyiceberg(
      {
        append: [
          { i: 1, n: 5_000_000_000, x: 0.5, s: 'Grüße', list: [1, null], place: { a: 1, b: null }, marks: [['a', 1]] },
          { i: 2, s: '日本' },
          { i: null, s: null },
          ...Array.from({ length: 50 }, (_, i) => ({ i: 10 + i, n: i, x: i / 4, s: `s${i % 7}`, list: [i] })),
        ],
      },
      { append: [{ i: 100, s: 'late' }] },
      // It writes files anew.
      { delete: 'i >= 20 and i < 33' },
    )
    await table.spark('DELETE FROM {t} WHERE i = 40')
  },
  where: [
    ['i > 30', gt('i', 30)],
    [`s = 's3'`, eq('s', 's3')],
    ['s IS NULL', isNull('s')],
  ],
}

/** Types that Spark does not have, by Iceberg's own library. */
const beyondSpark: GridCase = {
  name: 'beyond_spark_v3',
  async write(table) {
    const fields = [
      field(1, 'id', 'int'),
      field(2, 'clock', 'time'),
      field(3, 'key', 'uuid'),
      field(4, 'raw', 'fixed[3]'),
      field(5, 'at', 'timestamp_ns'),
      field(6, 'zoned', 'timestamptz_ns'),
    ]
    await table.java('create', {
      schema: { type: 'struct', 'schema-id': 0, fields },
      spec: {
        'spec-id': 0,
        fields: [{ name: 'at_day', transform: 'day', 'source-id': 5, 'field-id': 1000 }],
      },
      location: table.location,
      properties: { 'format-version': '3' },
    })
    const row = (id: number, nanos: string): object => ({
      id,
      clock: `23:59:5${id}.999999`,
      key: `00000000-0000-4000-8000-00000000000${id}`,
      raw: `00ff0${id}`,
      at: `1969-12-31T23:59:59.${nanos}`,
      zoned: `1969-12-31T23:59:59.${nanos}+00:00`,
    })
    await table.java('append', { rows: [row(1, '999999999'), row(2, '000000001')] })
    await table.java('append', { rows: [{ id: 3 }] })
    await table.java('equalityDelete', { columns: ['id'], rows: [{ id: 2 }], partition: 'at_day=1969-12-31' })
  },
  expected: [
    ['1', '86391999999', '00000000-0000-4000-8000-000000000001', '00ff01', '-1', '-1'],
    ['3', 'None', 'None', 'None', 'None', 'None'],
  ],
  // How many rows pass.
  where: [
    ['1', eq('at', -1n)],
    ['0', gt('at', 0n)],
    ['1', lt('zoned', 0n)],
    ['1', isNull('at')],
    ['1', eq('key', '00000000-0000-4000-8000-000000000001')],
  ],
}

export const typed: readonly GridCase[] = [
  ...codecs,
  stripped,
  added,
  variant,
  unknown,
  ...ofDuckdb,
  ofPyiceberg,
  beyondSpark,
  refused('data', 'write.format.default', 'orc'),
  refused('data', 'write.format.default', 'avro'),
  refused('deletes', 'write.delete.format.default', 'avro'),
]
