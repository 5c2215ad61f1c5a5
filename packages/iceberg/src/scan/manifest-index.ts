import { corrupt, isKind } from '@moulin/core'
import { AvroReader, openAvroFile } from '@moulin/format'
import { optionalAt, type AvroRow } from '../manifests/avro-records.ts'
import type { DataFile, ManifestFile } from '../manifests/data-file.ts'
import type { EntryLayout } from '../manifests/entry-layout.ts'
import { entryIds } from '../manifests/manifest-schema.ts'
import {
  checkManifest,
  dataFileFromAvro,
  inheritedBy,
  manifestName,
  rowIds,
  statusOf,
} from '../manifests/read-manifest.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { primitiveOf } from '../values/primitive-type.ts'
import type { BoundColumn, Predicate } from './predicate.ts'
import {
  bothFacts,
  fileFacts,
  metricsMightMatch,
  mightMatch,
  partitionMightMatch,
  type ColumnFacts,
} from './pruning.ts'

/** A live file of a manifest. */
export interface IndexedFile {
  readonly file: DataFile
  readonly sequenceNumber: bigint
  readonly snapshotId: bigint
}

/** Files whose facts are kept together. */
const ZONE = 64
/** What the facts of a column in a zone take, about. */
const FACTS_BYTES = 150

/** What is known of columns in some rows, by {@link columnKey}. */
export type Facts = ReadonlyMap<string, ColumnFacts>

/**
 * The live files of one manifest, which never changes: its Avro blocks as they are without compression, where in them each file's entry
 * begins, and of columns that were asked for what zones of files say. A file is made of its entry when it is given.
 */
export class ManifestIndex {
  readonly count: number
  readonly #manifest: ManifestFile
  readonly #layout: EntryLayout
  readonly #blocks: readonly Uint8Array[]
  readonly #blockOf: Uint32Array
  readonly #starts: Uint32Array
  readonly #firstRowIds: BigInt64Array | undefined
  readonly #zones = new Map<string, readonly ColumnFacts[]>()
  /** As they were read, until {@link settle}. */
  #fresh: readonly IndexedFile[] | undefined

  constructor(manifest: ManifestFile, layout: EntryLayout, read: ReadEntries) {
    this.count = read.files.length
    this.#manifest = manifest
    this.#layout = layout
    this.#blocks = read.blocks
    this.#blockOf = Uint32Array.from(read.blockOf)
    this.#starts = Uint32Array.from(read.starts)
    const hasRowIds = manifest.firstRowId !== undefined
    this.#firstRowIds = hasRowIds ? BigInt64Array.from(read.files, ({ file }) => file.firstRowId!) : undefined
    this.#fresh = read.files
  }

  /** Of memory, about. */
  get sizeBytes(): number {
    const blocks = this.#blocks.reduce((sum, { length }) => sum + length, 0)
    const zones = this.#zones.size * Math.ceil(this.count / ZONE)
    return blocks + this.count * 16 + zones * FACTS_BYTES + 1000
  }

  /** Lets go of what was made of the entries when they were read. */
  settle(): void {
    this.#fresh = undefined
  }

  /** The files of which some rows may match. */
  *matching(residual: Predicate, ofPartition: Predicate, spec: BoundPartitionSpec): Generator<IndexedFile> {
    const columns = columnsOf(residual)
    this.#learn(columns, spec)
    for (let zone = 0; zone * ZONE < this.count; zone++) {
      const factsOf = (column: BoundColumn): ColumnFacts => this.#zones.get(columnKey(column))![zone]!
      if (!mightMatch(residual, factsOf)) continue
      const end = Math.min(this.count, (zone + 1) * ZONE)
      for (let at = zone * ZONE; at < end; at++) {
        const found = this.#file(at, spec)
        if (partitionMightMatch(ofPartition, found.file.partition) && metricsMightMatch(residual, found.file))
          yield found
      }
    }
  }

  /** Of the columns that a predicate is about, over all files. */
  facts(predicate: Predicate, spec: BoundPartitionSpec): Facts {
    const columns = columnsOf(predicate)
    this.#learn(columns, spec)
    return new Map(
      columns.flatMap((column): [string, ColumnFacts][] => {
        const [first, ...rest] = this.#zones.get(columnKey(column))!
        return first === undefined ? [] : [[columnKey(column), rest.reduce(bothFacts, first)]]
      }),
    )
  }

  #learn(columns: readonly BoundColumn[], spec: BoundPartitionSpec): void {
    const unknown = columns.filter((column) => !this.#zones.has(columnKey(column)))
    if (unknown.length === 0) return
    const zones = unknown.map((): ColumnFacts[] => [])
    const types = unknown.map(({ type }) => primitiveOf(type))
    for (let at = 0; at < this.count; at++) {
      const { file } = this.#file(at, spec)
      for (const [index, column] of unknown.entries()) {
        const facts = fileFacts(file, column, types[index])
        if (at % ZONE === 0) zones[index]!.push(facts)
        else zones[index]!.push(bothFacts(zones[index]!.pop()!, facts))
      }
    }
    for (const [index, column] of unknown.entries()) this.#zones.set(columnKey(column), zones[index]!)
  }

  #file(at: number, spec: BoundPartitionSpec): IndexedFile {
    const fresh = this.#fresh?.[at]
    if (fresh !== undefined) return fresh
    const block = this.#blocks[this.#blockOf[at]!]!
    const reader = new AvroReader(block, this.#starts[at]!, block.length, `The manifest ${this.#manifest.path}`)
    const found = indexedFile(this.#layout.read(reader), this.#layout, this.#manifest, spec)!
    return withRowId(found, this.#firstRowIds?.[at])
  }
}

/** What is read of a manifest to make an index of it. */
interface ReadEntries {
  readonly blocks: Uint8Array[]
  readonly blockOf: number[]
  readonly starts: number[]
  readonly files: IndexedFile[]
}

/**
 * Reads the live files of a data manifest. `layoutOf` knows how the entries of an Avro schema are read.
 * @throws as `readManifest`.
 */
export function indexManifest(
  bytes: Uint8Array,
  manifest: ManifestFile,
  spec: BoundPartitionSpec,
  layoutOf: (schemaText: string) => EntryLayout,
): ManifestIndex {
  const what = manifestName(bytes, manifest)
  const { schemaText, metadata, blocks } = openAvroFile(bytes, what)
  checkManifest(metadata, 'data', what)
  const read: ReadEntries = { blocks: [], blockOf: [], starts: [], files: [] }
  const rowIdOf = rowIds(manifest)
  try {
    const layout = layoutOf(schemaText)
    for (const { count, reader } of blocks(layout.recordBytes)) {
      const block = read.blocks.push(reader.bytes) - 1
      for (let record = 0; record < count; record++) {
        const start = reader.position
        const found = indexedFile(layout.read(reader), layout, manifest, spec)
        if (found === undefined) continue
        read.blockOf.push(block)
        read.starts.push(start)
        read.files.push(withRowId(found, rowIdOf(found.file)))
      }
    }
    return new ManifestIndex(manifest, layout, read)
  } catch (error) {
    // What is known of a layout is shared by all manifests that have it.
    if (!isKind(error, 'corrupt') || error.message.includes(manifest.path)) throw error
    throw corrupt(error.code, `${what}: ${error.message}`, { cause: error })
  }
}

/** Undefined for what is not live. */
function indexedFile(
  row: AvroRow,
  { shapes }: EntryLayout,
  manifest: ManifestFile,
  spec: BoundPartitionSpec,
): IndexedFile | undefined {
  const status = statusOf(row, shapes)
  if (status === 'deleted') return undefined
  const { sequenceNumber, snapshotId } = inheritedBy(row, status, shapes, manifest)
  const file = dataFileFromAvro(optionalAt(shapes.entry, row, entryIds.dataFile) as AvroRow, shapes, spec)
  return { file, sequenceNumber: sequenceNumber!, snapshotId }
}

function withRowId(found: IndexedFile, firstRowId: bigint | undefined): IndexedFile {
  return found.file.firstRowId === firstRowId ? found : { ...found, file: { ...found.file, firstRowId } }
}

/** False only where the facts tell, of all columns that the predicate is about. */
export function factsMightMatch(predicate: Predicate, facts: Facts): boolean {
  if (!columnsOf(predicate).every((column) => facts.has(columnKey(column)))) return true
  return mightMatch(predicate, (column) => facts.get(columnKey(column))!)
}

/** Bytes of memory, about, that they take. */
export const factsBytes = (facts: Facts): number => 100 + facts.size * FACTS_BYTES

const columnKey = ({ id, type }: BoundColumn): string => `${id} ${typeof type === 'string' ? type : ''}`

/** Metrics are of leaves: of nested columns nothing is known. */
function columnsOf(predicate: Predicate): BoundColumn[] {
  switch (predicate.op) {
    case 'true':
    case 'false':
      return []
    case 'and':
    case 'or': {
      const all = predicate.args.flatMap(columnsOf)
      return all.filter((column, at) => all.findIndex((other) => columnKey(other) === columnKey(column)) === at)
    }
    default:
      return typeof predicate.column.type === 'string' ? [predicate.column] : []
  }
}
