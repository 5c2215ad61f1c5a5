/**
 * Rows of the table that are deleted, through all of the real log: wherever rows are read or counted, they are gaps, and nothing else is
 * different. What is deleted is given by the test, where nothing but that answer knows of it, or by files of deletes in the table.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import type { Table } from 'apache-arrow'
import fc from 'fast-check'
import { objectStoreCatalog } from '@moulin/catalog'
import { eq, keyOf, schema, systemRuntime, t, tableFiles, tableIdentifier } from '@moulin/core'
import type { Catalog, ColumnBatch, IcebergField, Log, LogRecord, ObjectStore, Topic } from '@moulin/core'
import { avro, openParquet, parquetWriter, storeRangeReader } from '@moulin/format'
import type { FileWriterFactory } from '@moulin/format'
import { currentSchema, planScan, rowMask } from '@moulin/iceberg'
import type { DataFile, DeletesOf, RowMask } from '@moulin/iceberg'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { allRows, foreignAppend, numbersOf, pick, replaceRows } from '../packages/lake/src/foreign.test-support.ts'
import { tierWith } from '../packages/lake/src/iceberg-tier.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'
import { commitDeletes, newEquality, newPositions, newVectors } from './deletes/foreign-deletes.ts'
import type { NewDeletes } from './deletes/foreign-deletes.ts'

const Ride = schema({ id: t.int53, city: t.string })
type Ride = { id: number; city: string }
const codec = avro(Ride)
const runtime = systemRuntime()
const PARTITIONS = 2
const CITIES = ['Oslo', 'Rome', 'Lima']

/** Another form of what `rowMask` makes: a byte for every row of the file. */
class ByteMask implements RowMask {
  readonly key: string
  readonly #isDeleted: readonly boolean[]

  constructor(key: string, isDeleted: readonly boolean[]) {
    this.key = key
    this.#isDeleted = isDeleted
  }

  get size(): number {
    return this.countIn(0, this.#isDeleted.length)
  }

  countIn(start: number, end: number): number {
    return this.#isDeleted.slice(start, end).filter(Boolean).length
  }

  leftIn(start: number, end: number): Int32Array | undefined {
    const left = Array.from({ length: end - start }, (_, at) => at).filter((at) => !this.#isDeleted[start + at])
    return left.length === end - start ? undefined : Int32Array.from(left)
  }
}

/** What is deleted, by file. */
class Masks {
  readonly #rows = new Map<string, readonly boolean[]>()
  isBytes = false

  set(path: string, isDeleted: readonly boolean[]): void {
    this.#rows.set(path, isDeleted)
  }

  of(path: string): readonly boolean[] {
    return this.#rows.get(path) ?? []
  }

  readonly deletesOf: DeletesOf = ({ listed }) => {
    const isDeleted = this.of(listed.file.filePath)
    if (!isDeleted.includes(true)) return Promise.resolve(undefined)
    const key = isDeleted.map(Number).join('')
    const positions = isDeleted.flatMap((is, row) => (is ? [row] : []))
    return Promise.resolve(this.isBytes ? new ByteMask(key, isDeleted) : rowMask(key, positions))
  }
}

/** The writer, with no more than so many rows in a row group. */
function inPieces(factory: FileWriterFactory, most: number): FileWriterFactory {
  return {
    name: factory.name,
    create(options) {
      const writer = factory.create(options)
      const writeRowGroup = (batch: ColumnBatch): void => {
        for (let start = 0; start < batch.length; start += most) {
          const rows = Array.from({ length: Math.min(most, batch.length - start) }, (_, at) => start + at)
          writer.writeRowGroup(pick(batch, rows))
        }
      }
      return {
        write: writeRowGroup,
        writeRowGroup,
        endRowGroup: () => writer.endRowGroup(),
        finish: () => writer.finish(),
        get sizeBytes() {
          return writer.sizeBytes
        },
        get isFull() {
          return writer.isFull
        },
      }
    },
  }
}

interface Sent {
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: bigint
  readonly id: number
  readonly city: string
}

/** A log, all that was sent to it, and which of it is in the table. */
class World {
  readonly masks = new Masks()
  readonly sent: Sent[] = []
  log!: Log
  topic!: Topic<Ride>
  readonly #store: ObjectStore
  readonly #catalog: Catalog
  tiered: readonly bigint[] = [0n, 0n]
  #commits = 0

  constructor(root: string) {
    this.#store = fileSystem({ root, files: runtime.files })
    this.#catalog = objectStoreCatalog({ store: this.#store, runtime })
  }

  /** @param by Who says what is deleted: the test, or files of deletes. */
  async open(root: string, rowsInGroup: number, by: 'masks' | 'files'): Promise<void> {
    const fileWriter = inPieces(parquetWriter, rowsInGroup)
    const options = { catalog: this.#catalog, threads: 0, fileWriter, coldReadBytes: 2_000 }
    this.log = await openLog({
      store: this.#store,
      wal: fileWal({ dir: join(root, 'log/wal'), segmentBytes: 64 * 1024 }),
      tier: tierWith(options, by === 'masks' ? this.masks : {}),
      runtime,
      graceMs: 0,
      limits: { sharedRowGroupBytes: 1 },
    })
    const config = { value: codec, partitions: PARTITIONS, table: 'city.rides', partitionBy: [] }
    this.topic = (await this.log.ensureTopic('rides', config)) as Topic<Ride>
  }

  /** What another engine needs of it. */
  get foreign(): TestLog {
    const info = { table: 'city.rides' }
    return { store: this.#store, catalog: this.#catalog, runtime, info } as unknown as TestLog
  }

  /** Every so manieth record goes to the second partition: halves make files whose rows are all known to count by their bounds. */
  async send(count: number, shuffle: number, each = 3): Promise<void> {
    const producer = this.topic.producer({ lingerMs: 0 })
    const base = runtime.clock.now()
    for (let at = 0; at < count; at++) {
      const partition = at % each === 0 ? 1 : 0
      const id = this.sent.length
      // In no order.
      const timestamp = BigInt(base - ((id * shuffle) % 97) * 1000)
      const city = CITIES[(id * 7) % 3]!
      const { offset } = await producer.send({ value: { id, city }, partition, timestamp })
      this.sent.push({ partition, offset, timestamp, id, city })
    }
    await producer.close()
  }

  async tier(): Promise<void> {
    await this.topic.tier()
    await this.log.releaseNow()
    this.tiered = [0, 1].map((partition) => BigInt(this.sent.filter((row) => row.partition === partition).length))
  }

  async files(): Promise<DataFile[]> {
    const { metadata } = await this.#catalog.loadTable(tableIdentifier('city.rides'))
    const files: DataFile[] = []
    for await (const { file } of planScan({ tableFiles: tableFiles(this.#store), metadata })) files.push(file)
    return files
  }

  /** All of the file's rows, read past everything that is tested here. */
  async placesIn({ filePath, fileSizeBytes }: DataFile): Promise<string[]> {
    const { metadata } = await this.#catalog.loadTable(tableIdentifier('city.rides'))
    const types = currentSchema(metadata).fields.filter(({ name }) => name.startsWith('_kafka_'))
    const key = keyOf(this.#store, filePath)
    const file = await openParquet(storeRangeReader(this.#store, key, Number(fileSizeBytes)))
    const places: string[] = []
    for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
      const batch = await file.read({ rowGroup, types })
      const [partitions, offsets] = ['_kafka_partition', '_kafka_offset'].map((name) => numbersOf(batch, name))
      for (let row = 0; row < batch.length; row++) places.push(`${partitions![row]}:${offsets![row]}`)
    }
    return places
  }

  /** Deletes other rows than before, and lets a snapshot say so. */
  async mask(choose: (place: string) => boolean, form: Form): Promise<void> {
    const rows = new Map<string, readonly number[]>()
    const places = new Set<string>()
    for (const file of await this.files()) {
      const all = await this.placesIn(file)
      const isDeleted = all.map((place) => choose(place))
      this.masks.set(file.filePath, isDeleted)
      const chosen = all.flatMap((_, row) => (isDeleted[row] === true ? [row] : []))
      if (chosen.length > 0) rows.set(file.filePath, chosen)
      for (const row of chosen) places.add(all[row]!)
    }
    if (form === 'list' || form === 'bytes') {
      this.masks.isBytes = form === 'bytes'
      await foreignAppend(this.foreign)
      return
    }
    const table = { store: this.#store, catalog: this.#catalog, table: 'city.rides' }
    const { metadata } = await this.#catalog.loadTable(tableIdentifier('city.rides'))
    const keys = currentSchema(metadata).fields.filter(
      ({ name }) => name === '_kafka_partition' || name === '_kafka_offset',
    )
    await commitDeletes(table, `${form}-${this.#commits++}`, (folder) => filesOf(form, folder, rows, [...places], keys))
  }

  /** Another engine writes all rows anew that it sees, in another order. */
  async rewrite(rowsInGroup: number): Promise<void> {
    const rows = await allRows(this.foreign)
    const [partitions, offsets] = ['_kafka_partition', '_kafka_offset'].map((name) => numbersOf(rows, name))
    const gone = await this.deleted()
    const kept = Array.from({ length: rows.length }, (_, at) => (at * 7) % rows.length)
      .filter((row, at, all) => all.indexOf(row) === at)
      .filter((row) => !gone.has(`${partitions![row]}:${offsets![row]}`))
    await replaceRows(this.foreign, [pick(rows, kept)], inPieces(parquetWriter, rowsInGroup))
  }

  async deleted(): Promise<Set<string>> {
    const gone = new Set<string>()
    for (const file of await this.files()) {
      const isDeleted = this.masks.of(file.filePath)
      for (const [row, place] of (await this.placesIn(file)).entries()) if (isDeleted[row] === true) gone.add(place)
    }
    return gone
  }

  async dropMarker(): Promise<void> {
    const identifier = tableIdentifier('city.rides')
    const { metadata } = await this.#catalog.loadTable(identifier)
    const removals = Object.keys(metadata.properties ?? {}).filter((name) => name.startsWith('moulin.'))
    await this.#catalog.commitTable(identifier, {
      requirements: [],
      updates: [{ action: 'remove-properties', removals }],
    })
  }
}

/** Of a mask that the test gives, or of files that a stranger writes. */
type Form = 'list' | 'bytes' | FileForm
type FileForm = 'positions' | 'vectors' | 'runs' | 'equality' | 'both'

/** All deletes of the table, in files of that form. */
function filesOf(
  form: FileForm,
  folder: string,
  rows: ReadonlyMap<string, readonly number[]>,
  places: readonly string[],
  keys: readonly IcebergField[],
): readonly NewDeletes[] {
  const equality = (some: readonly string[]): NewDeletes => {
    const values = some.map((place) => place.split(':').map(Number)).map(([at, offset]) => [at!, BigInt(offset!)])
    return newEquality(`${folder}-e.parquet`, keys, values)
  }
  switch (form) {
    case 'positions':
      return [newPositions(`${folder}-p.parquet`, rows)]
    case 'vectors':
    case 'runs':
      return [newVectors(`${folder}-v.puffin`, rows, form === 'runs')]
    case 'equality':
      return [equality(places)]
    case 'both': {
      const some = new Map(Array.from(rows, ([path, all]) => [path, all.filter((row) => row % 2 === 0)] as const))
      return [newPositions(`${folder}-p.parquet`, some), equality(places)]
    }
  }
}

const placeOf = ({ partition, offset }: { partition: number; offset: bigint }): string => `${partition}:${offset}`
const byPlace = (a: Sent, b: Sent): number => a.partition - b.partition || Number(a.offset - b.offset)
const plain = ({ partition, offset, timestamp, value, fidelity }: LogRecord<Ride>): unknown[] => [
  partition,
  offset,
  timestamp,
  { ...value! },
  fidelity,
]
const asRead = ({ partition, offset, timestamp, id, city }: Sent): unknown[] => [
  partition,
  offset,
  timestamp,
  { id, city },
  'exact',
]
const flat = (rows: Iterable<Record<string, unknown>>): unknown[] =>
  [...rows]
    .map((row) => [Number(row['_kafka_partition']), Number(row['_kafka_offset']), Number(row['id']), row['city']])
    .sort((a, b) => (a[0] as number) - (b[0] as number) || (a[1] as number) - (b[1] as number))
const asScanned = ({ partition, offset, id, city }: Sent): unknown[] => [partition, Number(offset), id, city]

async function read(topic: Topic<Ride>, partition: number, from: bigint | { timestamp: bigint }): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const record of topic.read({ partition, from, to: 'end' })) found.push(plain(record))
  return found
}

/** Holds every way to read against what is left. */
async function check(world: World, gone: ReadonlySet<string>, isAdopted = false): Promise<void> {
  const { topic, sent, tiered } = world
  const left = sent.filter((row) => !gone.has(placeOf(row))).sort(byPlace)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const own = left.filter((row) => row.partition === partition)
    expect(await read(topic, partition, 0n)).toEqual(own.map(asRead))
    const middle = tiered[partition]! / 2n
    for (const from of [1n, middle, middle + 1n]) {
      expect(await read(topic, partition, from)).toEqual(own.filter(({ offset }) => offset >= from).map(asRead))
    }
    for (const { timestamp } of sent.filter((_, at) => at % 11 === 3)) {
      const first = own.find((row) => row.timestamp >= timestamp)?.offset
      const later = own.filter(({ offset }) => first !== undefined && offset >= first)
      expect(await read(topic, partition, { timestamp })).toEqual(later.map(asRead))
    }
  }
  const positions = sent.toReversed().map(({ partition, offset }) => ({ partition, offset }))
  const found: unknown[] = []
  for await (const record of topic.readAt([...positions, ...positions.slice(0, 2)])) found.push(record && plain(record))
  const wanted = sent.toReversed().map((row) => (gone.has(placeOf(row)) ? undefined : asRead(row)))
  expect(found).toEqual([...wanted, ...wanted.slice(0, 2)])

  const columns = ['_kafka_partition', '_kafka_offset', 'id', 'city'] as const
  const queries = [
    { options: {}, some: left },
    { options: { where: eq('city', 'Rome') }, some: left.filter(({ city }) => city === 'Rome') },
    { options: { where: eq('id', 3) }, some: left.filter(({ id }) => id === 3) },
  ] as const
  for (const { options, some } of queries) {
    expect(flat(await topic.scan({ columns: [...columns], ...options }).toArray())).toEqual(some.map(asScanned))
    expect(await topic.scan(options).count()).toBe(some.length)
    const arrow = await topic.scan({ columns: [...columns], ...options }).toArrow<Table>()
    expect(flat(arrow.toArray() as Record<string, unknown>[])).toEqual(some.map(asScanned))
    const ipc = tableFromIPC(await topic.scan({ columns: [...columns], ...options }).toIpc())
    expect(ipc.numRows).toBe(some.length)
  }

  for (const deep of [false, true]) {
    const report = await topic.audit({ deep })
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const ofTable = left.filter((row) => row.partition === partition && row.offset < tiered[partition]!)
      const lacking = tiered[partition]! - BigInt(ofTable.length)
      const audited = report.partitions.find((each) => each.partition === partition)
      expect(audited).toMatchObject({ rows: BigInt(ofTable.length), deleted: isAdopted ? 0n : lacking, unseen: 0n })
      const gaps = report.gaps.filter((gap) => gap.partition === partition)
      expect(gaps.flatMap(({ from, to }) => offsetsIn(from, to))).toEqual(
        offsetsIn(0n, tiered[partition]!).filter((offset) => gone.has(placeOf({ partition, offset }))),
      )
      expect(gaps.every(({ reason }) => reason === (isAdopted ? 'skipped' : 'deleted'))).toBe(true)
    }
    if (deep) expect(report.deep).toMatchObject({ mismatched: 0n, doubledRows: 0n, unproven: 0n })
    expect(report.clean).toBe(isAdopted || gone.size === 0)
  }
}

const offsetsIn = (from: bigint, to: bigint): bigint[] =>
  Array.from({ length: Number(to - from) }, (_, at) => from + BigInt(at))

let root: string
const open: Log[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-masked-'))
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close().catch(() => {})
  await rm(root, { recursive: true })
})

const masked = [
  { by: 'masks', forms: ['list', 'bytes'], last: 'bytes' },
  { by: 'files', forms: ['positions', 'vectors', 'runs', 'equality', 'both'], last: 'equality' },
] as const

it.each(masked)('rows that $by delete are gaps, and nothing else changes', { timeout: 300_000 }, async (how) => {
  const { by, forms, last } = how
  const step = fc.record({
    kind: fc.constantFrom('mask', 'mask', 'tier', 'rewrite'),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    share: fc.constantFrom(2, 3, 9),
    form: fc.constantFrom<Form>(...forms),
  })
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(3, 5, 1000),
      async (steps, rowsInGroup) => {
        const folder = join(root, String(run++))
        const world = new World(folder)
        await world.open(folder, rowsInGroup, by)
        open.push(world.log)
        await world.send(40, 31, 2)
        await world.tier()
        for (const { kind, seed, share, form } of [
          { kind: 'mask', seed: 7, share: 3, form: forms[0] },
          ...steps,
          { kind: 'mask', seed: 8, share: 4, form: last },
        ]) {
          if (kind === 'tier') {
            await world.send(10 + (seed % 10), seed)
            await world.tier()
          } else if (kind === 'rewrite') {
            await world.rewrite(rowsInGroup)
          } else {
            // What is gone by a rewrite stays gone.
            await world.mask((place) => hash(place, seed) % share === 0, form)
          }
          await world.send(2, seed)
          await check(world, await goneIn(world))
        }
        await world.dropMarker()
        const gone = await goneIn(world)
        const adopted = await world.topic.adoptTable()
        expect(adopted).toMatchObject({ outcome: 'recounted', skippedOffsets: BigInt(gone.size) })
        await check(world, gone, true)
        await world.log.close()
      },
    ),
    // Small as they are, cases are not made smaller: that takes minutes.
    { numRuns: 6, endOnFailure: true },
  )
})

/** Offsets of what was tiered that no row of the table has, or only a deleted one. */
async function goneIn(world: World): Promise<Set<string>> {
  const there = new Set<string>()
  for (const file of await world.files()) {
    const isDeleted = world.masks.of(file.filePath)
    for (const [row, place] of (await world.placesIn(file)).entries()) if (isDeleted[row] !== true) there.add(place)
  }
  const tiered = world.sent.filter(({ partition, offset }) => offset < world.tiered[partition]!)
  return new Set(tiered.map(placeOf).filter((place) => !there.has(place)))
}

function hash(text: string, seed: number): number {
  let sum = seed
  for (const char of text) sum = (Math.imul(sum, 31) + char.charCodeAt(0)) >>> 0
  return Math.imul(sum ^ (sum >>> 15), 0x9e3779b1) >>> 8
}
