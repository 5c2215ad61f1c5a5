import type { FileStat, ObjectInfo } from '@moulin/core'

/** A file as an object. The tag is the file's identity, time and size: see `TemporaryFiles` for why that is enough. */
export function infoOf(key: string, stat: FileStat): ObjectInfo {
  return { key, size: stat.size, etag: etagOf(stat), modifiedMs: stat.modifiedMs }
}

export function etagOf({ inode, modifiedMs, size }: FileStat): string {
  return `"${inode}-${modifiedMs}-${size}"`
}
