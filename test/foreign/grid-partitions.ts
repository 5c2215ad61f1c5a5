/** Tables partitioned by each transform, with nulls and times before 1970, and by one spec after the other. */
import { and, eq, gte, isNull, lt, startsWith } from '@moulin/core'
import { mergeOnRead } from './grid.ts'
import type { Condition, GridCase, GridTable } from './grid.ts'

const columns = 'id INT, n BIGINT, s STRING, b BINARY, d DECIMAL(12, 3), day DATE, at TIMESTAMP, wall TIMESTAMP_NTZ'

/** From 1957 to 1982, every ninth row without anything. */
const insert = (from: number, to: number): string => `
  INSERT INTO {t} SELECT CAST(id AS INT),
    IF(id % 9 = 8, NULL, (id - 60) * 7919 * 1000003),
    IF(id % 9 = 8, NULL, concat(element_at(array('Straße', '日本', 'a', 'zzz'), CAST(id % 4 AS INT) + 1), id % 5)),
    IF(id % 9 = 8, NULL, unhex(lpad(hex(id * 37), 6, '0'))),
    IF(id % 9 = 8, NULL, CAST((id - 60) * 1.237 AS DECIMAL(12, 3))),
    IF(id % 9 = 8, NULL, date_add(DATE'1970-01-01', CAST((id - 60) * 77 AS INT))),
    IF(id % 9 = 8, NULL, timestamp_micros((id - 60) * 6655443322110)),
    IF(id % 9 = 8, NULL, CAST(timestamp_micros((id - 60) * 6655443322110 - 1) AS TIMESTAMP_NTZ))
  FROM range(${from}, ${to})`

const micros = (text: string): bigint => BigInt(new Date(text).getTime()) * 1000n

const conditions: readonly Condition[] = [
  ['n < -1000000 OR n IS NULL', { op: 'or', args: [lt('n', -1_000_000n), isNull('n')] }],
  [`s = 'Straße0'`, eq('s', 'Straße0')],
  [`s LIKE '日本%'`, startsWith('s', '日本')],
  [`d >= -1.237 AND d < 20.5`, and(gte('d', '-1.237'), lt('d', '20.500'))],
  [`day < DATE'1970-01-01'`, lt('day', '1970-01-01')],
  [
    `at >= TIMESTAMP'1969-06-01 00:00:00Z' AND at < TIMESTAMP'1971-01-01 00:00:00Z'`,
    and(gte('at', micros('1969-06-01T00:00:00Z')), lt('at', micros('1971-01-01T00:00:00Z'))),
  ],
  [`wall < TIMESTAMP_NTZ'1970-01-01 00:00:00'`, lt('wall', 0n)],
  ['at IS NULL', isNull('at')],
]

const transforms = {
  identity: 's, d, day',
  bucket: 'bucket(4, s), bucket(3, n), bucket(5, b)',
  bucket_of_times: 'bucket(4, d), bucket(3, at), bucket(3, day)',
  truncate: 'truncate(2, s), truncate(100, n)',
  truncate_more: 'truncate(2, b), truncate(50, d)',
  years: 'years(at), months(day)',
  months: 'months(at), years(wall)',
  days: 'days(wall)',
  hours: 'hours(at)',
}

const byTransform: readonly GridCase[] = Object.entries(transforms).flatMap(([name, partitionedBy], at) => {
  // Each of the three versions with each, but for time: versions differ in what is written, transforms in what is computed.
  const version = ([1, 2, 3] as const)[at % 3]!
  return {
    name: `partitions_${name}_v${version}`,
    async write(table: GridTable) {
      await table.create(columns, { version, partitionedBy, properties: { 'write.distribution-mode': 'none' } })
      await table.spark(insert(0, 70), insert(70, 120))
      if (version > 1) {
        const modes = Object.entries(mergeOnRead).map(([property, mode]) => `'${property}' = '${mode}'`)
        await table.spark(
          `ALTER TABLE {t} SET TBLPROPERTIES (${modes.join(', ')})`,
          'DELETE FROM {t} WHERE id % 17 = 3',
        )
      }
    },
    where: conditions,
  }
})

const evolving = (version: 1 | 2 | 3): GridCase => ({
  name: `partitions_evolved_v${version}`,
  async write(table) {
    await table.create(columns, {
      version,
      partitionedBy: 'months(at)',
      properties: { 'write.distribution-mode': 'none', ...(version > 1 && mergeOnRead) },
    })
    await table.spark(
      insert(0, 30),
      'ALTER TABLE {t} ADD PARTITION FIELD bucket(4, s)',
      insert(30, 60),
      'ALTER TABLE {t} REPLACE PARTITION FIELD at_month WITH days(at)',
      insert(60, 80),
      'ALTER TABLE {t} DROP PARTITION FIELD s_bucket_4',
      'ALTER TABLE {t} RENAME COLUMN at TO moment',
      insert(80, 100),
      'ALTER TABLE {t} DROP PARTITION FIELD at_day',
      'ALTER TABLE {t} RENAME COLUMN moment TO at',
      insert(100, 110),
    )
    if (version > 1) await table.spark('DELETE FROM {t} WHERE id % 7 = 2', 'DELETE FROM {t} WHERE day IS NULL')
  },
  where: conditions,
})

export const partitions: readonly GridCase[] = [...byTransform, evolving(1), evolving(2), evolving(3)]
