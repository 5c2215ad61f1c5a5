import type { IcebergSchema } from '@moulin/core'
import type { Compression, FileWriterOptions, LeafEncoding } from '@moulin/format'
import fc from 'fast-check'
import { type Case, columnValues, encodingsOf, leaves, nullShares, primitives, SchemaDice, styles } from './cases.ts'
import { Dice } from './dice.ts'

/** What fast-check draws, and shrinks: the rest follows from the seed. */
export interface Draw {
  readonly seed: number
  readonly columns: number
  readonly depth: number
  readonly rows: number
  readonly kinds: readonly string[]
}

export interface DrawLimits {
  readonly kinds?: readonly string[]
  readonly maxRows?: number
  readonly maxColumns?: number
}

export function draws({ kinds = primitives, maxRows = 300, maxColumns = 6 }: DrawLimits = {}): fc.Arbitrary<Draw> {
  return fc.record({
    seed: fc.nat(),
    columns: fc.integer({ min: 1, max: maxColumns }),
    depth: fc.constantFrom(0, 1, 2, 3),
    rows: fc.oneof(fc.nat(20), fc.nat(maxRows)),
    kinds: fc.constant(kinds),
  })
}

const compressions: readonly Compression[] = ['zstd', 'snappy', 'gzip', 'none']

/** A random file of the draw; `plainOptions` leaves out what only our own writer takes. */
export function caseOf(draw: Draw, plainOptions = false): Case {
  const dice = new Dice(draw.seed)
  const schemas = new SchemaDice(dice, draw.kinds, draw.depth)
  const fields = Array.from({ length: draw.columns }, (_, i) => schemas.field(dice.pick(names) + String(i)))
  const schema: IcebergSchema = { type: 'struct', fields }
  const table = fields.map((field) => columnValues(field, draw.rows, dice.pick(styles), dice.pick(nullShares), dice))
  const batches: Case['batches'][number][] = []
  for (let left = draw.rows; left > 0;) {
    const rows = dice.chance(0.4) ? left : dice.between(1, left)
    batches.push({ rows, ends: dice.chance(0.3) })
    left -= rows
  }
  const options = plainOptions ? commonOptions(dice) : { ...commonOptions(dice), ...ownOptions(schema, dice) }
  return { schema, table, rowCount: draw.rows, options, batches }
}

const names = ['f', 'Feld ', 'a.b', 'group', '"q"', 'größe']

type Options = Omit<FileWriterOptions, 'schema'>

function commonOptions(dice: Dice): Options {
  return {
    compression: dice.pick(compressions),
    pageBytes: dice.pick([64, 300, 2000, 65_536]),
    columnIndexes: dice.pick(['all', [], ['f0']] as const),
    ...(dice.chance(0.2) ? { rowGroupBytes: dice.between(100, 5000) } : {}),
    ...(dice.chance(0.5) ? { sink: () => undefined } : {}),
    ...(dice.chance(0.3) ? { keyValue: { note: 'naïve', '': 'x'.repeat(dice.below(300)) } } : {}),
  }
}

function ownOptions(schema: IcebergSchema, dice: Dice): Options {
  const all = leaves(schema)
  const encodings: Record<string, LeafEncoding> = {}
  for (const { path, type } of all) if (dice.chance(0.6)) encodings[path] = dice.pick(encodingsOf(type))
  const bloomed = all.filter(({ type }) => type !== 'boolean' && dice.chance(0.3))
  return {
    encodings,
    pageVersion: dice.pick([1, 2]),
    pageChecksums: dice.chance(0.7),
    boundBytes: dice.pick([1, 4, 16, 64, 1000]),
    bloomFilters: Object.fromEntries(bloomed.map(({ path }) => [path, { fpp: dice.pick([0.01, 0.2]) }])),
    ...(dice.chance(0.2) ? { sortingColumns: [{ path: all[0]!.path, descending: true, nullsFirst: false }] } : {}),
  }
}

/** For the message of a failing case. */
export function describeCase(each: Case): string {
  const { sink, ...options } = each.options
  return JSON.stringify({ fields: each.schema.fields, options, sink: sink !== undefined, batches: each.batches })
}
