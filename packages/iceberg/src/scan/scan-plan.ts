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
import { readManifest } from '../manifests/manifest.ts'
import { currentSchema, currentSnapshot, schemaById, snapshotById } from '../metadata/metadata-lookup.ts'
import { bindPartitionSpec, specById, type BoundPartitionSpec } from '../partitions/partition-fields.ts'
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
   * Asked of the manifest list, and of each manifest that would be read, by location: true leaves it out, with all that it
   * names. Default: none.
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
 * The data files that a scan must read, pruned by manifest summaries, partition tuples and column bounds; in the order of
 * the manifests. A table without a snapshot has none. Leaving the loop early stops the reads under way.
 * @throws `invalid` for a wrong predicate, or a file outside of the store; `not-found` for a snapshot that the metadata
 * lacks, or an object that is gone (expired: load the table again); `unsupported` by name for deletes, encryption,
 * other file formats and unknown transforms; `corrupt`; `exhausted`; `aborted`.
 * Spec: "Scan Planning".
 */
export async function* planScan(options: PlanScanOptions): AsyncGenerator<FileScanTask, void, undefined> {
  checkOptions('planScan', options, optionTable)
  const { metadata, where, skip = () => false, maxInFlight = 4, signal } = options
  const { snapshot, schema } = snapshotOf(options)
  const predicate = bindExpression(where, schema.fields)
  if (snapshot === undefined || skip(snapshot['manifest-list'])) return
  throwIfAborted(signal)

  const stop = new AbortController()
  const signals = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal])
  const reader = { ...options, signal: signals }
  const plans = specPlans(metadata, schema, predicate)
  const waiting: Promise<FileScanTask[]>[] = []
  try {
    for (const manifest of await manifestsOf(snapshot, reader)) {
      if (manifest.content === 'deletes') continue
      const plan = plans(manifest.specId)
      if (!manifestMightMatch(plan.predicate, manifest) || skip(manifest.path)) continue
      const tasks = tasksOf(manifest, plan, predicate, reader)
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

type Reader = Pick<PlanScanOptions, 'tableFiles' | 'signal'>

async function manifestsOf(snapshot: Snapshot, reader: Reader): Promise<ManifestFile[]> {
  const path = snapshot['manifest-list']
  const bytes = await read(path, reader)
  return readManifestList(bytes, { path })
}

async function tasksOf(
  manifest: ManifestFile,
  { spec, predicate: partitionPredicate }: SpecPlan,
  residual: Predicate,
  reader: Reader,
): Promise<FileScanTask[]> {
  const bytes = await read(manifest.path, reader)
  const tasks: FileScanTask[] = []
  for (const { file, sequenceNumber, snapshotId } of readManifest(bytes, { manifest, spec })) {
    if (!partitionMightMatch(partitionPredicate, file.partition) || !metricsMightMatch(residual, file)) continue
    // A file outside of the store fails the plan, not the read.
    reader.tableFiles.spellings(file.filePath)
    tasks.push({ file, sequenceNumber: sequenceNumber!, snapshotId, spec, deletes: [], residual })
  }
  return tasks
}

async function read(uri: string, { tableFiles, signal }: Reader): Promise<Uint8Array> {
  try {
    return (await tableFiles.get(uri, signal === undefined ? {} : { signal })).bytes
  } catch (cause) {
    if (!isKind(cause, 'not-found')) throw cause
    const message = `${uri} is gone: the snapshot has expired, or the table lost a file. Load the table again.`
    throw notFound('TABLE_FILE', message, { context: { uri }, cause })
  }
}
