import { atMost, isKind, tableFiles, tableText, unsupported } from '@moulin/core'
import type { LoadedTable, TableFiles, TableMetadata } from '@moulin/core'
import { propertyOf, readManifestList, readManifestNames } from '@moulin/iceberg'
import type { ManifestFile } from '@moulin/iceberg'
import { hasMarker } from '../fresh/marker.ts'
import type { Gateway } from '../gateway.ts'

export interface PurgePlan {
  /** Once the table has no name any more. What cannot be deleted is told to the logger, and stays. */
  delete(): Promise<void>
}

const READS_AT_ONCE = 8

/** Where engines put a table's files, and nobody another table. */
const OWN_FOLDERS = ['data', 'metadata']

/**
 * All files that the table's metadata reaches, of all its snapshots, and that lie in its own folder: whoever may write to a table may
 * have it name any file.
 * @throws `unsupported` code `PURGE` without stores; code `PURGE_REFUSED` for a table that is a log's history, or that forbids
 * it (`gc.enabled`); what reading its manifests throws. Nothing is changed then.
 */
export async function filesToPurge(loaded: LoadedTable, { stores, runtime }: Gateway): Promise<PurgePlan> {
  const { identifier, metadata, metadataLocation } = loaded
  const table = tableText(identifier)
  if (stores === undefined)
    throw unsupported('PURGE', 'This server reaches no files, so it purges no table: drop it without purge.')
  if (isHistory(metadata)) throw refused(table, "it is a log's history; drop it without purge")
  // As Iceberg reads it: whatever is not true is false.
  if ((propertyOf(metadata, 'gc.enabled') ?? 'true').toLowerCase() !== 'true')
    throw refused(table, "its property gc.enabled is not true: its files are another table's too")
  const files = tableFiles(stores, { table: loaded })
  const reached = await reachedFrom(metadata, files)
  for (const { 'metadata-file': file } of metadata['metadata-log'] ?? []) reached.add(file)
  // A folder counts on from a version behind this one, which says that the table is gone.
  reached.add(metadataLocation)
  const folder = metadata.location.replace(/\/+$/, '')
  const roots = OWN_FOLDERS.map((own) => files.canonical(`${folder}/${own}/x`).slice(0, -1))
  const named = [...reached].filter((location) => isOwn(files, location, roots))
  return {
    async delete() {
      const elsewhere = reached.size - named.length
      if (elsewhere > 0)
        runtime.logger.warn({ table, files: elsewhere }, 'files of a purged table stay: they lie elsewhere')
      try {
        const { failed } = await files.deleteMany(named)
        if (failed.length > 0)
          runtime.logger.warn({ table, files: failed.length, err: failed[0]!.error }, 'files of a purged table stay')
      } catch (error) {
        runtime.logger.warn({ table, err: error }, 'files of a purged table stay')
      }
    },
  }
}

function refused(table: string, reason: string): Error {
  return unsupported('PURGE_REFUSED', `${table} cannot be purged: ${reason}.`, { context: { table } })
}

async function reachedFrom(metadata: TableMetadata, files: TableFiles): Promise<Set<string>> {
  const reached = new Set<string>()
  const manifests = new Map<string, ManifestFile>()
  await atMost(READS_AT_ONCE, metadata.snapshots ?? [], async (snapshot) => {
    const path = snapshot['manifest-list']
    if (path === '')
      throw unsupported(
        'PURGE',
        'The table has snapshots of format version 1 without manifest lists: drop it without purge.',
      )
    reached.add(path)
    for (const manifest of readManifestList((await files.get(path)).bytes, { path }))
      manifests.set(manifest.path, manifest)
  })
  await atMost(READS_AT_ONCE, [...manifests.values()], async (manifest) => {
    reached.add(manifest.path)
    for (const { filePath } of readManifestNames((await files.get(manifest.path)).bytes, manifest))
      reached.add(filePath)
  })
  for (const file of [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])]) {
    const location = (file as { readonly 'statistics-path'?: unknown } | null)?.['statistics-path']
    if (typeof location === 'string') reached.add(location)
  }
  return reached
}

/** Of a log, that had it in its hands whatever has become of the marker since. */
function isHistory(metadata: TableMetadata): boolean {
  return hasMarker(metadata) || (metadata.snapshots ?? []).some(({ summary }) => Object.hasOwn(summary, 'moulin.log'))
}

/** A table may name files that lie elsewhere, added to it by path: those are not in our hands. */
function isOwn(files: TableFiles, location: string, roots: readonly string[]): boolean {
  try {
    const canonical = files.canonical(location)
    return roots.some((root) => canonical.startsWith(root))
  } catch (error) {
    if (isKind(error, 'invalid') || isKind(error, 'unsupported')) return false
    throw error
  }
}
