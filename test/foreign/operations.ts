import { byValue } from 'moulin'
import type { Codec, TopicConfig } from 'moulin'
import type { Meaning } from './checks.ts'
import { pyiceberg } from './engines.ts'
import type { SqlEngine } from './engines.ts'
import { codecs } from './orders.ts'
import type { Order, Sent } from './orders.ts'

export interface Engines {
  readonly spark: SqlEngine
  readonly duckdb: SqlEngine
  /** Of the catalog that they share. */
  readonly uri: string
}

export interface Operation {
  readonly name: string
  readonly config: TopicConfig<Order>
  readonly work: (engines: Engines, table: string) => Promise<unknown>
  readonly meaning: Meaning
  /** What SQL calls the column `city` afterwards; default that. */
  readonly cityColumn?: string
  /** Default `intact`. */
  readonly verdict?: 'intact' | 'plausible'
}

/** One of Iceberg's procedures in Spark. */
export const call = ({ spark }: Engines, procedure: string, table: string, ...args: string[]): Promise<unknown> =>
  spark.sql(`CALL lake.system.${procedure}(${[`table => '${table}'`, ...args].join(', ')})`)

export const rewriteAll = "options => map('rewrite-all', 'true')"
const binpack = (engines: Engines, table: string): Promise<unknown> =>
  call(engines, 'rewrite_data_files', table, "strategy => 'binpack'", rewriteAll)
const expire = (engines: Engines, table: string, ...args: string[]): Promise<unknown> =>
  call(engines, 'expire_snapshots', table, "older_than => TIMESTAMP '2099-01-01 00:00:00'", 'retain_last => 1', ...args)

export const unchanged: Meaning = { change: (sent) => sent }
const allRows = (tabled: readonly Sent[]): number => tabled.length
const noRows = (): number => 0

/** `set` in the values that `test` takes. */
export function changedValues(
  codec: Codec<Order>,
  test: (value: Order) => boolean,
  set: (value: Order) => Order,
): Meaning['change'] {
  return (sent) => {
    if (!isValue(sent, test)) return sent
    const value = set(sent.value!)
    const bytes = codec.encode(value)
    // Set to what it was: nothing has changed.
    return Buffer.compare(bytes, sent.bytes!) === 0 ? sent : { ...sent, value, bytes }
  }
}

const isValue = ({ value }: Sent, test: (value: Order) => boolean): boolean =>
  value !== null && value !== undefined && test(value)
const hasId = (sent: Sent, test: (id: number) => boolean): boolean => isValue(sent, ({ id }) => test(id))

export const operations: readonly Operation[] = [
  {
    name: 'DuckDB: INSERT',
    config: { value: codecs.json },
    // Rows without a place in the log are nobody's there.
    work: ({ duckdb }, table) =>
      duckdb.sql(
        `INSERT INTO lake.${table} (id, city, legs, tags) VALUES
         (900001, 'foreign', [{via: 'x', km: 1}], MAP {'a': 1}), (NULL, NULL, NULL, NULL)`,
      ),
    meaning: { ...unchanged, rowsOfOthers: noRows },
  },
  {
    name: 'PyIceberg: append',
    // Other transforms than identity need a package of their own there.
    config: { value: codecs.avro, partitionBy: [byValue('city')] },
    work: ({ uri }, table) =>
      pyiceberg(uri, table, {
        append: [
          { id: 900001, city: 'foreign', tags: [['a', 1]] },
          { id: 900002, legs: [{ via: 'x', km: null }] },
        ],
      }),
    meaning: { ...unchanged, rowsOfOthers: noRows },
  },
  {
    name: 'Spark: binpack',
    config: { value: codecs.avro },
    work: binpack,
    meaning: { ...unchanged, rowsOfOthers: allRows },
  },
  {
    name: 'Spark: sort',
    config: { value: codecs.json, partitionBy: [] },
    work: (engines, table) => {
      const order = 'city DESC NULLS LAST, wide, _kafka_key, _kafka_offset DESC'
      return call(engines, 'rewrite_data_files', table, "strategy => 'sort'", `sort_order => '${order}'`, rewriteAll)
    },
    meaning: { ...unchanged, rowsOfOthers: allRows },
  },
  {
    name: 'Spark: expire',
    config: { value: codecs.json },
    work: expire,
    meaning: { ...unchanged, rowsOfOthers: noRows },
  },
  {
    name: 'Spark: binpack, then expire',
    config: { value: codecs.avro, partitionBy: [byValue('city')] },
    work: async (engines, table) => {
      await binpack(engines, table)
      // Else the snapshot of main names ours as its parent, though that is gone.
      await call(engines, 'rewrite_manifests', table)
      await expire(engines, table)
    },
    meaning: { ...unchanged, rowsOfOthers: allRows },
    verdict: 'plausible',
  },
  {
    name: 'Spark: UPDATE, copy-on-write',
    config: { value: codecs.json, partitionBy: [byValue('city')] },
    work: async ({ spark }, table) => {
      await spark.sql(`UPDATE lake.${table} SET city = concat('now ', city), total = NULL WHERE id % 7 = 3`)
      await spark.sql(`UPDATE lake.${table} SET _kafka_key = CAST('merged' AS BINARY) WHERE id % 31 = 4`)
    },
    meaning: {
      change: (sent) => {
        const changed = changedValues(
          codecs.json,
          ({ id }) => id % 7 === 3,
          (value) => ({ ...value, city: value.city === null ? null : `now ${value.city}`, total: null }),
        )(sent)!
        return hasId(sent, (id) => id % 31 === 4) ? { ...changed, key: 'merged' } : changed
      },
    },
  },
  {
    name: 'Spark: DELETE, copy-on-write',
    config: { value: codecs.json },
    work: ({ spark }, table) =>
      spark.sql(`DELETE FROM lake.${table} WHERE id % 6 = 1 OR _kafka_partition = 1 AND _kafka_offset < 30`),
    meaning: {
      change: (sent) =>
        hasId(sent, (id) => id % 6 === 1) || (sent.partition === 1 && sent.offset < 30n) ? undefined : sent,
    },
  },
  {
    name: 'Spark: swapped names, then expire with clean_expired_metadata',
    config: { value: codecs.json },
    // The columns stay what they are, by their ids: only their names in SQL are others.
    work: async (engines, table) => {
      for (const [from, to] of [
        ['city', 'other'],
        ['note', 'city'],
        ['other', 'note'],
      ]) {
        await engines.spark.sql(`ALTER TABLE lake.${table} RENAME COLUMN ${from} TO ${to}`)
      }
      await expire(engines, table, 'clean_expired_metadata => true')
    },
    meaning: { ...unchanged, rowsOfOthers: noRows },
    cityColumn: 'note',
  },
  {
    name: 'Spark: another partition spec and one more column, then binpack',
    config: { value: codecs.avro },
    work: async (engines, table) => {
      await engines.spark.sql(`ALTER TABLE lake.${table} ADD COLUMN extra STRING AFTER id`)
      await engines.spark.sql(`ALTER TABLE lake.${table} DROP PARTITION FIELD _kafka_timestamp_day`)
      await engines.spark.sql(`ALTER TABLE lake.${table} ADD PARTITION FIELD bucket(2, id)`)
      await binpack(engines, table)
    },
    meaning: { ...unchanged, rowsOfOthers: allRows },
  },
  ...(['before', 'after'] as const).map((when): Operation => ({
    name: `Spark: columns and members promoted, renamed, moved and added, binpack ${when} that`,
    config: { value: when === 'before' ? codecs.avro : codecs.json },
    work: async (engines, table) => {
      if (when === 'before') await binpack(engines, table)
      for (const change of [
        'ALTER COLUMN paid TYPE DECIMAL(20, 2)',
        'ALTER COLUMN legs.element.km TYPE BIGINT',
        'ALTER COLUMN tags.value TYPE BIGINT',
        'ALTER COLUMN _kafka_partition TYPE BIGINT',
        'ALTER COLUMN _kafka_crc TYPE BIGINT',
        'RENAME COLUMN legs.element.via TO km_of',
        'RENAME COLUMN geo.lat TO north',
        'RENAME COLUMN _kafka_headers.element.key TO header',
        'ALTER COLUMN geo.lon FIRST',
        'ALTER COLUMN wide FIRST',
        'ADD COLUMN geo.lat STRING',
        'ADD COLUMN legs.element.via INT FIRST',
      ]) {
        await engines.spark.sql(`ALTER TABLE lake.${table} ${change}`)
      }
      if (when === 'after') await binpack(engines, table)
    },
    meaning: { ...unchanged, rowsOfOthers: allRows },
  })),
  {
    name: 'Spark: UPDATE, sort, DELETE, INSERT, binpack and expire, one after the other',
    config: { value: codecs.json, partitionBy: [byValue('city')] },
    work: async (engines, table) => {
      const { duckdb, spark } = engines
      await spark.sql(`UPDATE lake.${table} SET note = 'noted', geo = NULL WHERE id % 9 = 2`)
      await call(engines, 'rewrite_data_files', table, "strategy => 'sort'", "sort_order => 'id DESC'", rewriteAll)
      await spark.sql(`DELETE FROM lake.${table} WHERE id % 10 = 2`)
      await duckdb.sql(`INSERT INTO lake.${table} (id, city) VALUES (900001, 'foreign')`)
      await binpack(engines, table)
      await expire(engines, table)
    },
    meaning: {
      change: (sent) =>
        hasId(sent, (id) => id % 10 === 2)
          ? undefined
          : changedValues(
              codecs.json,
              ({ id }) => id % 9 === 2,
              (value) => ({ ...value, note: 'noted', geo: null }),
            )(sent),
      rowsOfOthers: (tabled) => tabled.filter((sent) => !hasId(sent, (id) => id % 10 === 2)).length,
    },
    verdict: 'plausible',
  },
]

/** Rows that have a place twice, or three times: the one that its checksum binds to it is the record. */
export const copies: Operation = {
  name: 'Spark: INSERT of copied rows',
  config: { value: codecs.avro },
  work: async ({ spark }, table) => {
    const columns = (await spark.sql(`DESCRIBE lake.${table}`)).map(([name]) => name!)
    const altered = columns
      .slice(0, columns.indexOf('geo') + 1)
      .map((name) => (name === 'city' ? "'copy' AS city" : name))
    await spark.sql(`INSERT INTO lake.${table} SELECT ${altered.join()} FROM lake.${table} WHERE id % 15 = 7`)
    const isOriginal = "NOT city <=> 'copy'"
    await spark.sql(`INSERT INTO lake.${table} SELECT * FROM lake.${table} WHERE id % 5 = 2 AND ${isOriginal}`)
  },
  meaning: {
    ...unchanged,
    copies: (sent) => (hasId(sent, (id) => id % 5 === 2) ? 1 : 0),
    alteredCopies: (sent) => (hasId(sent, (id) => id % 15 === 7) ? 1 : 0),
  },
}

const isDeleted = (sent: Sent): boolean => hasId(sent, (id) => id % 6 === 1)

/** Engines that mark rows as deleted instead of writing files anew. */
export const rowLevel: readonly Operation[] = [
  {
    name: 'DuckDB: DELETE',
    config: { value: codecs.json },
    work: ({ duckdb }, table) => duckdb.sql(`DELETE FROM lake.${table} WHERE id % 6 = 1`),
    meaning: { change: (sent) => (isDeleted(sent) ? undefined : sent) },
  },
  {
    name: 'DuckDB: UPDATE',
    config: { value: codecs.avro, partitionBy: [] },
    work: ({ duckdb }, table) => duckdb.sql(`UPDATE lake.${table} SET city = 'changed' WHERE id % 6 = 1`),
    meaning: {
      change: changedValues(
        codecs.avro,
        ({ id }) => id % 6 === 1,
        (value) => ({ ...value, city: 'changed' }),
      ),
    },
  },
  {
    name: 'Spark: DELETE, merge-on-read',
    config: { value: codecs.avro },
    work: async ({ spark }, table) => {
      await spark.sql(`ALTER TABLE lake.${table} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')`)
      await spark.sql(`DELETE FROM lake.${table} WHERE id % 6 = 1`)
    },
    meaning: { change: (sent) => (isDeleted(sent) ? undefined : sent) },
  },
]

/** The log's own commit is taken back: what is refused until somebody decides. */
export const rollback = { name: 'Spark: rollback below our commit', code: 'LINEAGE_BROKEN' } as const

/** Behind the name of an operation of {@link rowLevel}, whose deletes were rewritten away then. */
export const rewritten = ', then its deletes rewritten'

/** Rewrites the files so that no row-level delete is left. */
export async function withoutRowLevelDeletes(engines: Engines, table: string): Promise<void> {
  const options = "options => map('delete-file-threshold', '1', 'rewrite-all', 'true')"
  await call(engines, 'rewrite_data_files', table, options)
  await call(engines, 'rewrite_position_delete_files', table, rewriteAll)
}
