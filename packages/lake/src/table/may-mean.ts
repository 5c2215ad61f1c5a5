import { isKind } from '@moulin/core'
import type { TableFiles } from '@moulin/core'

/**
 * The files that a location may mean, canonical. None for one elsewhere, which is below no prefix of ours: a file that somebody added
 * from there keeps nobody from settling.
 */
export function spellingsOf(tableFiles: TableFiles, uri: string): readonly string[] {
  try {
    return tableFiles.spellings(uri)
  } catch (error) {
    if (isKind(error, 'invalid', 'OUTSIDE_STORE')) return []
    throw error
  }
}

/**
 * The files below a table's folder that a location, or what begins so, may mean to whoever asks before he deletes: its spellings, and, where
 * it goes by another scheme or authority than the folder, each file whose name below the folder is the end of its path. Nobody need have
 * told that both are one place, and to what depth: what may be meant so is not deleted on doubt.
 *
 * @param folder As `folderOf` gives it.
 */
export function mayMean(tableFiles: TableFiles, folder: string, location: string): readonly string[] {
  const known = spellingsOf(tableFiles, location)
  const own = originOf(folder)
  const names = (known.length > 0 ? known : [location, decoded(location)]).flatMap((name) =>
    originOf(name) === own ? [] : endsOf(name).map((end) => folder + end),
  )
  return names.length === 0 ? known : [...known, ...names]
}

/** Scheme and authority; of `file:/x` and `/x` those of `file:///x`. */
function originOf(location: string): string {
  return /^[^/]*:\/\/[^/]*(?=\/)/.exec(location)?.[0] ?? 'file://'
}

function endsOf(location: string): string[] {
  const segments = location.replace(originOf(location), '').split('/')
  return segments.slice(1).map((_, at) => segments.slice(at + 1).join('/'))
}

function decoded(location: string): string {
  try {
    return decodeURIComponent(location)
  } catch {
    return location
  }
}
