import type { CallOptions, TableFiles, TableMetadata } from '@moulin/core'
import {
  bindForReading,
  currentSnapshot,
  readDataFiles,
  readDeleteManifest,
  readManifestList,
  schemasFrom,
  specById,
} from '@moulin/iceberg'
import type { DataFile, DeleteFile, ManifestFile, ManifestRoom } from '@moulin/iceberg'

/** What the current snapshot names, one object at a time: each may be gone. */
export interface NamedFilesParts {
  readonly tableFiles: TableFiles
  readonly manifests?: ManifestRoom | undefined
}

/** @throws what reading a manifest list does. */
export async function manifestsIn(parts: NamedFilesParts, path: string, call: CallOptions): Promise<ManifestFile[]> {
  const { bytes } = await parts.tableFiles.get(path, call)
  return readManifestList(bytes, { path })
}

/** Location of the current snapshot's manifest list; undefined where there is none. */
export function manifestListOf(metadata: TableMetadata): string | undefined {
  return currentSnapshot(metadata)?.['manifest-list']
}

/** @throws what reading a manifest does. */
export async function dataFilesIn(
  parts: NamedFilesParts,
  metadata: TableMetadata,
  manifest: ManifestFile,
  call: CallOptions,
): Promise<DataFile[]> {
  const { bytes } = await parts.tableFiles.get(manifest.path, call)
  return readDataFiles(bytes, manifest, specOf(metadata, manifest), parts.manifests)
}

/** @throws what reading a manifest does. */
export async function deleteFilesIn(
  parts: NamedFilesParts,
  metadata: TableMetadata,
  manifest: ManifestFile,
  call: CallOptions,
): Promise<DeleteFile[]> {
  const { bytes } = await parts.tableFiles.get(manifest.path, call)
  return readDeleteManifest(bytes, { manifest, spec: specOf(metadata, manifest) })
}

const specOf = (metadata: TableMetadata, { specId }: ManifestFile): ReturnType<typeof bindForReading> =>
  bindForReading(specById(metadata['partition-specs'], specId), schemasFrom(metadata))
