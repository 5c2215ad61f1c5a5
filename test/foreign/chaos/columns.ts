import type { Reading } from './readings.ts'

/** Values of the columns of a row, all of which SQL may null; what a row has in a column that is gone stays here, unseen. */
export interface Values {
  readonly id: number | null
  readonly city: string | null
  readonly note: string | null
  readonly level: number | null
  readonly heat: number | null
  readonly paid: string | null
  readonly spot: Spot | null
  readonly marks: readonly Mark[] | null
}
export interface Spot {
  readonly lat: number | null
  readonly zone: number | null
  readonly label: string | null
}
export interface Mark {
  readonly name: string | null
  readonly weight: number | null
}

export const noValues: Values = {
  id: null,
  city: null,
  note: null,
  level: null,
  heat: null,
  paid: null,
  spot: null,
  marks: null,
}

export function valuesOf(value: Reading | null | undefined): Values {
  if (value === null || value === undefined) return noValues
  const { id, city = null, note = null, level = null, heat = null, paid = null, spot, marks } = value
  return {
    id,
    city,
    note,
    level,
    heat,
    paid,
    spot: spot ? { lat: spot.lat ?? null, zone: spot.zone ?? null, label: spot.label ?? null } : null,
    marks: marks.map(({ name = null, weight = null }) => ({ name, weight })),
  }
}

/** A column of the topic, whatever SQL calls it: one of the schema's fields, or `struct.member`. */
export type ColumnPath = keyof Values | 'spot.lat' | 'spot.zone' | 'spot.label' | 'marks.name' | 'marks.weight'

const paths: readonly ColumnPath[] = [
  'id',
  'city',
  'note',
  'level',
  'heat',
  'paid',
  'spot',
  'spot.lat',
  'spot.zone',
  'spot.label',
  'marks',
  'marks.name',
  'marks.weight',
]
/** SQL's types of those that strangers widen. */
const widened = {
  level: ['INT', 'BIGINT'],
  heat: ['FLOAT', 'DOUBLE'],
  paid: ['DECIMAL(9, 2)', 'DECIMAL(14, 2)'],
  'spot.zone': ['INT', 'BIGINT'],
  'marks.weight': ['INT', 'BIGINT'],
} as const
const MAX_INT = 0x7fff_ffff
/** A decimal of 9 digits, two of them behind the point. */
const PAID_BELOW = 10_000_000
export type Widening = keyof typeof widened
export const widenings = Object.keys(widened) as readonly Widening[]

/** What strangers have made of the table's columns, of which the log keeps track by their ids. */
export class Columns {
  /** The last name of the path in SQL; none: dropped. */
  readonly #names: Map<ColumnPath, string>
  readonly #wide: Set<Widening>
  /** Of others, texts, at the top; with what rows of before have in them. */
  readonly extras: { readonly name: string; readonly initial: string | null }[]
  /** Of others, in `spot`, where nothing is ever put into them. */
  readonly extrasOfSpot: string[]

  constructor(from?: Columns) {
    this.#names = new Map(
      from === undefined ? paths.map((path) => [path, path.slice(path.indexOf('.') + 1)]) : from.#names,
    )
    this.#wide = new Set(from === undefined ? [] : from.#wide)
    this.extras = [...(from?.extras ?? [])]
    this.extrasOfSpot = [...(from?.extrasOfSpot ?? [])]
  }

  copy(): Columns {
    return new Columns(this)
  }

  isThere(path: ColumnPath): boolean {
    return this.#names.has(path)
  }

  /** As `ALTER TABLE` and `SELECT` name it. */
  sql(path: ColumnPath): string {
    const at = path.indexOf('.')
    if (at < 0) return this.#names.get(path)!
    const parent = path.slice(0, at) as ColumnPath
    return `${this.#names.get(parent)}${parent === 'marks' ? '.element' : ''}.${this.#names.get(path)}`
  }

  rename(path: ColumnPath, name: string): void {
    this.#names.set(path, name)
  }

  drop(path: ColumnPath): void {
    for (const each of paths) if (each === path || each.startsWith(`${path}.`)) this.#names.delete(each)
  }

  /** SQL's type of it, as it is now. */
  typeOf(path: Widening): string {
    return widened[path][this.#wide.has(path) ? 1 : 0]
  }

  isWide(path: Widening): boolean {
    return this.#wide.has(path)
  }

  widen(path: Widening): string {
    this.#wide.add(path)
    return this.typeOf(path)
  }

  /** A name that no column has or had. */
  newName(stem: string): string {
    return `${stem}_${++this.#named}`
  }
  #named = 0

  /** Some column of the topic is gone. */
  get lacks(): boolean {
    return this.#names.size < paths.length
  }

  /** What is left of the values in the columns that are there. */
  seen(values: Values): Values {
    if (!this.lacks) return values
    const kept = <T>(path: ColumnPath, value: T): T | null => (this.isThere(path) ? value : null)
    const { spot, marks } = values
    return {
      id: kept('id', values.id),
      city: kept('city', values.city),
      note: kept('note', values.note),
      level: kept('level', values.level),
      heat: kept('heat', values.heat),
      paid: kept('paid', values.paid),
      spot:
        spot === null || !this.isThere('spot')
          ? null
          : {
              lat: kept('spot.lat', spot.lat),
              zone: kept('spot.zone', spot.zone),
              label: kept('spot.label', spot.label),
            },
      marks:
        marks?.map(({ name, weight }) => {
          return { name: kept('marks.name', name), weight: kept('marks.weight', weight) }
        }) ?? null,
    }
  }

  /** The columns that are there and have a value which the topic's type does not hold. */
  tooLarge({ level, paid, spot }: Values): string[] {
    const isLarge = {
      level: level !== null && Math.abs(level) > MAX_INT,
      paid: paid !== null && Math.abs(Number(paid)) >= PAID_BELOW,
      'spot.zone': typeof spot?.zone === 'number' && Math.abs(spot.zone) > MAX_INT,
    }
    const paths = ['level', 'paid', 'spot.zone'] as const
    return paths.filter((path) => isLarge[path] && this.isThere(path))
  }

  forgetDefaults(): void {
    this.extras.splice(0, this.extras.length, ...this.extras.map(({ name }) => ({ name, initial: null })))
  }

  /** The columns that are there, as SQL lists them. */
  get listed(): readonly string[] {
    const ours = paths.filter((path) => !path.includes('.') && this.isThere(path)).map((path) => this.sql(path))
    return [...ours, ...this.extras.map(({ name }) => name)]
  }

  /** The row as SQL shows it: names and values as JSON has them. */
  shown(values: Values, extras: Readonly<Record<string, string | null>>): Record<string, unknown> {
    const { spot, marks } = values
    const row: Record<string, unknown> = {}
    const put = (into: Record<string, unknown>, path: ColumnPath, value: unknown): void => {
      if (this.isThere(path)) into[this.#names.get(path)!] = value
    }
    for (const path of ['id', 'city', 'note', 'level', 'heat'] as const) put(row, path, values[path])
    put(row, 'paid', values.paid === null ? null : Number(values.paid))
    const shownSpot: Record<string, unknown> = Object.fromEntries(this.extrasOfSpot.map((name) => [name, null]))
    for (const member of ['lat', 'zone', 'label'] as const) put(shownSpot, `spot.${member}`, spot?.[member])
    put(row, 'spot', spot === null ? null : shownSpot)
    const shownMarks = marks?.map(({ name, weight }) => {
      const mark = {}
      put(mark, 'marks.name', name)
      put(mark, 'marks.weight', weight)
      return mark
    })
    put(row, 'marks', shownMarks ?? null)
    for (const { name, initial } of this.extras) row[name] = name in extras ? extras[name] : initial
    return row
  }
}
