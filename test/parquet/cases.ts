import { plainPrimitives } from '@moulin/core'
import type { ColumnBatch, IcebergField, IcebergSchema, IcebergType } from '@moulin/core'
import type { FileWriterFactory, FileWriterOptions, LeafEncoding, WrittenFile } from '@moulin/format'
import type { Dice } from './dice.ts'
import { asList, bigEndian, doubleText, floatText, hex, isWideDecimal, widthOf } from './plain.ts'
import { type Plain, type PlainTable, toColumn } from './plain.ts'

/** A file to be written: its schema, its values and how they are handed over. */
export interface Case {
  readonly schema: IcebergSchema
  readonly table: PlainTable
  readonly rowCount: number
  readonly options: Omit<FileWriterOptions, 'schema'>
  /** Rows of each `write`, and whether a row group is closed after it. */
  readonly batches: readonly { readonly rows: number; readonly ends: boolean }[]
}

export const primitives = [
  ...plainPrimitives,
  'fixed[5]',
  'decimal(9,2)',
  'decimal(18,4)',
  'decimal(38,10)',
  'decimal(1,0)',
  'decimal(21,21)',
] as const

/** How the values of a leaf follow each other; each favours another encoding. */
export const styles = ['random', 'few', 'rising', 'constant', 'extreme'] as const
export type Style = (typeof styles)[number]

/** How many values are null. */
export const nullShares = [0, 0.1, 0.9, 1] as const

const words = [
  '',
  'a',
  'ab',
  'naïve',
  '日本語',
  '😀',
  'x'.repeat(70),
  'prefix-prefix-prefix-',
  '\u0000',
  '￿',
  '\u{10ffff}',
]

/** One value after the other of a primitive. */
export function maker(type: string, style: Style, dice: Dice): () => Plain {
  const random = randomOf(type, dice)
  if (style === 'constant') {
    const value = random()
    return () => value
  }
  if (style === 'few') {
    const pool = Array.from({ length: dice.between(1, 12) }, random)
    return () => dice.pick(pool)
  }
  if (style === 'rising') return rising(type, dice) ?? random
  if (style === 'extreme') {
    const pool = extremes(type)
    return () => dice.pick(pool)
  }
  return random
}

const range = (type: string): readonly [bigint, bigint] => {
  const precision = /^decimal\((\d+)/.exec(type)?.[1]
  if (precision !== undefined) return [1n - 10n ** BigInt(precision), 10n ** BigInt(precision) - 1n]
  if (type === 'time') return [0n, 86_399_999_999n]
  const width = type === 'int' || type === 'date' ? 32n : 64n
  return [-(2n ** (width - 1n)), 2n ** (width - 1n) - 1n]
}

function isInteger(type: string): boolean {
  return type === 'int' || type === 'long' || /^(date|time|decimal)/.test(type)
}

function randomOf(type: string, dice: Dice): () => Plain {
  if (isInteger(type)) {
    const [low, high] = range(type)
    const span = high - low + 1n
    return () => {
      const value = dice.integer(128)
      return String(value >= low && value <= high ? value : low + (((value % span) + span) % span))
    }
  }
  switch (type) {
    case 'boolean':
      return () => dice.chance(0.5)
    case 'float':
      return () => (dice.chance(0.1) ? dice.pick(extremes(type)) : floatText(Math.fround(dice.between(-1e6, 1e6) / 7)))
    case 'double':
      return () => (dice.chance(0.1) ? dice.pick(extremes(type)) : doubleText(dice.between(-1e9, 1e9) / 7))
    case 'string':
      return () => hex(Buffer.from(Array.from({ length: dice.below(4) }, () => dice.pick(words)).join('')))
    case 'binary':
      return () => hex(dice.bytes(dice.below(40)))
    default:
      return () => hex(dice.bytes(widthOf(type)))
  }
}

function rising(type: string, dice: Dice): (() => Plain) | undefined {
  let value = BigInt(dice.below(1_000_000))
  const step = dice.between(1, 2000)
  const next = (): bigint => (value += BigInt(dice.below(step)))
  if (isInteger(type)) {
    const [low, high] = range(type)
    return () => String(low + ((next() - low) % (high - low + 1n)))
  }
  if (type === 'double') return () => doubleText(Number(next()) / 4)
  if (type === 'float') return () => floatText(Math.fround(Number(next()) / 4))
  if (type === 'string' || type === 'binary') return () => hex(Buffer.from(`order/${String(next()).padStart(9, '0')}`))
  if (type === 'boolean') return undefined
  return () => hex(bigEndian(next(), widthOf(type)))
}

export function extremes(type: string): readonly Plain[] {
  if (isInteger(type)) {
    const [low, high] = range(type)
    return [low, high, 0n, low + 1n, high - 1n, low < 0n ? -1n : 1n].map(String)
  }
  const float = [0, -0, NaN, Infinity, -Infinity, 1.5]
  switch (type) {
    case 'boolean':
      return [true, false]
    case 'float':
      return [...float, 2 ** -149, Math.fround(3.4028234663852886e38)].map(floatText)
    case 'double':
      return [...float, Number.MIN_VALUE, -Number.MAX_VALUE].map(doubleText)
    case 'string':
      return [...words, 'y'.repeat(300), `${'y'.repeat(299)}z`].map((word) => hex(Buffer.from(word)))
    case 'binary':
      return ['', '00', 'ff', 'ff'.repeat(100), 'fe'.repeat(70), '80']
    default:
      return ['00', 'ff', '80'].map((byte) => byte.repeat(widthOf(type)))
  }
}

/** One value after the other of any type; below the top level a tenth is null where it may be. */
export function anyMaker(type: IcebergType, style: Style, dice: Dice): () => Plain {
  if (typeof type === 'string') return maker(type, style, dice)
  const optional = (of: () => Plain, required: boolean): (() => Plain) =>
    required ? of : () => (dice.chance(0.15) ? null : of())
  if (type.type === 'struct') {
    const members = type.fields.map((field) => optional(anyMaker(field.type, style, dice), field.required))
    return () => members.map((member) => member())
  }
  const longest = dice.pick([1, 3, 3, 8])
  const isMap = type.type === 'map'
  const element = isMap ? anyMaker((asList(type) as { element: IcebergType }).element, style, dice) : undefined
  const each = type.type === 'list' ? optional(anyMaker(type.element, style, dice), type['element-required']) : element!
  return () => {
    const items = Array.from({ length: dice.below(longest + 1) }, each)
    if (!isMap) return items
    // The keys of a map differ from each other.
    const keys = new Map(items.map((item) => [JSON.stringify((item as Plain[])[0]), item]))
    return [...keys.values()]
  }
}

/** `count` values, nulls in the given share, by turns and in runs. */
export function columnValues(field: IcebergField, count: number, style: Style, nulls: number, dice: Dice): Plain[] {
  const next = anyMaker(field.type, style, dice)
  const share = field.required ? 0 : nulls
  const run = dice.pick([1, 1, 40])
  let isNull = false
  return Array.from({ length: count }, (_, row) => {
    if (row % run === 0) isNull = dice.chance(share)
    return isNull ? null : next()
  })
}

/** Numbers fields as it goes; names are plain, or such as mean something to JavaScript or to SQL. */
export class SchemaDice {
  readonly #dice: Dice
  readonly #kinds: readonly string[]
  readonly #maxDepth: number
  #id = 0

  constructor(dice: Dice, kinds: readonly string[] = primitives, maxDepth = 3) {
    this.#dice = dice
    this.#kinds = kinds
    this.#maxDepth = maxDepth
  }

  field(name: string, depth = 0, required: boolean = this.#dice.chance(0.25)): IcebergField {
    const id = ++this.#id
    return { id, name, required, type: this.type(depth) }
  }

  type(depth = 0): IcebergType {
    const dice = this.#dice
    const isNested = depth < this.#maxDepth && dice.chance(0.3)
    if (!isNested) return dice.pick(this.#kinds)
    switch (dice.below(3)) {
      case 0: {
        const id = ++this.#id
        const element = this.type(depth + 1)
        return { type: 'list', 'element-id': id, element, 'element-required': dice.chance(0.3) }
      }
      case 1: {
        const ids = { 'key-id': ++this.#id, 'value-id': ++this.#id }
        const value = this.type(depth + 1)
        return { type: 'map', ...ids, key: dice.pick(keyKinds), value, 'value-required': dice.chance(0.3) }
      }
      default: {
        const members = Array.from({ length: dice.between(1, 3) }, (_, i) =>
          this.field(dice.pick(memberNames) + String(i), depth + 1),
        )
        return { type: 'struct', fields: members }
      }
    }
  }
}

const keyKinds = ['string', 'int', 'long', 'uuid', 'date', 'decimal(9,2)']
const memberNames = ['m', 'größe ', 'a.b', 'select', 'List']

/** Dotted paths of the leaves with their types, as `encodings` and `bloomFilters` name them. */
export function leaves(schema: IcebergSchema): { path: string; type: string; isRepeated: boolean; id: number }[] {
  const below = (type: IcebergType, path: string, id: number, isRepeated: boolean): ReturnType<typeof leaves> => {
    if (typeof type === 'string') return [{ path, type, isRepeated, id }]
    if (type.type === 'struct')
      return type.fields.flatMap((field) => below(field.type, `${path}.${field.name}`, field.id, isRepeated))
    if (type.type === 'list') return below(type.element, `${path}.list.element`, type['element-id'], true)
    return [
      ...below(type.key, `${path}.key_value.key`, type['key-id'], true),
      ...below(type.value, `${path}.key_value.value`, type['value-id'], true),
    ]
  }
  return schema.fields.flatMap((field) => below(field.type, field.name, field.id, false))
}

/** The encodings that a leaf of this type can have. */
export function encodingsOf(type: string): readonly LeafEncoding[] {
  const always = ['auto', 'plain'] as const
  if (type === 'boolean') return [...always, 'rle']
  if (type === 'string' || type === 'binary')
    return [...always, 'dictionary', 'delta-length-byte-array', 'delta-byte-array']
  if (type === 'float' || type === 'double') return [...always, 'dictionary', 'byte-stream-split']
  if (type === 'uuid' || type.startsWith('fixed') || isWideDecimal(type))
    return [...always, 'dictionary', 'delta-byte-array', 'byte-stream-split']
  return [...always, 'dictionary', 'delta-binary-packed', 'byte-stream-split']
}

/** The batch of rows `[start, end)`. */
export function batchOf({ schema, table }: Case, start: number, end: number, dice?: Dice): ColumnBatch {
  const columns = schema.fields.map(({ name, type }, index) => ({
    name,
    column: toColumn(type, table[index]!.slice(start, end), dice),
  }))
  return { length: end - start, columns }
}

export interface Written {
  readonly file: WrittenFile
  readonly bytes: Uint8Array
}

/** Writes a case; with dice, its columns have noise around their values. */
export function write(factory: FileWriterFactory, each: Case, dice?: Dice): Written {
  const chunks: Uint8Array[] = []
  const usesSink = each.options.sink !== undefined
  // The sink's memory may be reused: copied at once, so that a writer that does reuse it is found out.
  const sink = usesSink ? { sink: (bytes: Uint8Array) => void chunks.push(bytes.slice()) } : {}
  const writer = factory.create({ schema: each.schema, ...each.options, ...sink })
  let start = 0
  for (const { rows, ends } of each.batches) {
    writer.write(batchOf(each, start, start + rows, dice))
    if (ends) writer.endRowGroup()
    start += rows
  }
  const file = writer.finish()
  return { file, bytes: usesSink ? Buffer.concat(chunks) : file.bytes }
}
