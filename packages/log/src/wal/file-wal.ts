import { resolve } from 'node:path'
import { defaultLimits, invalid, type Wal } from '@moulin/core'
import { checkSegmentBytes } from './segment-file.ts'
import { takeOver } from './take-over.ts'
import { WalFollower } from './wal-follower.ts'

export interface FileWalOptions {
  /** Folder of the write-ahead files, on a local disk: network mounts do not keep what they sync. */
  readonly dir: string
  /** Size of a segment file; default {@link Limits.segmentBytes}. */
  readonly segmentBytes?: number
}

/**
 * The write-ahead tier on a local disk: preallocated segment files that are used again, and group commit with one write and one
 * fdatasync per flush. An ack survives the process and the machine's crash, not the disk. One writer at a time, fenced
 * by epoch folders; readers beside it write nothing.
 *
 * Spec: docs/formats/wal.md.
 */
export function fileWal({ dir, segmentBytes = defaultLimits.segmentBytes }: FileWalOptions): Wal {
  if (dir === '') throw invalid('WAL_DIR', 'fileWal needs a folder: dir is empty.')
  checkSegmentBytes(segmentBytes)
  const path = resolve(dir)
  return {
    name: `fileWal(${path})`,
    durability: 'disk',
    open: (options) =>
      options.access === 'read-only' ? WalFollower.begin(path, options) : takeOver(path, segmentBytes, options),
  }
}
