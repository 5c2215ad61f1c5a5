import { expect } from 'vitest'
import type { LostColumn } from './model.ts'
import type { Operation, Outcome, Scene } from './operation.ts'
import { and, byId } from './predicates.ts'
import type { Assignment } from './predicates.ts'
import { checkStretch, readStretch } from './readers.ts'
import { ofPartitionColumns } from './refusals.ts'

const identity = ['_kafka_partition', '_kafka_offset', '_kafka_incarnation'] as const
const others: readonly LostColumn[] = [
  '_kafka_key',
  '_kafka_crc',
  '_kafka_schema_id',
  '_kafka_timestamp',
  '_kafka_headers',
  '_kafka_key_schema_id',
  '_kafka_timestamp_type',
]

/** Beyond what the topic's type holds, and within the table's once it is widened. */
const LARGE_NUMBER = 3_000_000_000
const LARGE_PAID = '123456789.50'

/** What is put into the column, by its path; only those of a scalar or of a struct that is there. */
function tooLarge({ model: { columns } }: Scene, path: 'level' | 'paid' | 'spot.zone'): Assignment {
  const sql = (value: string): string => `${columns.sql(path)} = ${value}`
  if (path === 'paid')
    return {
      sql: sql(`CAST(${LARGE_PAID} AS DECIMAL(14, 2))`),
      apply: (row) => ({ ...row, values: { ...row.values, paid: LARGE_PAID } }),
    }
  if (path === 'level')
    return {
      sql: sql(`${LARGE_NUMBER}`),
      apply: (row) => ({ ...row, values: { ...row.values, level: LARGE_NUMBER } }),
    }
  return {
    sql: sql(`${LARGE_NUMBER}`),
    apply: (row) => ({ ...row, values: { ...row.values, spot: { ...row.values.spot!, zone: LARGE_NUMBER } } }),
    isFor: { sql: `${columns.sql('spot')} IS NOT NULL`, test: ({ values }) => values.spot !== null },
  }
}

/** Does something while the table lacks a column, and makes the schema of before current again. */
async function without(
  { stranger }: Scene,
  column: string,
  happened: () => void,
  work: () => Promise<void>,
): Promise<void> {
  const id = stranger.metadata['current-schema-id']
  await stranger.sql(`ALTER TABLE ${stranger.table} DROP COLUMN ${column}`, happened)
  await work()
  await stranger.iceberg({ do: 'setSchema', id })
}

/** Bytes that the columns do not give back can be kept nowhere: the first that comes ends tiering, and nothing is lost. */
async function tierWithoutKept({ model, ours }: Scene, a: number): Promise<void> {
  const { topic } = ours
  await ours.work({ sends: 8 + (a % 4), tiers: false, releases: false })
  if (!model.needsKept) return ours.work({ sends: 0, tiers: true, releases: false })
  const refusal = { kind: 'unsupported', code: 'RAW_COLUMN' }
  await expect(topic.tier()).rejects.toMatchObject(refusal)
  expect(topic.stats()).toMatchObject({ stoppedBy: refusal })
  await ours.check()
}

/** Leaves values or columns that records cannot be made of. */
export const damages: readonly Operation[] = [
  {
    name: 'UPDATE to values too large',
    needs: 'evolution',
    async work(scene, args): Promise<Outcome> {
      const { model, stranger } = scene
      const { columns } = model
      const paths = (['level', 'paid', 'spot.zone'] as const).filter((path) => columns.isThere(path))
      const path = paths[args[2] % paths.length]
      if (path === undefined) return 'nothing'
      if (!columns.isWide(path)) {
        const type = columns.copy().widen(path)
        await stranger.sql(`ALTER TABLE ${stranger.table} ALTER COLUMN ${columns.sql(path)} TYPE ${type}`, () => {
          columns.widen(path)
        })
      }
      const { sql, apply, isFor } = tooLarge(scene, path)
      const where = and(byId(args), isFor)
      await stranger.sql(`UPDATE ${stranger.table} SET ${sql} WHERE ${where.sql}`, () =>
        model.change((row) => (where.test(row) ? apply(row) : row)),
      )
      return 'done'
    },
  },
  {
    name: 'drop a column that says who a row is',
    wants: 'quiet',
    needs: 'evolution',
    refusals: ofPartitionColumns(identity),
    refusesReaders: ['LINEAGE_BROKEN'],
    async work(scene, [a]): Promise<void> {
      const { model, ours } = scene
      const { topic } = ours
      await without(
        scene,
        identity[a % identity.length]!,
        () => {},
        async () => {
          const broken = { code: 'LINEAGE_BROKEN', context: { fault: 'lost-identity' } }
          await expect(topic.scan().count()).rejects.toMatchObject(broken)
          await expect(topic.tier()).rejects.toMatchObject(broken)
          // There is nothing that could be counted.
          await expect(topic.adoptTable()).rejects.toMatchObject(broken)
          expect(topic.stats()).toMatchObject({ stoppedBy: broken })
          for (const [partition, from] of model.released.entries()) {
            const to = BigInt(model.book.sent[partition]!.length)
            if (from < to) checkStretch(await readStretch(topic, partition, { from, to }), model, [model.state()])
          }
        },
      )
    },
  },
  {
    name: 'drop a column that a record can be read without',
    wants: 'quiet',
    needs: 'evolution',
    refusals: ofPartitionColumns(others),
    async work(scene, [a, b]): Promise<void> {
      const { model, ours } = scene
      const column = b % 4 === 1 ? '_kafka_value' : others[a % others.length]!
      const lose = (): void => model.loses(column)
      await without(scene, column, lose, async () => {
        await ours.check()
        if (column === '_kafka_value') return tierWithoutKept(scene, a)
        // Rows of any other would be short of it for good, each in a way of its own: lost-columns.test.ts has them.
        await ours.work({ sends: 5, tiers: column === '_kafka_headers', releases: false })
      })
      model.loses(undefined)
    },
  },
]
