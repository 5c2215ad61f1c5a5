import { checkOptions, conflict, invalid, option } from '@moulin/core'
import type { OptionTable, TableFiles, TableMetadata } from '@moulin/core'
import { checkFiles } from './append.ts'
import { addedEntry, commitTable, newManifest, planCommit } from './commit-plan.ts'
import type { CommitBase, CommitPlan, CommitRequest, PlannedObject } from './commit-plan.ts'
import type { DataFile, DeleteFile, ManifestEntry, ManifestFile } from '../manifests/data-file.ts'
import { readDeleteManifest, readManifest } from '../manifests/read-manifest.ts'
import { currentSchema, currentSpec, schemasFrom } from '../metadata/metadata-lookup.ts'
import { bindForReading, bindPartitionSpec, specById } from '../partitions/partition-fields.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { deleteIndex } from '../scan/delete-index.ts'

/** A data file as the table lists it. */
export interface ListedDataFile {
  readonly file: DataFile
  /** Data sequence number. */
  readonly sequenceNumber: bigint
}

export interface ReplaceRequest extends CommitRequest {
  readonly tableFiles: Pick<TableFiles, 'get' | 'under' | 'spellings'>
  /** As the table's manifests have them. */
  readonly removed: readonly ListedDataFile[]
  /** What stands in their place, with the same rows: stored already, all of the table's default partition spec. */
  readonly added: readonly DataFile[]
  /**
   * Deletes up to this data sequence number are no more in the added files, which have it: later deletes by value go on to delete their
   * rows. At least the removed files' own.
   */
  readonly sequenceNumber: bigint
}

const listed = option.nested<ListedDataFile>({
  file: option.required(option.objectOf('a data file')),
  sequenceNumber: option.required(option.int64('a sequence number')),
})

const requestTable: OptionTable<ReplaceRequest> = {
  ...commitTable,
  tableFiles: option.required(option.door('TableFiles', ['get', 'under', 'spellings'])),
  removed: option.required(option.listOf(listed)),
  added: option.required(option.listOf(option.objectOf('a data file'))),
  sequenceNumber: option.required(option.int64('a sequence number')),
}

/**
 * Plans the commit that puts files in the place of others which have the same rows. Manifests that name a removed file are written anew,
 * with an entry of status `deleted` for it; everything else is carried over. What is required of the table is what an append requires:
 * where another commit came first, it is planned anew, on what the table is by then, and looked at again.
 *
 * @throws `conflict` code `FILE_NOT_LIVE` for a removed file that the table does not name; code `FILE_DELETED_FROM` where a deletion vector or
 * file of positions that is not in the added files is about a removed one; what {@link planAppend} throws.
 *
 * Spec: Iceberg, "Snapshots", operation `replace`; "Manifest Entry Fields", status. As Iceberg's `RewriteFiles` checks its commits.
 */
export async function planReplace(request: ReplaceRequest): Promise<CommitPlan> {
  checkOptions('planReplace', request, requestTable)
  const { table, added, removed, sequenceNumber } = request
  const { metadata } = table
  checkFiles(metadata, added)
  const newer = removed.find((file) => file.sequenceNumber > sequenceNumber)
  if (newer !== undefined) {
    const message = `${newer.file.filePath} has the data sequence number ${newer.sequenceNumber}; what replaces it cannot have ${sequenceNumber}.`
    throw invalid('SEQUENCE_NUMBER', message, { context: { filePath: newer.file.filePath } })
  }
  return planCommit(request, async (base) => {
    await checkDeletes(request, base)
    const kept = await withoutFiles(base, removed)
    const schema = currentSchema(metadata)
    const spec = bindPartitionSpec(currentSpec(metadata), [schema])
    const entries = added.map((file) => addedEntry(file, base.snapshotId, sequenceNumber))
    const made = added.length === 0 ? [] : [newManifest(base, 0, { spec, schema, entries })]
    return {
      operation: 'replace',
      manifests: [...made.map(({ manifest }) => manifest), ...kept.manifests],
      objects: [...made.map(({ object }) => object), ...kept.objects],
      added,
      removed: removed.map(({ file }) => file),
    }
  })
}

type Bind = typeof bindPartitionSpec

function specOf(metadata: TableMetadata, id: number, bind: Bind = bindPartitionSpec): BoundPartitionSpec {
  return bind(specById(metadata['partition-specs'], id), schemasFrom(metadata))
}

const isLive = ({ addedFiles, existingFiles }: ManifestFile): boolean => addedFiles !== 0 || existingFiles !== 0

async function checkDeletes({ tableFiles, removed, sequenceNumber }: ReplaceRequest, base: CommitBase): Promise<void> {
  const { metadata, manifests, call } = base
  // Deletes of a spec that we do not understand are read as a scan reads them.
  const read = (id: number): BoundPartitionSpec => specOf(metadata, id, bindForReading)
  const files: DeleteFile[] = []
  for (const manifest of manifests) {
    if (manifest.content !== 'deletes' || !isLive(manifest) || manifest.sequenceNumber <= sequenceNumber) continue
    const { bytes } = await tableFiles.get(manifest.path, call)
    files.push(...readDeleteManifest(bytes, { manifest, spec: read(manifest.specId) }))
  }
  const index = deleteIndex(files, { tableFiles, specOf: read })
  for (const { file, sequenceNumber: ofFile } of removed) {
    const isInTheWay = (one: DeleteFile): boolean => one.content !== 'equality' && one.sequenceNumber > sequenceNumber
    const newer = index.of(file, ofFile).find(isInTheWay)
    if (newer === undefined) continue
    const message = `Rows of ${file.filePath} have been deleted by ${newer.filePath}, which is newer: read it again.`
    throw conflict('FILE_DELETED_FROM', message, { context: { filePath: file.filePath, deletes: newer.filePath } })
  }
}

/** The base's manifests, in which none of the files is live. */
async function withoutFiles(
  base: CommitBase,
  removed: readonly ListedDataFile[],
): Promise<{ readonly manifests: readonly ManifestFile[]; readonly objects: readonly PlannedObject[] }> {
  const { manifests, metadata, tableFiles, snapshotId, call } = base
  const gone = new Set(removed.map(({ file }) => file.filePath))
  const missing = new Set(gone)
  const kept: ManifestFile[] = []
  const objects: PlannedObject[] = []
  for (const manifest of manifests) {
    kept.push(manifest)
    if (!mayName(manifest, removed)) continue
    const { bytes } = await tableFiles.get(manifest.path, call)
    const spec = specOf(metadata, manifest.specId)
    const live = readManifest(bytes, { manifest, spec })
    if (!live.some(({ file }) => gone.has(file.filePath))) continue
    const entries = live.map((entry): ManifestEntry => {
      if (!gone.has(entry.file.filePath)) return { ...entry, status: 'existing' }
      missing.delete(entry.file.filePath)
      return { ...entry, status: 'deleted', snapshotId }
    })
    // The 0th is that of the added files.
    const written = newManifest(base, objects.length + 1, { spec, schema: currentSchema(metadata), entries })
    objects.push(written.object)
    kept[kept.length - 1] = written.manifest
  }
  const [first] = missing
  if (first === undefined) return { manifests: kept, objects }
  const message = `The table does not name ${first} any more: what was to be replaced is gone.`
  throw conflict('FILE_NOT_LIVE', message, { context: { filePath: first } })
}

function mayName(manifest: ManifestFile, removed: readonly ListedDataFile[]): boolean {
  const { content, specId, minSequenceNumber, sequenceNumber: last } = manifest
  return (
    content === 'data' &&
    isLive(manifest) &&
    removed.some(
      ({ file, sequenceNumber }) =>
        file.specId === specId && sequenceNumber >= minSequenceNumber && sequenceNumber <= last,
    )
  )
}
