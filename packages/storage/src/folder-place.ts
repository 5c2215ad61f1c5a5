import { checkKey, unsupported } from '@moulin/core'

/** The folder of the root that holds files on their way; `list` never shows it and no key reaches it. */
export const temporaryFolder = '.moulin-tmp'

// Of the common file systems: one name, and one path with its terminating zero.
const maxNameBytes = 255
const maxPathBytes = 4095

/** Where an object lies below the root. */
export interface Place {
  readonly key: string
  readonly path: string
  /** The folder that holds it. */
  readonly folder: string
}

/**
 * The place of a key. @throws `invalid` for a key that no store takes; `unsupported` for one that a folder cannot hold:
 * a segment above 255 bytes, a path above 4 095, or one inside the {@link temporaryFolder}.
 */
export function placeOf(root: string, key: string): Place {
  checkKey(key)
  const segments = key.split('/')
  for (const segment of segments) {
    const bytes = Buffer.byteLength(segment)
    if (bytes > maxNameBytes)
      throw refuse('KEY_SEGMENT_TOO_LONG', key, `has a segment of ${bytes} bytes; a file's name takes ${maxNameBytes}`)
  }
  if (isTemporary(segments[0]!))
    throw refuse('KEY_RESERVED', key, `lies in ${temporaryFolder}, which is the store's own`)
  const path = `${root}/${key}`
  const bytes = Buffer.byteLength(path)
  if (bytes > maxPathBytes)
    throw refuse('KEY_PATH_TOO_LONG', key, `gives a path of ${bytes} bytes; the system takes ${maxPathBytes}`)
  return { key, path, folder: path.slice(0, path.lastIndexOf('/')) }
}

/** Case does not help where the file system ignores it. */
export function isTemporary(name: string): boolean {
  return name.toLowerCase() === temporaryFolder
}

function refuse(code: string, key: string, why: string): Error {
  return unsupported(code, `The key ${JSON.stringify(key)} ${why}: use another key.`, { context: { key } })
}
