/** Tables whose columns have changed since their first files, and whose history has branches. */
import { eq, gt, gte, isNull, lt, not } from '@moulin/core'
import { mergeOnRead } from './grid.ts'
import type { Condition, GridCase, GridTable } from './grid.ts'

const evolved = (version: 1 | 2 | 3): GridCase => ({
  name: `evolved_v${version}`,
  async write(table) {
    await table.create(
      `id INT, f FLOAT, d DECIMAL(6, 2), a STRING, b STRING, gone STRING,
       place STRUCT<lat: FLOAT, lon: FLOAT, hint: STRING>, tags ARRAY<STRUCT<n: INT, old: STRING>>, marks MAP<STRING, STRUCT<v: INT>>`,
      { version },
    )
    await table.spark(
      `INSERT INTO {t} SELECT CAST(id AS INT), id / 8F, CAST(id / 3 AS DECIMAL(6, 2)), concat('a', id), concat('b', id), 'x',
         IF(id % 5 = 4, NULL, named_struct('lat', id / 2F, 'lon', -id / 2F, 'hint', concat('h', id))),
         IF(id % 4 = 3, NULL, array(named_struct('n', CAST(id AS INT), 'old', 'o'), NULL)),
         IF(id % 3 = 2, NULL, map(concat('k', id), named_struct('v', CAST(id AS INT)))) FROM range(0, 30)`,
      'ALTER TABLE {t} ALTER COLUMN id TYPE BIGINT',
      'ALTER TABLE {t} ALTER COLUMN f TYPE DOUBLE',
      'ALTER TABLE {t} ALTER COLUMN d TYPE DECIMAL(20, 2)',
      // Their names change places.
      'ALTER TABLE {t} RENAME COLUMN a TO c',
      'ALTER TABLE {t} RENAME COLUMN b TO a',
      'ALTER TABLE {t} RENAME COLUMN c TO b',
      'ALTER TABLE {t} DROP COLUMN gone',
      'ALTER TABLE {t} ADD COLUMN gone STRING',
      'ALTER TABLE {t} ADD COLUMN late STRUCT<x: INT, y: ARRAY<INT>>',
      'ALTER TABLE {t} ALTER COLUMN place.lat TYPE DOUBLE',
      'ALTER TABLE {t} RENAME COLUMN place.lon TO east',
      'ALTER TABLE {t} DROP COLUMN place.hint',
      'ALTER TABLE {t} ADD COLUMN place.height INT FIRST',
      'ALTER TABLE {t} ADD COLUMN tags.element.fresh BIGINT',
      'ALTER TABLE {t} DROP COLUMN tags.element.old',
      'ALTER TABLE {t} ALTER COLUMN tags.element.n TYPE BIGINT',
      'ALTER TABLE {t} ALTER COLUMN marks.value.v TYPE BIGINT',
      'ALTER TABLE {t} ALTER COLUMN late FIRST',
      `INSERT INTO {t} (id, f, d, a, b, gone, place, tags, marks, late)
       SELECT id * 4000000000, id / 3D, CAST(id * 123456789012.25 AS DECIMAL(20, 2)), 'A', 'B', 'back',
         named_struct('height', CAST(id AS INT), 'lat', id / 3D, 'east', 1F),
         array(named_struct('n', id * 4000000000, 'fresh', id)), map('k', named_struct('v', id * 4000000000)),
         named_struct('x', 1, 'y', array(1, NULL)) FROM range(30, 50)`,
    )
  },
  where: [
    ['id >= 20', gte('id', 20n)],
    ['id < 5', lt('id', 5n)],
    ['f > 2.1', gt('f', 2.1)],
    ['d < 5.33', lt('d', '5.33')],
    [`a = 'b7'`, eq('a', 'b7')],
    ['gone IS NULL', isNull('gone')],
    [`NOT (gone = 'back')`, not(eq('gone', 'back'))],
    ['late IS NULL', isNull('late')],
  ],
})

const defaults: GridCase = {
  name: 'defaults_v3',
  async write(table) {
    await table.create('id INT, s STRUCT<a: INT>', { version: 3 })
    await table.spark(
      `INSERT INTO {t} SELECT CAST(id AS INT), IF(id % 4 = 3, NULL, named_struct('a', CAST(id AS INT))) FROM range(0, 20)`,
    )
    await table.java('addColumn', { name: 'n', type: 'int', default: 42 })
    await table.java('addColumn', { name: 'big', type: 'long', default: 5_000_000_000 })
    await table.java('addColumn', { name: 'text', type: 'string', default: 'Grüße' })
    await table.java('addColumn', { name: 'yes', type: 'boolean', default: true })
    await table.java('addColumn', { parent: 's', name: 'inner', type: 'int', default: 7 })
    await table.spark(
      `INSERT INTO {t} VALUES (100, named_struct('a', 1, 'inner', NULL), NULL, NULL, NULL, NULL), (101, NULL, 43, 1, 'own', false)`,
      'ALTER TABLE {t} ALTER COLUMN n TYPE BIGINT',
    )
  },
  where: [
    ['n = 42', eq('n', 42n)],
    ['n IS NULL', isNull('n')],
    ['big > 4999999999', gt('big', 4_999_999_999n)],
    [`text = 'Grüße'`, eq('text', 'Grüße')],
    [`NOT (text = 'own')`, not(eq('text', 'own'))],
  ],
}

const rows: readonly Condition[] = [['id > 15', gt('id', 15)]]

const refs: GridCase = {
  name: 'refs',
  async write(table) {
    await table.create('id INT, s STRING', { properties: mergeOnRead })
    await table.spark(
      `INSERT INTO {t} SELECT CAST(id AS INT), 'first' FROM range(0, 20)`,
      'ALTER TABLE {t} CREATE TAG start',
      'DELETE FROM {t} WHERE id % 3 = 0',
      'ALTER TABLE {t} CREATE BRANCH side',
      `INSERT INTO {t}.branch_side SELECT CAST(id AS INT), 'side' FROM range(20, 30)`,
      `UPDATE {t} SET s = 'main' WHERE id % 5 = 1`,
      'ALTER TABLE {t} ADD COLUMN late INT',
      'ALTER TABLE {t} RENAME COLUMN s TO text',
      `INSERT INTO {t} VALUES (50, 'new', 1)`,
    )
  },
  where: rows,
}

const rolledBack: GridCase = {
  name: 'rolled_back',
  async write(table) {
    const { spark } = table.engines
    await table.create('id INT, s STRING')
    await table.spark(`INSERT INTO {t} SELECT CAST(id AS INT), 'first' FROM range(0, 20)`)
    const [[first]] = (await spark.sql(`SELECT snapshot_id FROM lake.${table.identifier}.snapshots`)) as [[string]]
    await table.spark(
      `INSERT INTO {t} VALUES (77, 'lost')`,
      `CALL lake.system.rollback_to_snapshot('${table.identifier}', ${first})`,
      `INSERT INTO {t} VALUES (78, 'kept')`,
      `ALTER TABLE {t} SET TBLPROPERTIES ('write.wap.enabled' = 'true')`,
      `SET spark.wap.id = grid`,
      `INSERT INTO {t} VALUES (79, 'staged')`,
      'RESET spark.wap.id',
      `CALL lake.system.publish_changes('${table.identifier}', 'grid')`,
      `INSERT INTO {t} VALUES (80, 'after')`,
    )
  },
  where: rows,
}

const lineage: GridCase = {
  name: 'lineage_v3',
  columns: ['id', 's', '_row_id', '_last_updated_sequence_number'],
  async write(table) {
    await table.create('id INT, s STRING', { version: 3, properties: mergeOnRead })
    await table.spark(
      `INSERT INTO {t} SELECT CAST(id AS INT), 'first' FROM range(0, 20)`,
      `INSERT INTO {t} SELECT CAST(id AS INT), 'second' FROM range(20, 40)`,
      `UPDATE {t} SET s = 'changed' WHERE id % 5 = 1`,
      'DELETE FROM {t} WHERE id % 7 = 0',
      `CALL lake.system.rewrite_data_files(table => '${table.identifier}', options => map('rewrite-all', 'true'))`,
      `INSERT INTO {t} VALUES (50, 'new')`,
      `UPDATE {t} SET s = 'again' WHERE id % 10 = 1`,
    )
  },
  where: rows,
}

const lineageOfUpgraded: GridCase = {
  name: 'lineage_upgraded',
  columns: ['id', 's', '_row_id', '_last_updated_sequence_number'],
  async write(table: GridTable) {
    await table.create('id INT, s STRING', { version: 2, properties: mergeOnRead })
    await table.spark(
      `INSERT INTO {t} SELECT CAST(id AS INT), 'first' FROM range(0, 20)`,
      'DELETE FROM {t} WHERE id % 7 = 0',
      `ALTER TABLE {t} SET TBLPROPERTIES ('format-version' = '3')`,
      `INSERT INTO {t} SELECT CAST(id AS INT), 'second' FROM range(20, 40)`,
      `UPDATE {t} SET s = 'changed' WHERE id % 5 = 1`,
    )
  },
  where: rows,
}

export const evolution: readonly GridCase[] = [
  evolved(1),
  evolved(2),
  evolved(3),
  defaults,
  refs,
  rolledBack,
  lineage,
  lineageOfUpgraded,
]
