import type { Snapshot } from '@moulin/core'
import type { DataFile, ManifestFile } from './data-file.ts'
import { partitionTupleKey } from '../values/datum.ts'

/**
 * The summary of an append: what it adds, and the table's totals after it, from the parent's. Where a foreign parent
 * leaves a total out, files and rows are counted from its manifest list; a size that nobody knows stays out.
 *
 * Spec: Iceberg, "Snapshots" and appendix "Optional Snapshot Summary Fields".
 */
export function appendSummary(request: {
  readonly files: readonly DataFile[]
  readonly parent: Snapshot | undefined
  readonly parentManifests: readonly ManifestFile[]
  readonly extra: Readonly<Record<string, string>>
}): Readonly<Record<string, string>> {
  const { files, parent, parentManifests, extra } = request
  const records = files.reduce((sum, file) => sum + file.recordCount, 0n)
  const bytes = files.reduce((sum, file) => sum + file.fileSizeBytes, 0n)
  const tuples = new Set(files.map((file) => `${file.specId}/${partitionTupleKey(file.partition)}`))
  const totals = {
    'total-data-files': add(total(parent, 'total-data-files') ?? liveFiles(parentManifests), BigInt(files.length)),
    'total-records': add(total(parent, 'total-records') ?? liveRows(parentManifests), records),
    'total-files-size': add(total(parent, 'total-files-size'), bytes),
    'total-delete-files': 0n,
    'total-position-deletes': 0n,
    'total-equality-deletes': 0n,
  }
  return {
    ...extra,
    operation: 'append',
    'added-data-files': String(files.length),
    'added-records': String(records),
    'added-files-size': String(bytes),
    'changed-partition-count': String(tuples.size),
    ...Object.fromEntries(
      Object.entries(totals)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, String(value)]),
    ),
    'engine-name': 'moulin',
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
