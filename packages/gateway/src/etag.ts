import { createHash } from 'node:crypto'
import type { LoadedTable } from '@moulin/core'

/** Which snapshots a table is given with. */
export type SnapshotsMode = 'all' | 'refs'

/**
 * Of a table as it is answered: each version of its metadata has a location of its own, unless its folder was emptied by hand and the
 * table made anew, which then has another UUID. Credentials that come with it are part of it:
 * who asks for others has not had them. A weak one: it says nothing of bytes.
 */
export function etagOf(
  { metadata, metadataLocation }: Pick<LoadedTable, 'metadata' | 'metadataLocation'>,
  mode: SnapshotsMode,
  vended: object,
): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([mode, metadata['table-uuid'], metadataLocation, vended]))
    .digest('base64url')
  return `W/"${digest.slice(0, 32)}"`
}

/** Whether one of the tags of an `If-None-Match` header is this one: RFC 9110, 13.1.2, the weak comparison. */
export function matches(header: string | null, etag: string): boolean {
  if (header === null) return false
  if (header.trim() === '*') return true
  return header.split(',').some((tag) => opaque(tag) === opaque(etag))
}

const opaque = (tag: string): string => tag.trim().replace(/^W\//i, '')
