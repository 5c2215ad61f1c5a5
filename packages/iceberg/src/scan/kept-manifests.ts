import { isKind, notFound, stringifyJson, type Snapshot, type TableFiles } from '@moulin/core'
import type { DataFile, DeleteFile, ManifestFile } from '../manifests/data-file.ts'
import { entryLayout, type EntryLayout } from '../manifests/entry-layout.ts'
import { readManifestList } from '../manifests/manifest-list.ts'
import { describedManifest, readDeleteManifest } from '../manifests/read-manifest.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { deleteIndex, FILE_PATH_ID, type DeleteIndex } from './delete-index.ts'
import {
  factsBytes,
  factsMightMatch,
  indexManifest,
  type Facts,
  type IndexedFile,
  type ManifestIndex,
} from './manifest-index.ts'
import type { Predicate } from './predicate.ts'

/**
 * Room for what was read of a table's manifests and manifest lists, which never change: the next plan reads only those that are new. What
 * is kept there is nobody else's business; the least used may be forgotten at any time.
 */
export interface ManifestRoom {
  /** What the manifests hold. */
  readonly files: Shelf
  /** What is little and asked for by every plan: it must not go for the sake of files. */
  readonly facts: Shelf
}

interface Shelf {
  get(name: string): unknown
  /** @param sizeBytes Of memory, about. */
  add(name: string, value: unknown, sizeBytes: number): void
}

/** A spec, and the predicate projected onto it. */
export interface SpecPlan {
  readonly spec: BoundPartitionSpec
  readonly predicate: Predicate
}

export interface KeptManifestsParts {
  readonly tableFiles: Pick<TableFiles, 'get' | 'spellings'>
  readonly room: ManifestRoom | undefined
  readonly skip: (location: string) => boolean
  readonly specOf: (specId: number) => BoundPartitionSpec
  readonly maxInFlight: number
  readonly signal: AbortSignal
}

/** What a description and what an entry of a manifest take of memory, about. */
const MANIFEST_BYTES = 500
const DELETE_BYTES = 1000

/** The manifests of a table as one plan sees them: what was kept is not read again. */
export class KeptManifests {
  readonly #parts: KeptManifestsParts

  constructor(parts: KeptManifestsParts) {
    this.#parts = parts
  }

  async of(snapshot: Snapshot): Promise<readonly ManifestFile[]> {
    const { 'manifest-list': path, manifests } = snapshot
    if (manifests === undefined) {
      return this.#kept(`list ${path}`, async () => {
        const list = readManifestList(await this.#read(path), { path })
        return [list, list.length * MANIFEST_BYTES]
      })
    }
    const present = manifests.filter((manifest) => !this.#parts.skip(manifest))
    const snapshotId = BigInt(snapshot['snapshot-id'])
    return this.#inParts(present, (manifest) =>
      this.#kept(`described ${snapshotId} ${manifest}`, async () => {
        return [describedManifest(await this.#read(manifest), manifest, snapshotId), MANIFEST_BYTES]
      }),
    )
  }

  /** What is deleted in files of the manifests' snapshot, which is named by its manifest list. */
  async deletes(manifests: readonly ManifestFile[], list: string): Promise<DeleteIndex> {
    const { tableFiles, specOf } = this.#parts
    const live = manifests.filter(mayDelete)
    if (live.length === 0) return deleteIndex([], { tableFiles, specOf })
    const types = [...new Set(live.map(({ specId }) => specId))].map((specId) => typesOf(specOf(specId)))
    return this.#kept(`delete-index ${types.join()} ${list}`, async () => {
      const files = (await this.#inParts(live, (manifest) => this.#deleteFiles(manifest))).flat()
      return [deleteIndex(files, { tableFiles, specOf }), sizeOf(files)]
    })
  }

  /** Files of a data manifest of which some rows may match; at once where it is kept. */
  matching(
    manifest: ManifestFile,
    residual: Predicate,
    { spec, predicate }: SpecPlan,
  ): IndexedFiles | Promise<IndexedFiles> {
    const { room } = this.#parts
    const name = nameOf(manifest)
    // Even where the index had to make room, what it says of the columns that are asked for again and again is still there.
    const facts = room?.facts.get(name) as Facts | undefined
    if (facts !== undefined && !factsMightMatch(residual, facts)) return []
    const known = room?.files.get(name) as ManifestIndex | undefined
    const knownBytes = known?.sizeBytes
    const found = (index: ManifestIndex): IndexedFiles => {
      const files = [...index.matching(residual, predicate, spec)]
      index.settle()
      if (room !== undefined && residual.op !== 'true') {
        const learned = new Map([...(facts ?? []), ...index.facts(residual, spec)])
        room.facts.add(name, learned, factsBytes(learned))
      }
      // It learns of columns that were not asked for before.
      if (index.sizeBytes !== knownBytes) room?.files.add(name, index, index.sizeBytes)
      return files
    }
    return known === undefined ? this.#index(manifest, spec).then(found) : found(known)
  }

  async #index(manifest: ManifestFile, spec: BoundPartitionSpec): Promise<ManifestIndex> {
    return indexed(await this.#read(manifest.path), manifest, spec, this.#parts.room)
  }

  #deleteFiles(manifest: ManifestFile): Promise<readonly DeleteFile[]> {
    const spec = this.#parts.specOf(manifest.specId)
    return this.#kept(`deletes ${typesOf(spec)} ${nameOf(manifest)}`, async () => {
      const bytes = await this.#read(manifest.path)
      const files = readDeleteManifest(bytes, { manifest, spec }).map(withMetricsAsked)
      return [files, sizeOf(files)]
    })
  }

  async #kept<T>(name: string, read: () => Promise<readonly [T, sizeBytes: number]>): Promise<T> {
    const { room } = this.#parts
    const known = room?.files.get(name) as T | undefined
    if (known !== undefined) return known
    const [value, sizeBytes] = await read()
    room?.files.add(name, value, sizeBytes)
    return value
  }

  /** The results in order, some at a time under way. */
  async #inParts<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
    const { maxInFlight } = this.#parts
    const results: R[] = []
    for (let at = 0; at < items.length; at += maxInFlight)
      results.push(...(await Promise.all(items.slice(at, at + maxInFlight).map(work))))
    return results
  }

  async #read(location: string): Promise<Uint8Array> {
    const { tableFiles, signal } = this.#parts
    try {
      return (await tableFiles.get(location, { signal })).bytes
    } catch (cause) {
      if (!isKind(cause, 'not-found')) throw cause
      const message = `${location} is gone: the snapshot has expired, or the table lost a file. Load the table again.`
      throw notFound('TABLE_FILE', message, { context: { uri: location }, cause })
    }
  }
}

/** The live files of a data manifest that was just read, as `planScan` gives them; kept for it. @throws as `readManifest`. */
export function readDataFiles(
  bytes: Uint8Array,
  manifest: ManifestFile,
  spec: BoundPartitionSpec,
  room: ManifestRoom | undefined,
): DataFile[] {
  const index = indexed(bytes, manifest, spec, room)
  const files = Array.from(index.matching(all, all, spec), ({ file }) => file)
  index.settle()
  room?.files.add(nameOf(manifest), index, index.sizeBytes)
  return files
}

const all: Predicate = { op: 'true' }

function indexed(
  bytes: Uint8Array,
  manifest: ManifestFile,
  spec: BoundPartitionSpec,
  room: ManifestRoom | undefined,
): ManifestIndex {
  return indexManifest(bytes, manifest, spec, (schemaText) => {
    // Writers that state no field ids are understood by the names of the spec.
    const fields = spec.fields.map(({ fieldId, name }) => `${fieldId} ${name}`).join()
    const name = `layout ${fields} ${schemaText}`
    const known = room?.facts.get(name) as EntryLayout | undefined
    if (known !== undefined) return known
    const layout = entryLayout(schemaText, 'a manifest', spec)
    room?.facts.add(name, layout, 10 * schemaText.length)
    return layout
  })
}

/**
 * Of the metrics of a file of deletes nobody asks but for the paths of data files, or the columns that rows are compared by; writers state
 * them of all columns of the table.
 */
function withMetricsAsked(file: DeleteFile): DeleteFile {
  const ids = file.content === 'equality' ? file.equalityIds : [FILE_PATH_ID]
  const asked = <V>(metrics: ReadonlyMap<number, V>, kept: (value: V) => V): ReadonlyMap<number, V> =>
    new Map(
      ids.flatMap((id) => {
        const value = metrics.get(id)
        return value === undefined ? [] : [[id, kept(value)] as const]
      }),
    )
  // Their own bytes: those of a view keep the whole manifest.
  const bounds = (all: DeleteFile['lowerBounds']): DeleteFile['lowerBounds'] => asked(all, (bound) => bound.slice())
  return {
    ...file,
    nullValueCounts: asked(file.nullValueCounts, (count) => count),
    nanValueCounts: asked(file.nanValueCounts, (count) => count),
    lowerBounds: bounds(file.lowerBounds),
    upperBounds: bounds(file.upperBounds),
  }
}

/** What a count or a bound takes beside its bytes. */
const METRIC_BYTES = 100

function sizeOf(files: readonly DeleteFile[]): number {
  const boundBytes = (bounds: DeleteFile['lowerBounds']): number =>
    [...bounds.values()].reduce((sum, { length }) => sum + METRIC_BYTES + length, 0)
  return files.reduce((sum, file) => {
    const { filePath, referencedDataFile = '', equalityIds, partition, nullValueCounts, nanValueCounts } = file
    const counts = METRIC_BYTES * (nullValueCounts.size + nanValueCounts.size)
    const metrics = boundBytes(file.lowerBounds) + boundBytes(file.upperBounds) + counts
    const texts = 2 * (filePath.length + referencedDataFile.length)
    return sum + DELETE_BYTES + texts + metrics + 8 * (equalityIds.length + partition.length)
  }, 0)
}

type IndexedFiles = readonly IndexedFile[]

const mayDelete = ({ content, addedFiles, existingFiles }: ManifestFile): boolean =>
  content === 'deletes' && !(addedFiles === 0 && existingFiles === 0)

/** With what its entries inherit: lists of several branches may say different things of one manifest. */
function nameOf({ path, sequenceNumber, addedSnapshotId, firstRowId }: ManifestFile): string {
  return `${path} ${sequenceNumber} ${addedSnapshotId} ${firstRowId ?? ''}`
}

/** What tuples of the spec are read as: that changes with the table's schemas, and tuples of other types do not meet. */
function typesOf({ specId, fields }: BoundPartitionSpec): string {
  return stringifyJson([
    specId,
    ...fields.map(({ fieldId, transform, resultType }) => [fieldId, transform.kind, resultType ?? null]),
  ])
}
