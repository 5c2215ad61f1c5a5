import type { TableFiles } from '@moulin/core'

/** Names that say in any spelling what they say raw, and fit in any folder that has room for others like them. */
const plainName = /^[\w.=-]{1,200}$/
/** Of a key, with room for a plain name. */
const MAX_FOLDER = 700
/** Folders that are known; the others are looked at each time. */
const MAX_KNOWN = 10_000

/**
 * One name for each location of a table, however it is spelled: the first of its spellings. Of a plain name in a folder that is known it
 * follows from that of another: tables have few folders, and very many files.
 */
export function fileNames(tableFiles: Pick<TableFiles, 'spellings'>): (location: string) => string {
  const folders = new Map<string, string>()
  const nameOf = (location: string): string => tableFiles.spellings(location)[0]!
  return (location) => {
    const end = location.lastIndexOf('/') + 1
    if (end === 0 || end > MAX_FOLDER || !plainName.test(location.slice(end))) return nameOf(location)
    const folder = location.slice(0, end)
    let known = folders.get(folder)
    if (known === undefined) {
      known = nameOf(`${folder}x`).slice(0, -1)
      if (folders.size < MAX_KNOWN) folders.set(folder, known)
    }
    return known + location.slice(end)
  }
}
