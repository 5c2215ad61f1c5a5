import {
  checkOptions,
  type Expression,
  type IcebergSchema,
  type Int64,
  notFound,
  option,
  type OptionTable,
  type Snapshot,
  type TableFiles,
  type TableMetadata,
  throwIfAborted,
} from '@moulin/core'
import type { DataFile, DeleteFile } from '../manifests/data-file.ts'
import { currentSchema, currentSnapshot, schemaById, schemasFrom, snapshotById } from '../metadata/metadata-lookup.ts'
import { bindForReading, specById, type BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { fileNames } from './file-names.ts'
import { KeptManifests, type ManifestRoom, type SpecPlan } from './kept-manifests.ts'
import type { IndexedFile } from './manifest-index.ts'
import { bindExpression, type Predicate } from './predicate.ts'
import { projectPredicate } from './projection.ts'
import { manifestMightMatch } from './pruning.ts'

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
  /** False: manifests of deletes are not read, and no task has any: for whoever asks for rows whether they are deleted or not. Default: true. */
  readonly withDeletes?: boolean | undefined
  /** Where what is read of manifests is kept for the next plan; default: nowhere. Of one table. */
  readonly room?: ManifestRoom | undefined
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
  withDeletes: option.flag,
  room: option.door('room for manifests', [], ['files', 'facts']),
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
  const { tableFiles, metadata, where, skip = () => false, withDeletes = true, room, maxInFlight = 4, signal } = options
  const { snapshot, schema } = snapshotOf(options)
  const predicate = bindExpression(where, schema.fields)
  if (snapshot === undefined || (snapshot.manifests === undefined && skip(snapshot['manifest-list']))) return
  throwIfAborted(signal)

  const stop = new AbortController()
  const signals = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal])
  const plans = specPlans(metadata, schema, predicate)
  const names = fileNames(tableFiles)
  const kept = new KeptManifests({
    tableFiles,
    room,
    skip,
    specOf: (specId) => plans(specId).spec,
    maxInFlight,
    signal: signals,
  })
  const waiting: (readonly FileScanTask[] | Promise<readonly FileScanTask[]>)[] = []
  try {
    const manifests = await kept.of(snapshot)
    const deletes = await kept.deletes(withDeletes ? manifests : [], snapshot['manifest-list'])
    for (const manifest of manifests) {
      if (manifest.content === 'deletes') continue
      const plan = plans(manifest.specId)
      if (!manifestMightMatch(plan.predicate, manifest) || skip(manifest.path)) continue
      const tasksOf = (files: readonly IndexedFile[]): FileScanTask[] =>
        files.map((found) => {
          // A file outside of the store fails the plan, not the read.
          names(found.file.filePath)
          const { file, sequenceNumber, snapshotId } = found
          return {
            file,
            sequenceNumber,
            snapshotId,
            spec: plan.spec,
            deletes: deletes.of(file, sequenceNumber),
            residual: predicate,
          }
        })
      const found = kept.matching(manifest, predicate, plan)
      if (!(found instanceof Promise)) {
        if (found.length > 0) waiting.push(tasksOf(found))
      } else {
        const tasks = found.then(tasksOf)
        // Its error is thrown when its turn comes; until then, and after an early leave, nobody waits for it.
        tasks.catch(() => {})
        waiting.push(tasks)
      }
      if (waiting.length >= maxInFlight) for (const task of await waiting.shift()!) yield task
    }
    while (waiting.length > 0) for (const task of await waiting.shift()!) yield task
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

function specPlans(metadata: TableMetadata, schema: IcebergSchema, predicate: Predicate): (specId: number) => SpecPlan {
  const plans = new Map<number, SpecPlan>()
  const schemas = schemasFrom(metadata, schema)
  return (specId) => {
    let plan = plans.get(specId)
    if (plan === undefined) {
      const spec = bindForReading(specById(metadata['partition-specs'], specId), schemas)
      plan = { spec, predicate: projectPredicate(predicate, spec) }
      plans.set(specId, plan)
    }
    return plan
  }
}
