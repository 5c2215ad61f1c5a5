import type { ColumnPath, Values } from './columns.ts'
import type { Model, Row } from './model.ts'

/** Numbers of the list that say which of an operation's choices it takes. */
export type Args = readonly [number, number, number, number]

/** What a statement's WHERE says, to SQL and to the model. */
export interface Predicate {
  readonly sql: string
  readonly test: (row: Row) => boolean
}

/** What a statement's SET says. */
export interface Assignment {
  readonly sql: string
  readonly apply: (row: Row) => Row
  /** Else it is no row that it is meant for. */
  readonly isFor?: Predicate
}

const idOf = (row: Row): number | null => row.values.id

/** Rows with a value, about one in three to one in nine. */
export function byId([a, b]: Args): Predicate {
  const divisor = 3 + (a % 7)
  const rest = b % divisor
  return {
    sql: `id % ${divisor} = ${rest}`,
    test: (row) => idOf(row) !== null && idOf(row)! % divisor === rest,
  }
}

/** Rows of any kind. */
export function anyRows(model: Model, args: Args): Predicate {
  const [a, b, c] = args
  switch (c % 4) {
    case 0: {
      const [partition, divisor] = [a % 3, 2 + (b % 4)]
      return {
        sql: `_kafka_partition = ${partition} AND _kafka_offset % ${divisor} = 1`,
        test: ({ sent }) => sent?.partition === partition && sent.offset % BigInt(divisor) === 1n,
      }
    }
    case 1: {
      const name = `city ${a % 6}`
      return { sql: `${model.columns.sql('city')} = '${name}'`, test: ({ values }) => values.city === name }
    }
    case 2: {
      if (!model.columns.isThere('level')) return byId(args)
      return {
        sql: `id > 20 AND ${model.columns.sql('level')} IS NULL`,
        test: ({ values }) => values.id !== null && values.id > 20 && values.level === null,
      }
    }
    default:
      return byId(args)
  }
}

const set =
  (change: (values: Values) => Partial<Values>) =>
  (row: Row): Row => ({ ...row, values: { ...row.values, ...change(row.values) } })

/** One of the assignments that the columns permit. */
export function assignment({ columns }: Model, [, , c, d]: Args): Assignment {
  const number = d % 1000
  const all: readonly { readonly needs: readonly ColumnPath[]; readonly make: () => Assignment }[] = [
    {
      needs: ['city'],
      make: () => ({ sql: `${columns.sql('city')} = 'c${number}'`, apply: set(() => ({ city: `c${number}` })) }),
    },
    {
      needs: ['level'],
      make: () => ({
        sql: `${columns.sql('level')} = ${columns.sql('level')} + ${number}`,
        apply: set(({ level }) => ({ level: level === null ? null : level + number })),
      }),
    },
    {
      needs: ['note', 'heat'],
      make: () => ({
        sql: `${columns.sql('note')} = NULL, ${columns.sql('heat')} = CAST(${columns.sql('heat')} + 0.25 AS ${columns.typeOf('heat')})`,
        apply: set(({ heat }) => ({ note: null, heat: heat === null ? null : heat + 0.25 })),
      }),
    },
    {
      needs: ['paid'],
      make: () => ({
        sql: `${columns.sql('paid')} = CAST(${number}.50 AS ${columns.typeOf('paid')})`,
        apply: set(() => ({ paid: `${number}.50` })),
      }),
    },
    {
      needs: ['spot', 'spot.zone'],
      make: () => ({
        sql: `${columns.sql('spot.zone')} = ${number}`,
        apply: set(({ spot }) => ({ spot: spot === null ? null : { ...spot, zone: number } })),
        isFor: { sql: `${columns.sql('spot')} IS NOT NULL`, test: ({ values }) => values.spot !== null },
      }),
    },
    {
      needs: ['spot'],
      make: () => ({ sql: `${columns.sql('spot')} = NULL`, apply: set(() => ({ spot: null })) }),
    },
    {
      needs: [],
      make: () => ({
        sql: `_kafka_key = CAST('merged ${number}' AS BINARY)`,
        apply: (row) => ({ ...row, key: `merged ${number}` }),
      }),
    },
  ]
  const possible = all.filter(({ needs }) => needs.every((path) => columns.isThere(path)))
  return possible[c % possible.length]!.make()
}

/** Both. */
export function and(one: Predicate, other: Predicate | undefined): Predicate {
  if (other === undefined) return one
  return { sql: `${one.sql} AND ${other.sql}`, test: (row) => one.test(row) && other.test(row) }
}
