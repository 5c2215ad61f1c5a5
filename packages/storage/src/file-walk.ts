import type { DirectoryEntry, ListOptions, ObjectInfo } from '@moulin/core'
import { checkKey, compareKeys, isKind, throwIfAborted } from '@moulin/core'
import type { DurableFolders } from './durable-folders.ts'
import { infoOf } from './file-info.ts'
import { isTemporary } from './folder-place.ts'
import type { StoreFiles } from './held-files.ts'

/**
 * The files below the root as objects, in byte order of their keys. What no key can name (links, devices, names with
 * control characters) and the temporary folder are left out.
 */
export async function* walkFiles(
  files: StoreFiles,
  folders: DurableFolders,
  root: string,
  options: ListOptions,
): AsyncIterable<ObjectInfo> {
  const { prefix = '', after = '', signal } = options
  throwIfAborted(signal)
  // Only the folder that the prefix names is walked: prefixes reach into it by string, not by path.
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  if (!canBeFolder(base)) return
  if (base !== '' && !(await folders.confine(`${root}/${base.slice(0, -1)}`))) return
  yield* walk(base)

  async function* walk(keyPrefix: string): AsyncIterable<ObjectInfo> {
    const folder = keyPrefix === '' ? root : `${root}/${keyPrefix.slice(0, -1)}`
    for (const { name, kind } of inKeyOrder(await entriesOf(folder))) {
      throwIfAborted(signal)
      const key = keyPrefix + name
      if (kind === 'directory') {
        if (keyPrefix === '' && isTemporary(name)) continue
        const below = `${key}/`
        const mayMatch = below.startsWith(prefix) || prefix.startsWith(below)
        const mayFollow = after.startsWith(below) || compareKeys(after, below) < 0
        if (mayMatch && mayFollow) yield* walk(below)
      } else if (kind === 'file' && key.startsWith(prefix) && compareKeys(after, key) < 0 && isKey(key)) {
        const stat = await files.stat(`${folder}/${name}`)
        if (stat?.kind === 'file') yield infoOf(key, stat)
      }
    }
  }

  async function entriesOf(folder: string): Promise<DirectoryEntry[]> {
    try {
      await folders.look(folder)
      return await files.readdir(folder)
    } catch (error) {
      if (isKind(error, 'not-found')) return []
      throw error
    }
  }
}

// A folder sorts by its name and the slash that follows it in every key: "a.b" comes before "a/b", "a0" after.
function inKeyOrder(entries: readonly DirectoryEntry[]): DirectoryEntry[] {
  return entries
    .map((entry) => ({ entry, bytes: Buffer.from(entry.kind === 'directory' ? `${entry.name}/` : entry.name) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ entry }) => entry)
}

function canBeFolder(base: string): boolean {
  const segments = base.split('/').slice(0, -1)
  return (
    segments.every((segment) => isKey(segment) && Buffer.byteLength(segment) <= 255) &&
    (segments.length === 0 || !isTemporary(segments[0]!))
  )
}

function isKey(key: string): boolean {
  try {
    checkKey(key)
    return true
  } catch {
    return false
  }
}
