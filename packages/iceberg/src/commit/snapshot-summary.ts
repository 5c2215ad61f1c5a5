import type { Snapshot } from '@moulin/core'
import type { DataFile, ManifestFile } from '../manifests/data-file.ts'
import { partitionTupleKey } from '../values/datum.ts'

/**
 * The summary of a commit: what it adds and removes, and the table's totals after it, from the parent's. Where a foreign
 * parent leaves a total out, files and rows are counted from its manifest list; a size that nobody knows stays out.
 *
 * Spec: Iceberg, "Snapshots" and appendix "Optional Snapshot Summary Fields".
 */
export function commitSummary(request: {
  readonly operation: string
  readonly added: readonly DataFile[]
  readonly removed: readonly DataFile[]
  readonly parent: Snapshot | undefined
  readonly parentManifests: readonly ManifestFile[]
  readonly extra: Readonly<Record<string, string>>
}): Readonly<Record<string, string>> {
  const { operation, added, removed, parent, parentManifests, extra } = request
  const [plus, minus] = [sizeOf(added), sizeOf(removed)]
  const tuples = new Set([...added, ...removed].map((file) => `${file.specId}/${partitionTupleKey(file.partition)}`))
  const ofContent = (content: ManifestFile['content']): ManifestFile[] =>
    parentManifests.filter((manifest) => manifest.content === content)
  const data = ofContent('data')
  const deletes = ofContent('deletes')
  const noDeletes = deletes.length === 0 ? 0n : undefined
  const totals = {
    'total-data-files': add(total(parent, 'total-data-files') ?? liveFiles(data), plus.files - minus.files),
    'total-records': add(total(parent, 'total-records') ?? liveRows(data), plus.records - minus.records),
    'total-files-size': add(total(parent, 'total-files-size'), plus.bytes - minus.bytes),
    'total-delete-files': total(parent, 'total-delete-files') ?? liveFiles(deletes),
    'total-position-deletes': total(parent, 'total-position-deletes') ?? noDeletes,
    'total-equality-deletes': total(parent, 'total-equality-deletes') ?? noDeletes,
  }
  return {
    ...extra,
    operation,
    'added-data-files': String(plus.files),
    'added-records': String(plus.records),
    'added-files-size': String(plus.bytes),
    ...(removed.length === 0
      ? {}
      : {
          'deleted-data-files': String(minus.files),
          'deleted-records': String(minus.records),
          'removed-files-size': String(minus.bytes),
        }),
    'changed-partition-count': String(tuples.size),
    ...Object.fromEntries(
      Object.entries(totals)
        .filter(([, value]) => value !== undefined && value >= 0n)
        .map(([name, value]) => [name, String(value)]),
    ),
    'engine-name': 'moulin',
  }
}

function sizeOf(files: readonly DataFile[]): {
  readonly files: bigint
  readonly records: bigint
  readonly bytes: bigint
} {
  const sumOf = (count: (file: DataFile) => bigint): bigint => files.reduce((sum, file) => sum + count(file), 0n)
  return {
    files: BigInt(files.length),
    records: sumOf(({ recordCount }) => recordCount),
    bytes: sumOf(({ fileSizeBytes }) => fileSizeBytes),
  }
}

function total(parent: Snapshot | undefined, name: string): bigint | undefined {
  if (parent === undefined) return 0n
  const text = Object.hasOwn(parent.summary, name) ? parent.summary[name] : undefined
  return text !== undefined && /^\d{1,19}$/.test(text) ? BigInt(text) : undefined
}

function liveFiles(manifests: readonly ManifestFile[]): bigint | undefined {
  return sum(manifests, ({ addedFiles, existingFiles }) =>
    addedFiles === undefined || existingFiles === undefined ? undefined : BigInt(addedFiles + existingFiles),
  )
}

function liveRows(manifests: readonly ManifestFile[]): bigint | undefined {
  return sum(manifests, ({ addedRows, existingRows }) => add(addedRows, existingRows))
}

function sum(
  manifests: readonly ManifestFile[],
  count: (manifest: ManifestFile) => bigint | undefined,
): bigint | undefined {
  return manifests.reduce<bigint | undefined>((total, manifest) => add(total, count(manifest)), 0n)
}

function add(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || b === undefined ? undefined : a + b
}
