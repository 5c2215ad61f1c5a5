import { isKind, keysOf, openLocation } from '@moulin/core'
import type { ObjectStore, TableMetadata } from '@moulin/core'
import { readManifestList, readManifestNames } from '@moulin/iceberg'
import type { ManifestFile } from '@moulin/iceberg'

export interface ReachQuestion {
  readonly store: ObjectStore
  readonly metadata: TableMetadata
  /** Of object keys. */
  readonly prefixes: readonly string[]
}

/** Whether any retained snapshot names a manifest list, manifest, data or delete file below the prefixes: those must not be deleted. */
export async function isReachable(question: ReachQuestion): Promise<boolean> {
  const { store, metadata, prefixes } = question
  // In either spelling: what an engine may have encoded is not deleted on doubt.
  const isBelow = (uri: string): boolean =>
    spellingsOf(store, uri).some((key) => prefixes.some((prefix) => key.startsWith(prefix)))
  const manifests = new Map<string, ManifestFile>()
  for (const snapshot of metadata.snapshots ?? []) {
    const path = snapshot['manifest-list']
    if (isBelow(path)) return true
    const { bytes } = await openLocation(store, path)()
    for (const manifest of readManifestList(bytes, { path, withDeletes: true })) manifests.set(manifest.path, manifest)
  }
  for (const manifest of manifests.values()) {
    if (isBelow(manifest.path)) return true
    const { bytes } = await openLocation(store, manifest.path)()
    if (readManifestNames(bytes, manifest).some(({ filePath }) => isBelow(filePath))) return true
  }
  return false
}

/**
 * The keys that a location may mean. None for one elsewhere, which is below no prefix of ours: a file that somebody added from
 * there keeps nobody from settling.
 */
export function spellingsOf(store: ObjectStore, uri: string): readonly string[] {
  try {
    return keysOf(store, uri)
  } catch (error) {
    if (isKind(error, 'invalid', 'OUTSIDE_STORE')) return []
    throw error
  }
}
