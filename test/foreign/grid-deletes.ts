/** Tables of which rows are deleted, by every kind of delete file there is. */
import { and, eq, gt, isNull, lt, not } from '@moulin/core'
import { mergeOnRead } from './grid.ts'
import type { Condition, GridCase, GridTable } from './grid.ts'

const columns = 'id INT, city STRING, x DOUBLE'

/** Rows `from` to `to`; every eleventh without a city. */
export const insert = (from: number, to: number): string =>
  `INSERT INTO {t} SELECT CAST(id AS INT), CASE WHEN id % 11 = 10 THEN NULL ELSE element_at(array('Oslo', 'Rome', 'Lima'), CAST(id % 3 AS INT) + 1) END, id / 4.0D FROM range(${from}, ${to})`

export const conditions: readonly Condition[] = [
  ['id > 40', gt('id', 40)],
  [`city = 'Rome' AND id < 100`, and(eq('city', 'Rome'), lt('id', 100))],
  ['city IS NULL', isNull('city')],
  [`NOT (city = 'Oslo')`, not(eq('city', 'Oslo'))],
]

async function rowLevel(
  table: GridTable,
  version: 2 | 3,
  partitionedBy: string | undefined,
  granularity: string,
): Promise<void> {
  const properties = { ...mergeOnRead, 'write.delete.granularity': granularity, 'write.distribution-mode': 'none' }
  await table.create(columns, { version, properties, ...(partitionedBy === undefined ? {} : { partitionedBy }) })
  await table.spark(
    insert(0, 60),
    insert(60, 130),
    'DELETE FROM {t} WHERE id % 7 = 0',
    `UPDATE {t} SET city = 'Bern', x = -x WHERE id % 10 = 3`,
    insert(130, 160),
    `MERGE INTO {t} USING (SELECT CAST(id AS INT) AS id FROM range(100, 170)) AS s ON {t}.id = s.id
     WHEN MATCHED AND s.id % 2 = 0 THEN DELETE WHEN MATCHED AND s.id % 5 = 0 THEN UPDATE SET x = 0.5D
     WHEN NOT MATCHED THEN INSERT (id, city, x) VALUES (s.id, 'Nome', 1.0D)`,
    'DELETE FROM {t} WHERE id >= 60 AND id < 100',
  )
}

const shapes = [
  ['', undefined, 'file'],
  ['_by_city', 'city', 'partition'],
] as const

const byPosition: readonly GridCase[] = ([2, 3] as const).flatMap((version) =>
  shapes.map(([suffix, partitionedBy, granularity]) => ({
    name: `deletes_v${version}${suffix}`,
    write: (table: GridTable) => rowLevel(table, version, partitionedBy, granularity),
    where: conditions,
  })),
)

const upgraded: GridCase = {
  name: 'deletes_upgraded',
  async write(table) {
    await rowLevel(table, 2, undefined, 'partition')
    await table.spark(
      `ALTER TABLE {t} SET TBLPROPERTIES ('format-version' = '3')`,
      'DELETE FROM {t} WHERE id % 9 = 1',
      insert(200, 230),
      'DELETE FROM {t} WHERE id % 9 = 2',
    )
  },
  where: conditions,
}

const maintained: GridCase = {
  name: 'deletes_maintained',
  async write(table) {
    await rowLevel(table, 2, 'city', 'partition')
    await table.spark(
      `CALL lake.system.rewrite_position_delete_files(table => '${table.identifier}', options => map('rewrite-all', 'true'))`,
      'DELETE FROM {t} WHERE id % 13 = 5',
      `CALL lake.system.rewrite_data_files(table => '${table.identifier}', options => map('rewrite-all', 'true'), where => "city = 'Rome'")`,
      `CALL lake.system.rewrite_manifests('${table.identifier}')`,
      'DELETE FROM {t} WHERE id % 13 = 6',
    )
  },
  where: conditions,
}

const byDuckdb: readonly GridCase[] = ([2, 3] as const).map((version) => ({
  name: `deletes_duckdb_v${version}`,
  async write(table: GridTable) {
    await table.create(columns, { version, properties: mergeOnRead })
    await table.spark(insert(0, 60), insert(60, 90))
    await table.duckdb(
      'DELETE FROM {t} WHERE id % 7 = 0',
      `UPDATE {t} SET city = 'Bern' WHERE id % 10 = 3`,
      `INSERT INTO {t} VALUES (500, 'Riga', 0.25)`,
    )
    await table.spark('DELETE FROM {t} WHERE id % 7 = 1')
  },
  where: conditions,
}))

const equality = (name: string, write: (table: GridTable) => Promise<void>, where = conditions): GridCase => ({
  name: `equality_${name}`,
  write,
  where,
})

const byValue: readonly GridCase[] = [
  equality('plain', async (table) => {
    await table.create(columns)
    await table.spark(insert(0, 60))
    await table.java('equalityDelete', { columns: ['id'], rows: [{ id: 3 }, { id: 50 }, { id: 1000 }] })
    // Newer rows of the same values stay.
    await table.spark(insert(40, 60))
    await table.java('equalityDelete', {
      columns: ['city', 'id'],
      rows: [{ city: 'Rome', id: 40 }, { city: 'Oslo', id: 41 }, { id: 54 }],
    })
  }),
  equality('nulls', async (table) => {
    await table.create(columns)
    await table.spark(
      insert(0, 60),
      `INSERT INTO {t} VALUES (70, 'Rome', double('NaN')), (71, 'Rome', -0.0D), (72, 'Rome', 0.0D), (73, NULL, NULL), (NULL, NULL, NULL)`,
    )
    await table.java('equalityDelete', { columns: ['city'], rows: [{}] })
    await table.spark(insert(90, 120))
  }),
  equality('floats', async (table) => {
    await table.create(columns)
    await table.spark(
      `INSERT INTO {t} VALUES (70, 'Rome', double('NaN')), (71, 'Rome', -0.0D), (72, 'Rome', 0.0D), (73, NULL, NULL), (74, 'Lima', 0.5D)`,
    )
    await table.java('equalityDelete', { columns: ['x'], rows: [{ x: 0.5 }, { x: '-0.0' }, { x: 'NaN' }] })
  }),
  // DuckDB 1.5.5 loses (1, b) of this one.
  equality(
    'in_partition',
    async (table) => {
      await table.create('id INT, s STRING', { partitionedBy: 's' })
      await table.spark(`INSERT INTO {t} VALUES (1, 'a'), (2, 'a'), (1, 'b'), (2, 'b')`)
      await table.java('equalityDelete', { columns: ['id'], rows: [{ id: 1 }], partition: 's=a' })
    },
    [['id = 1', eq('id', 1)]],
  ),
  equality(
    'everywhere',
    async (table) => {
      await table.create('id INT, s STRING')
      await table.spark(`INSERT INTO {t} VALUES (1, 'a'), (2, 'a')`, 'ALTER TABLE {t} ADD PARTITION FIELD s')
      await table.spark(`INSERT INTO {t} VALUES (1, 'b'), (2, 'b'), (3, 'c')`)
      // Of a spec without fields: it is about all partitions.
      await table.java('equalityDelete', { columns: ['id'], rows: [{ id: 1 }] })
      await table.spark(`INSERT INTO {t} VALUES (1, 'd')`)
    },
    [['id = 1', eq('id', 1)]],
  ),
  equality(
    'evolved',
    async (table) => {
      await table.create('id INT, s STRING, gone INT')
      await table.spark(`INSERT INTO {t} VALUES (1, 'a', 7), (2, 'b', 8), (3, 'c', 9), (4, 'd', 10)`)
      await table.java('equalityDelete', { columns: ['id'], rows: [{ id: 2 }] })
      await table.java('equalityDelete', { columns: ['gone'], rows: [{ gone: 9 }] })
      await table.spark(
        'ALTER TABLE {t} ALTER COLUMN id TYPE BIGINT',
        'ALTER TABLE {t} RENAME COLUMN s TO text',
        'ALTER TABLE {t} ADD COLUMN late INT',
      )
      await table.spark(`INSERT INTO {t} (id, text, gone, late) VALUES (5000000000, 'e', 11, 1), (5, 'f', 12, NULL)`)
      await table.java('equalityDelete', { columns: ['id'], rows: [{ id: 5000000000 }, { id: 4 }] })
      await table.java('equalityDelete', { columns: ['text', 'late'], rows: [{ text: 'a' }] })
      await table.spark('ALTER TABLE {t} DROP COLUMN gone')
    },
    [['id > 2', gt('id', 2n)]],
  ),
  equality('and_positions', async (table) => {
    await table.create(columns, { properties: mergeOnRead })
    await table.spark(insert(0, 60), 'DELETE FROM {t} WHERE id % 6 = 0')
    await table.java('equalityDelete', { columns: ['id'], rows: [{ id: 6 }, { id: 7 }] })
    await table.spark('DELETE FROM {t} WHERE id % 6 = 1', insert(60, 70))
  }),
]

export const deletes: readonly GridCase[] = [...byPosition, upgraded, maintained, ...byDuckdb, ...byValue]
