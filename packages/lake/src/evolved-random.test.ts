/** Whatever others do to the columns of a table, one change after the other: records, scans and counts are what a model says. */
import { eq, nestedFields, schema, t } from '@moulin/core'
import type { Codec, ColdTopic, IcebergField, IcebergType, StoredRecord } from '@moulin/core'
import { avro, json, parquetWriter } from '@moulin/format'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { alter, promoted } from './evolved.test-support.ts'
import { allRows, pick, replaceRows } from './foreign.test-support.ts'
import { readAll, testLog, utf8 } from './lake.test-support.ts'
import type { TestLog } from './lake.test-support.ts'

const Trip = schema({
  id: t.int,
  ratio: t.float.optional(),
  price: t.decimal(7, 2).optional(),
  day: t.date.optional(),
  home: t
    .struct({
      street: t.string.optional(),
      zip: t.int.optional(),
      at: t.struct({ x: t.float.optional(), y: t.int.optional() }).optional(),
    })
    .optional(),
  stops: t.list(t.struct({ name: t.string.optional(), level: t.int.optional() }).optional()).optional(),
  tags: t.map(t.string, t.struct({ weight: t.int.optional(), note: t.string.optional() })).optional(),
})
const codecs = { avro: avro(Trip) as Codec, json: json(Trip) as Codec }

type Value = Record<string, unknown>
const trip = (id: number): Value => ({
  id,
  ratio: id % 3 === 0 ? null : id / 4,
  price: id % 4 === 0 ? null : `${id}.50`,
  day: id % 5 === 0 ? null : `20${10 + (id % 80)}-01-31`,
  home:
    id % 4 === 1
      ? null
      : { street: `s${id}`, zip: id % 2 === 0 ? null : -id, at: id % 3 === 1 ? null : { x: id / 2, y: id } },
  stops:
    id % 6 === 5
      ? null
      : Array.from({ length: id % 3 }, (_, at) => (at === 1 ? null : { name: `n${id}`, level: at - id })),
  tags:
    id % 7 === 6 ? null : new Map(Array.from({ length: id % 2 }, (_, at) => [`t${at}`, { weight: id, note: null }])),
})

/** The value without what is at these paths, of the form `home.at.x`, `stops.element.name`, `tags.value.note`. */
function without(value: unknown, path: readonly string[]): unknown {
  const [step, ...rest] = path
  if (step === undefined || value === null) return null
  if (Array.isArray(value)) return value.map((each) => without(each, rest))
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [key, without(each, rest)]))
  const struct = value as Value
  return { ...struct, [step]: without(struct[step], rest) }
}

/** A field of ours in the table's present schema, and what replaces it there. */
interface Found {
  readonly path: string
  readonly field: IcebergField
}

type Edit = (fields: readonly IcebergField[], above: string) => readonly IcebergField[]

/** The same type with the fields of each struct in it edited. */
function inStructs(type: IcebergType, path: string, paths: ReadonlyMap<number, string>, edit: Edit): IcebergType {
  if (typeof type === 'string') return type
  const below = (id: number, inner: IcebergType): IcebergType => inStructs(inner, paths.get(id) ?? '', paths, edit)
  if (type.type === 'list') return { ...type, element: below(type['element-id'], type.element) }
  if (type.type === 'map') return { ...type, value: below(type['value-id'], type.value) }
  return { ...type, fields: edit(type.fields, path).map((field) => ({ ...field, type: below(field.id, field.type) })) }
}

interface Sent {
  readonly id: number
  readonly hasKey: boolean
  /** Whether its bytes are kept, since values had lost something when it was tiered; undefined until then. */
  keeps: boolean | undefined
}

const FIRST_OF_OTHERS = 9000

class World {
  readonly log: TestLog
  readonly codec: Codec
  topic!: ColdTopic
  readonly sent: Sent[] = []
  readonly gone = new Set<string>()
  readonly #paths = new Map<number, string>()
  #added = FIRST_OF_OTHERS

  constructor(codec: Codec) {
    this.codec = codec
    this.log = testLog({ codec, info: { partitions: 1, partitionBy: [] } })
  }

  async open(): Promise<void> {
    this.topic = await this.log.attach()
    await this.edit((fields, above) => {
      if (above === '') this.#remember(fields, '')
      return fields
    })
  }

  #remember(fields: readonly IcebergField[], above: string): void {
    for (const { id, name, type } of fields) {
      const path = above === '' ? name : `${above}.${name}`
      this.#paths.set(id, path)
      this.#remember(nestedFields(type), path)
    }
  }

  /** Edits the members of every struct, those of the table first. */
  edit(edit: Edit): Promise<void> {
    return alter(this.log, (fields) => {
      const type = inStructs({ type: 'struct', fields }, '', this.#paths, edit)
      return [...nestedFields(type)]
    })
  }

  async tier(count: number): Promise<void> {
    const records = Array.from({ length: count }, () => {
      const id = this.sent.length
      this.sent.push({ id, hasKey: id % 2 === 0, keeps: undefined })
      return { key: id % 2 === 0 ? utf8(`k${id}`) : null, value: this.codec.encode(trip(id)) }
    })
    this.log.hot.send(0, records)
    await this.topic.tier({ upTo: this.log.hot.committedOffsets() })
    const lacksValues = [...this.gone].some((path) => !path.startsWith('_'))
    for (const sent of this.sent) sent.keeps ??= lacksValues
  }

  async apply(kind: Step['kind'], chosen: number): Promise<void> {
    const pickOne = (found: readonly Found[]): Found | undefined => found[chosen % Math.max(1, found.length)]
    const ours: Found[] = []
    await this.edit((fields) => {
      for (const field of fields) {
        const path = this.#paths.get(field.id)
        const isFixed = path === undefined || /^_kafka_(?!key$)/.test(path)
        if (!isFixed) ours.push({ path, field })
      }
      return fields
    })
    const one = pickOne(ours)
    switch (kind) {
      case 'promote':
        return this.edit((fields) =>
          fields.map((field) => (field.id === one?.field.id ? { ...field, type: promoted(field.type) } : field)),
        )
      case 'rename':
        return this.edit((fields) =>
          fields.map((field) => (field.id === one?.field.id ? { ...field, name: `r${chosen}_${field.id}` } : field)),
        )
      case 'move':
        return this.edit((fields) => [
          ...fields.slice(chosen % fields.length),
          ...fields.slice(0, chosen % fields.length),
        ])
      case 'drop':
        return this.edit((fields) => {
          const left = fields.filter(({ id }) => id !== one?.field.id)
          // A struct has a field at least; and without an id nobody knows which record it is.
          if (one === undefined || one.path === 'id' || left.length === fields.length || left.length === 0)
            return fields
          this.gone.add(one.path)
          // Another column of the name.
          return chosen % 2 === 0
            ? left
            : [...left, { ...one.field, id: this.#added++, name: one.path.split('.').at(-1)!, type: 'string' }]
        })
      case 'add':
        return this.edit((fields) => {
          const id = this.#added++
          const type = ['string', 'long', 'variant', 'decimal(20,3)'][chosen % 4]!
          const field = {
            id,
            name: `theirs${id}`,
            required: false,
            type,
            ...(chosen % 4 === 1 && { 'write-default': 5, 'initial-default': 4 }),
          }
          const at = chosen % (fields.length + 1)
          return [...fields.slice(0, at), field, ...fields.slice(at)]
        })
      case 'rewrite': {
        const rows = await readable(this)
        return replaceRows(this.log, [pick(rows, shuffled(rows.length, chosen))], parquetWriter)
      }
      case 'tier':
        return this.tier(3)
    }
  }

  /** What a record must be. */
  expected({ id, hasKey, keeps }: Sent): Pick<StoredRecord, 'key' | 'fidelity'> & { bytes: Uint8Array } {
    const isWhole = keeps === true
    const bytes = this.codec.encode(isWhole ? trip(id) : this.shown(id))
    const key = hasKey && !this.gone.has('_kafka_key') ? utf8(`k${id}`) : null
    const isSame = Buffer.compare(bytes, this.codec.encode(trip(id))) === 0 && (key !== null) === hasKey
    return { key, bytes, fidelity: isSame ? 'exact' : 'degraded' }
  }

  shown(id: number): Value {
    let value: unknown = trip(id)
    for (const path of this.gone) if (!path.startsWith('_')) value = without(value, path.split('.'))
    return value as Value
  }
}

function shuffled(length: number, seed: number): number[] {
  const all = Array.from({ length }, (_, at) => at)
  return all.sort((a, b) => ((a * 7 + seed) % 5) - ((b * 7 + seed) % 5) || b - a)
}

/** All rows; what nobody here can write is left out. */
async function readable(world: World): ReturnType<typeof allRows> {
  await world.edit((fields) => fields.filter(({ type }) => type !== 'variant'))
  return allRows(world.log)
}

async function check(world: World, topic: ColdTopic): Promise<void> {
  const records = await readAll(topic, 0)
  const seen = records.map(({ key, bytes, fidelity }) => ({ key, bytes: Buffer.from(bytes!), fidelity }))
  expect(seen).toEqual(
    world.sent.map((sent) => ({ ...world.expected(sent), bytes: Buffer.from(world.expected(sent).bytes) })),
  )
  const columns = ['_kafka_offset', ...Trip.fields.map(({ name }) => name)]
  const rows = (await topic.scan({ columns }).toArray()).sort(
    (a, b) => Number(a['_kafka_offset']) - Number(b['_kafka_offset']),
  )
  expect(rows).toEqual(world.sent.map(({ id }) => ({ _kafka_offset: BigInt(id), ...world.shown(id) })))
  expect(await topic.scan({ where: eq('id', 1) }).count()).toBe(1)
  expect(await topic.scan({}).count()).toBe(world.sent.length)
  const audit = await topic.audit({ deep: true })
  expect(audit.clean).toBe(true)
}

interface Step {
  readonly kind: 'promote' | 'rename' | 'move' | 'drop' | 'add' | 'rewrite' | 'tier'
  readonly chosen: number
}
const step = fc.record({
  kind: fc.constantFrom<Step['kind'][]>(
    'promote',
    'promote',
    'rename',
    'rename',
    'move',
    'drop',
    'add',
    'rewrite',
    'rewrite',
    'tier',
    'tier',
  ),
  chosen: fc.nat(1000),
})

it('columns that others change at random', { timeout: 1_800_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('avro' as const, 'json' as const),
      fc.array(step, { minLength: 1, maxLength: 12 }),
      async (format, steps) => {
        const world = new World(codecs[format])
        await world.open()
        await world.tier(5)
        for (const { kind, chosen } of steps) {
          await world.apply(kind, chosen)
          await check(world, world.topic)
        }
        await check(world, await world.log.reopen().attach())
      },
    ),
    { numRuns: process.env['MOULIN_LONG'] === '1' ? 500 : 12, endOnFailure: true },
  )
})
