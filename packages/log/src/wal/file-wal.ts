import { resolve } from 'node:path'
import { invalid, unsupported, type Files, type Wal } from '@moulin/core'
import { segmentBytesFor } from './disk-space.ts'
import { makeDurableFolder } from './durable-folder.ts'
import { checkSegmentBytes } from './segment-file.ts'
import { takeOver } from './take-over.ts'
import { WalFollower } from './wal-follower.ts'

export interface FileWalOptions {
  /** Folder of the write-ahead files, on a local disk: network mounts do not keep what they sync. */
  readonly dir: string
  /** Size of a segment file, at most; default the log's limit {@link Limits.segmentBytes}. On a small disk it is a 32nd of that. */
  readonly segmentBytes?: number
  /** Default `refuse`: a writer on a network mount could lose what it acked, or share the log with another writer. */
  readonly networkMount?: 'refuse' | 'allow'
}

/**
 * The write-ahead tier on a local disk: preallocated segment files that are used again, and group commit with one write and one
 * fdatasync per flush. An ack survives the process and the machine's crash, not the disk. One writer at a time, fenced
 * by epoch folders; readers beside it write nothing.
 *
 * Spec: docs/formats/wal.md.
 */
export function fileWal(options: FileWalOptions): Wal {
  const { dir, segmentBytes, networkMount = 'refuse' } = options
  if (dir === '') throw invalid('WAL_DIR', 'fileWal needs a folder: dir is empty.')
  if (networkMount !== 'refuse' && networkMount !== 'allow') {
    throw invalid('NETWORK_MOUNT', `networkMount ${String(networkMount)} is neither 'refuse' nor 'allow'.`)
  }
  if (segmentBytes !== undefined) checkSegmentBytes(segmentBytes)
  const path = resolve(dir)
  return {
    name: `fileWal(${path})`,
    durability: 'disk',
    async open(open) {
      if (open.access === 'read-only') return WalFollower.begin(path, open)
      const { files } = open.runtime
      const bytes = segmentBytes ?? open.limits.segmentBytes
      checkSegmentBytes(bytes)
      await makeDurableFolder(files, path)
      if (networkMount === 'refuse') await refuseNetwork(files, path)
      return takeOver(path, await segmentBytesFor(files, path, bytes), open)
    },
  }
}

async function refuseNetwork(files: Files, dir: string): Promise<void> {
  if ((await files.mountOf(dir)) === 'local') return
  throw unsupported(
    'NETWORK_MOUNT',
    `${dir} lies on a network mount, where fdatasync and rename may promise less than a local disk: use one, or say networkMount: 'allow'.`,
    { context: { dir } },
  )
}
