/** Tables of files that were added out of Hive's folders: what a folder's name tells is in no file, and files have no ids. */
import { eq, gt, gte, isNull, lt, not } from '@moulin/core'
import { mergeOnRead } from './grid.ts'
import type { Condition, GridCase, GridTable } from './grid.ts'

/** Writes rows of plain Parquet into folders by these columns, and adds the files to the table. */
async function addFiles(table: GridTable, by: string, rows: string): Promise<void> {
  const { spark, folder } = table.engines
  const name = `plain_${table.name}`
  await spark.sql(`CREATE TABLE ${name} USING parquet PARTITIONED BY (${by}) LOCATION '${folder}/${name}' AS ${rows}`)
  await table.spark(
    `CALL lake.system.add_files(table => '${table.identifier}', source_table => '\`parquet\`.\`${folder}/${name}\`')`,
  )
  await spark.sql(`DROP TABLE ${name}`)
}

const everyType =
  'yes BOOLEAN, i INT, n BIGINT, f FLOAT, x DOUBLE, small DECIMAL(12, 3), large DECIMAL(30, 2), day DATE, s STRING, b BINARY'
const names = everyType.split(', ').flatMap((column) => /^([a-z]+) [A-Z]/.exec(column)?.[1] ?? [])

const told = `
  SELECT CAST(id AS INT) AS id, concat('t', id) AS text,
    id % 2 = 0 AS yes, CAST(id % 4 - 2 AS INT) AS i, (id % 4) * 3000000000 AS n, CAST(id % 4 / 2 AS FLOAT) AS f, id % 4 / 8D AS x,
    CAST(id % 4 - 1.5 AS DECIMAL(12, 3)) AS small, CAST(-(id % 4) * 12345678901234567890.25 AS DECIMAL(30, 2)) AS large,
    date_add(DATE'1969-12-30', CAST(id % 4 AS INT)) AS day, element_at(array('Grüße', 'a b=c/d%', '日本', 'x'), CAST(id % 4 AS INT) + 1) AS s,
    CAST(concat('b', id % 4) AS BINARY) AS b
  FROM range(0, 24)
  UNION ALL SELECT CAST(id AS INT), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM range(24, 30)`

const conditions: readonly Condition[] = [
  ['id > 20', gt('id', 20)],
  ['yes = true', eq('yes', true)],
  ['i < 0', lt('i', 0n)],
  ['n >= 6000000000', gte('n', 6_000_000_000n)],
  ['f = 0.5', eq('f', 0.5)],
  ['x > 0.2', gt('x', 0.2)],
  ['small = -0.5', eq('small', '-0.500')],
  ['large < -12345678901234567890.25', lt('large', '-12345678901234567890.25')],
  [`day <= DATE'1969-12-31'`, not(gt('day', '1969-12-31'))],
  [`s = 'a b=c/d%'`, eq('s', 'a b=c/d%')],
  [`b = X'6232'`, eq('b', Uint8Array.of(0x62, 0x32))],
  ['small IS NULL', isNull('small')],
]

const byEveryType = ([2, 3] as const).map((version): GridCase => ({
  name: `added_partitions_v${version}`,
  async write(table) {
    const partitionedBy = names.join(', ')
    const properties = { ...mergeOnRead, 'write.distribution-mode': 'none' }
    await table.create(`id INT, text STRING, ${everyType}`, { version, partitionedBy, properties })
    await addFiles(table, partitionedBy, told)
    await table.spark(
      'DELETE FROM {t} WHERE id % 7 = 3',
      'ALTER TABLE {t} ALTER COLUMN i TYPE BIGINT',
      'ALTER TABLE {t} ALTER COLUMN f TYPE DOUBLE',
      'ALTER TABLE {t} ALTER COLUMN small TYPE DECIMAL(20, 3)',
      'ALTER TABLE {t} RENAME COLUMN text TO title',
      `INSERT INTO {t} VALUES (100, 'own', true, 5000000000, 1, 0.1D, 0.1D, 12345678901234567.125, 1.25, DATE'2026-01-01', 'x', X'00')`,
      'DELETE FROM {t} WHERE s IS NULL AND id < 27',
    )
  },
  where: conditions,
}))

/** Files that have a column of the name themselves: what the folder says comes before. */
const twice: GridCase = {
  name: 'added_partitions_twice',
  async write(table) {
    const { spark, folder } = table.engines
    const place = `${folder}/plain_${table.name}`
    await table.create('id INT, city STRING, n INT', { partitionedBy: 'city, n' })
    for (const [city, n] of [
      ['Oslo', 1],
      ['Rome', 2],
    ])
      await spark.sql(
        `INSERT OVERWRITE DIRECTORY USING parquet OPTIONS ('path' '${place}/city=${city}/n=${n}')
         SELECT CAST(id AS INT) AS id, 'nowhere' AS city, 'none' AS n FROM range(0, 10)`,
      )
    await table.spark(
      `CALL lake.system.add_files(table => '${table.identifier}', source_table => '\`parquet\`.\`${place}\`')`,
    )
  },
}

const field = (id: number, name: string, type: string): object => ({ id, name, required: false, type })

/**
 * Of a type that SQL has no columns of, and with rows that are deleted by what the folders tell. (Of `fixed`, Iceberg's library writes
 * partition values that are no Avro.)
 */
const beyondSql: GridCase = {
  name: 'added_partitions_beyond_sql',
  async write(table) {
    await table.java('create', {
      schema: {
        type: 'struct',
        'schema-id': 0,
        fields: [field(1, 'id', 'int'), field(2, 'key', 'uuid'), field(3, 'amount', 'decimal(20,2)')],
      },
      location: table.location,
      properties: { 'format-version': '2' },
    })
    await table.spark(...['key', 'amount'].map((name) => `ALTER TABLE {t} ADD PARTITION FIELD ${name}`))
    await addFiles(
      table,
      'key, amount',
      `SELECT CAST(id AS INT) AS id, concat('f79c3e09-677c-4bbd-a479-3f349cb785e', id % 3) AS key,
         CAST(id % 3 - 1.25 AS DECIMAL(20, 2)) AS amount FROM range(0, 15)`,
    )
    const of = (last: number, id: number): object => ({ key: `f79c3e09-677c-4bbd-a479-3f349cb785e${last}`, id })
    await table.java('equalityDelete', { columns: ['key', 'id'], rows: [of(0, 3), of(1, 3), of(1, 4), of(2, 99)] })
    await table.java('equalityDelete', { columns: ['amount'], rows: [{ amount: '0.75' }, { amount: '7.75' }] })
  },
  where: [
    [`key = 'f79c3e09-677c-4bbd-a479-3f349cb785e1'`, eq('key', 'f79c3e09-677c-4bbd-a479-3f349cb785e1')],
    ['amount < 0', lt('amount', '0.00')],
  ],
}

export const added: readonly GridCase[] = [...byEveryType, twice, beyondSql]
