import { checkOptions, invalid, option } from '@moulin/core'
import type { OptionTable, TableMetadata } from '@moulin/core'
import type { DataFile } from '../manifests/data-file.ts'
import { addedEntry, commitTable, newManifest, planCommit } from './commit-plan.ts'
import type { CommitPlan, CommitRequest } from './commit-plan.ts'
import { mergeManifests } from './merge-manifests.ts'
import { currentSchema, currentSpec } from '../metadata/metadata-lookup.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'

export interface AppendRequest extends CommitRequest {
  /** Stored already, all of the table's default partition spec. May be empty: a snapshot that only moves properties. */
  readonly files: readonly DataFile[]
}

const requestTable: OptionTable<AppendRequest> = {
  ...commitTable,
  files: option.required(option.listOf(option.objectOf('a data file'))),
}

/**
 * Plans the commit that appends files to a table: one manifest for the files, a manifest list that carries the parent's manifests over,
 * those of deletes untouched, small ones of ours merged now and then ({@link mergeManifests}), and requirements and updates that take
 * effect as one. Reads the parent's manifest list, and the manifests that it merges; writes nothing.
 *
 * The commit requires that the table is the same one, that `main` still is the parent, and that partition spec and
 * schema are those that the files were written with. In the same update it sets `properties` and forgets old snapshots.
 * The snapshot's time never lies before the table's last change, and after every one that the snapshot log names, whatever the
 * clock says. In a table of format version 3 it takes row ids: those of an attempt that lost its race are taken anew.
 *
 * @throws `invalid` for a file of another partition spec; `exhausted` for a marker above `markerBytes`; `unsupported` for a table
 * of format version 1; what the store throws.
 *
 * Spec: Iceberg, "Snapshots", "Manifest Lists", "Sequence Number Inheritance", "Row Lineage"; REST catalog, `CommitTableRequest`.
 */
export async function planAppend(request: AppendRequest): Promise<CommitPlan> {
  checkOptions('planAppend', request, requestTable)
  const { table, files } = request
  checkFiles(table.metadata, files)
  return planCommit(request, async (base) => {
    const { metadata, snapshotId } = base
    const kept = await mergeManifests(base)
    if (files.length === 0) return { ...kept, operation: 'append', added: [], removed: [] }
    const schema = currentSchema(metadata)
    const spec = bindPartitionSpec(currentSpec(metadata), [schema])
    const entries = files.map((file) => addedEntry(file, snapshotId))
    const { manifest, object } = newManifest(base, 0, { spec, schema, entries })
    return {
      operation: 'append',
      manifests: [manifest, ...kept.manifests],
      objects: [...kept.objects, object],
      added: files,
      removed: [],
    }
  })
}

/** @throws `invalid` for a file that is not of the table's default partition spec, or is there twice. */
export function checkFiles(metadata: TableMetadata, files: readonly DataFile[]): void {
  const paths = new Set<string>()
  for (const { filePath, specId } of files) {
    if (specId !== metadata['default-spec-id']) {
      const message = `${filePath} is of partition spec ${specId}; the table's is ${metadata['default-spec-id']} by now.`
      throw invalid('PARTITION_SPEC', message, { context: { filePath, specId } })
    }
    if (paths.has(filePath)) throw invalid('DATA_FILE', `${filePath} is added twice by one commit.`)
    paths.add(filePath)
  }
}
