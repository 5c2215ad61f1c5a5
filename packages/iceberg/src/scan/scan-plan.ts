import {
  checkOptions,
  type Expression,
  type IcebergSchema,
  type Int64,
  isKind,
  notFound,
  option,
  type OptionTable,
  type Snapshot,
  type TableFiles,
  type TableMetadata,
  throwIfAborted,
} from '@moulin/core'
import type { DataFile, DeleteFile, ManifestFile } from '../manifests/data-file.ts'
import { readManifestList } from '../manifests/manifest-list.ts'
import { describedManifest, readDeleteManifest, readManifest } from '../manifests/read-manifest.ts'
import { currentSchema, currentSnapshot, schemaById, snapshotById } from '../metadata/metadata-lookup.ts'
import { bindPartitionSpec, specById, type BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { deleteIndex, type DeleteIndex } from './delete-index.ts'
import { bindExpression, type Predicate } from './predicate.ts'
import { projectPredicate } from './projection.ts'
import { manifestMightMatch, metricsMightMatch, partitionMightMatch } from './pruning.ts'

/** A data file of which some rows may match. */
export interface FileScanTask {
  readonly file: DataFile
  readonly sequenceNumber: bigint
  /** The snapshot that added the file. */
  readonly snapshotId: bigint
  readonly spec: BoundPartitionSpec
  /**
   * Whose deletes may be about its rows, by the rules of sequence numbers and partitions; a vector stands alone, for it takes the place of
   * files of positions. Spec: "Scan Planning".
   */
  readonly deletes: readonly DeleteFile[]
  /** What its rows must still pass: the whole predicate. */
  readonly residual: Predicate
}

export interface PlanScanOptions {
  /** Reads the table's files; `tableFiles(store)` of core for one store. */
  readonly tableFiles: Pick<TableFiles, 'get' | 'spellings'>
  readonly metadata: TableMetadata
  /** Default: the current snapshot and schema. A snapshot named here is read with its own schema. */
  readonly snapshotId?: Int64
  /** Over top-level columns. Default: all rows. */
  readonly where?: Expression | undefined
  /**
   * Asked of the manifest list, and of each manifest of data that would be read, by location: true leaves it out, with all that it
   * names. Default: none. Manifests of deletes are never left out: rows would come back.
   */
  readonly skip?: ((location: string) => boolean) | undefined
  /** Manifests read at once; default 4. */
  readonly maxInFlight?: number
  readonly signal?: AbortSignal
}

const optionTable: OptionTable<PlanScanOptions> = {
  tableFiles: option.required(option.door('TableFiles', ['get', 'spellings'])),
  metadata: option.required(option.door('the metadata of a table', [], ['format-version', 'schemas'])),
  snapshotId: option.anyOf(option.integer('', 0), option.int64('an id')),
  where: option.objectOf('an expression'),
  skip: option.callback,
  maxInFlight: option.integer('', 1),
  signal: option.abortSignal,
}

/**
 * The data files that a scan must read, each with what may delete rows of it, pruned by manifest summaries, partition tuples and column
 * bounds; in the order of the manifests. A table without a snapshot has none. Leaving the loop early stops the reads under way.
 * @throws `invalid` for a wrong predicate, or a file outside of the store; `not-found` for a snapshot that the metadata
 * lacks, or an object that is gone (expired: load the table again); `unsupported` by name for encryption,
 * other file formats and unknown transforms; `corrupt`; `exhausted`; `aborted`.
 * Spec: "Scan Planning".
 */
export async function* planScan(options: PlanScanOptions): AsyncGenerator<FileScanTask, void, undefined> {
  checkOptions('planScan', options, optionTable)
  const { metadata, where, skip = () => false, maxInFlight = 4, signal } = options
  const { snapshot, schema } = snapshotOf(options)
  const predicate = bindExpression(where, schema.fields)
  if (snapshot === undefined || (snapshot.manifests === undefined && skip(snapshot['manifest-list']))) return
  throwIfAborted(signal)

  const stop = new AbortController()
  const signals = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal])
  const reader = { ...options, skip, maxInFlight, signal: signals }
  const plans = specPlans(metadata, schema, predicate)
  const waiting: Promise<FileScanTask[]>[] = []
  try {
    const manifests = await manifestsOf(snapshot, reader)
    const deletes = await deletesOf(manifests.filter(mayDelete), plans, reader)
    for (const manifest of manifests) {
      if (manifest.content === 'deletes') continue
      const plan = plans(manifest.specId)
      if (!manifestMightMatch(plan.predicate, manifest) || skip(manifest.path)) continue
      const tasks = tasksOf(manifest, { ...plan, residual: predicate, deletes }, reader)
      // Its error is thrown when its turn comes; until then, and after an early leave, nobody waits for it.
      tasks.catch(() => {})
      waiting.push(tasks)
      if (waiting.length >= maxInFlight) yield* await waiting.shift()!
    }
    while (waiting.length > 0) yield* await waiting.shift()!
  } finally {
    stop.abort()
  }
}

function snapshotOf({ metadata, snapshotId }: PlanScanOptions): {
  readonly snapshot: Snapshot | undefined
  readonly schema: IcebergSchema
} {
  if (snapshotId === undefined) return { snapshot: currentSnapshot(metadata), schema: currentSchema(metadata) }
  const snapshot = snapshotById(metadata, snapshotId)
  if (snapshot === undefined)
    throw notFound('SNAPSHOT', `The table has no snapshot ${snapshotId}; it may have expired.`, {
      context: { snapshotId },
    })
  const schemaId = snapshot['schema-id']
  const schema = schemaId === undefined ? undefined : schemaById(metadata, schemaId)
  return { snapshot, schema: schema ?? currentSchema(metadata) }
}

/** A spec with the predicate projected onto it. */
interface SpecPlan {
  readonly spec: BoundPartitionSpec
  readonly predicate: Predicate
}

function specPlans(metadata: TableMetadata, schema: IcebergSchema, predicate: Predicate): (specId: number) => SpecPlan {
  const plans = new Map<number, SpecPlan>()
  // Newer schemas first: a spec's column may be gone from the one that is read with.
  const schemas = [schema, ...metadata.schemas.toReversed()]
  return (specId) => {
    let plan = plans.get(specId)
    if (plan === undefined) {
      const spec = bindPartitionSpec(specById(metadata['partition-specs'], specId), schemas)
      plan = { spec, predicate: projectPredicate(predicate, spec) }
      plans.set(specId, plan)
    }
    return plan
  }
}

/** What a plan reads with. */
interface Reader extends Pick<PlanScanOptions, 'tableFiles' | 'signal'> {
  readonly skip: (location: string) => boolean
  readonly maxInFlight: number
}

async function manifestsOf(snapshot: Snapshot, reader: Reader): Promise<readonly ManifestFile[]> {
  const { 'manifest-list': path, manifests } = snapshot
  if (manifests === undefined) return readManifestList(await read(path, reader), { path })
  const present = manifests.filter((manifest) => !reader.skip(manifest))
  const snapshotId = BigInt(snapshot['snapshot-id'])
  return inParts(present, reader, async (manifest) =>
    describedManifest(await read(manifest, reader), manifest, snapshotId),
  )
}

/** The results in order, some at a time under way. */
async function inParts<T, R>(
  items: readonly T[],
  { maxInFlight }: Pick<Reader, 'maxInFlight'>,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  for (let at = 0; at < items.length; at += maxInFlight)
    results.push(...(await Promise.all(items.slice(at, at + maxInFlight).map(work))))
  return results
}

const mayDelete = ({ content, addedFiles, existingFiles }: ManifestFile): boolean =>
  content === 'deletes' && !(addedFiles === 0 && existingFiles === 0)

async function deletesOf(
  manifests: readonly ManifestFile[],
  plans: (specId: number) => SpecPlan,
  reader: Reader,
): Promise<DeleteIndex> {
  const specOf = (specId: number): BoundPartitionSpec => plans(specId).spec
  const files = await inParts(manifests, reader, async (manifest) =>
    readDeleteManifest(await read(manifest.path, reader), { manifest, spec: specOf(manifest.specId) }),
  )
  return deleteIndex(files.flat(), { tableFiles: reader.tableFiles, specOf })
}

async function tasksOf(
  manifest: ManifestFile,
  { spec, predicate, residual, deletes }: SpecPlan & { readonly residual: Predicate; readonly deletes: DeleteIndex },
  reader: Reader,
): Promise<FileScanTask[]> {
  const bytes = await read(manifest.path, reader)
  const tasks: FileScanTask[] = []
  for (const { file, sequenceNumber: known, snapshotId } of readManifest(bytes, { manifest, spec })) {
    if (!partitionMightMatch(predicate, file.partition) || !metricsMightMatch(residual, file)) continue
    // A file outside of the store fails the plan, not the read.
    reader.tableFiles.spellings(file.filePath)
    const sequenceNumber = known!
    tasks.push({ file, sequenceNumber, snapshotId, spec, deletes: deletes.of(file, sequenceNumber), residual })
  }
  return tasks
}

async function read(uri: string, { tableFiles, signal }: Pick<Reader, 'tableFiles' | 'signal'>): Promise<Uint8Array> {
  try {
    return (await tableFiles.get(uri, signal === undefined ? {} : { signal })).bytes
  } catch (cause) {
    if (!isKind(cause, 'not-found')) throw cause
    const message = `${uri} is gone: the snapshot has expired, or the table lost a file. Load the table again.`
    throw notFound('TABLE_FILE', message, { context: { uri }, cause })
  }
}
