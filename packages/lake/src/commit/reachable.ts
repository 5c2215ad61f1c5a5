import type { TableFiles, TableMetadata } from '@moulin/core'
import { readManifestList, readManifestNames } from '@moulin/iceberg'
import type { ManifestFile } from '@moulin/iceberg'
import { mayMean } from '../table/may-mean.ts'
import { folderOf } from '../table/table-objects.ts'

export interface ReachQuestion {
  readonly tableFiles: TableFiles
  readonly metadata: TableMetadata
  /** Of locations of new files, as `under` gives them. */
  readonly prefixes: readonly string[]
}

/** Whether any retained snapshot names a manifest list, manifest, data or delete file below the prefixes: those must not be deleted. */
export async function isReachable(question: ReachQuestion): Promise<boolean> {
  const { tableFiles, metadata } = question
  const prefixes = question.prefixes.map((prefix) => tableFiles.canonical(prefix))
  const folder = folderOf(tableFiles, metadata.location)
  // In either spelling and by any scheme: what an engine may have encoded is not deleted on doubt.
  const isBelow = (uri: string): boolean =>
    mayMean(tableFiles, folder, uri).some((name) => prefixes.some((prefix) => name.startsWith(prefix)))
  const manifests = new Map<string, ManifestFile>()
  for (const snapshot of metadata.snapshots ?? []) {
    const path = snapshot['manifest-list']
    if (isBelow(path)) return true
    const { bytes } = await tableFiles.get(path)
    for (const manifest of readManifestList(bytes, { path })) manifests.set(manifest.path, manifest)
  }
  for (const manifest of manifests.values()) {
    if (isBelow(manifest.path)) return true
    const { bytes } = await tableFiles.get(manifest.path)
    if (readManifestNames(bytes, manifest).some(({ filePath }) => isBelow(filePath))) return true
  }
  return false
}
