import { checkOptions, folderOf, option, unsupported, type Files, type OptionTable, type Wal } from '@moulin/core'
import { segmentBytesFor } from './disk-space.ts'
import { makeDurableFolder } from './durable-folder.ts'
import { listEpochs, newestInfo } from './epoch-folder.ts'
import { segmentBytesCheck } from './segment-file.ts'
import { takeOver } from './take-over.ts'
import { FileWalReader } from './wal-reader.ts'

export interface FileWalOptions {
  /** Folder of the write-ahead files, by path or `file:` URL, on a local disk: network mounts do not keep what they sync. */
  readonly dir: string | URL
  /** Size of a segment file, at most; default the log's limit {@link Limits.segmentBytes}. On a small disk it is a 32nd of that. */
  readonly segmentBytes?: number
  /** Default `refuse`: a writer on a network mount could lose what it acked, or share the log with another writer. */
  readonly networkMount?: 'refuse' | 'allow'
}

const optionTable: OptionTable<FileWalOptions> = {
  dir: option.required(option.place),
  segmentBytes: segmentBytesCheck,
  networkMount: option.oneOf('refuse', 'allow'),
}

/**
 * The write-ahead tier on a local disk: preallocated segment files that are used again, and group commit with one write per flush, which
 * syncs (O_DSYNC) or is followed by one fdatasync: see `FileHandle.isSynced`. An ack survives the process and the machine's crash, not the disk. One writer at a time, fenced
 * by epoch folders; readers beside it write nothing. It does not store which records are aborted: a section with such ranges is refused
 * by its append, `unsupported` code `ABORTED_RANGES`.
 *
 * @throws `invalid` for a bad option; `unsupported` code `STORE_SCHEME` for a `dir` that is a URL of something else.
 *
 * Spec: docs/formats/wal.md.
 */
export function fileWal(options: FileWalOptions): Wal {
  checkOptions('fileWal', options, optionTable)
  const { dir, segmentBytes, networkMount = 'refuse' } = options
  const path = folderOf('fileWal', dir)
  return {
    name: `fileWal(${path})`,
    durability: 'disk',
    offsets: 'given',
    async logId({ runtime: { files } }) {
      return (await newestInfo(files, path, await listEpochs(files, path)))?.logId
    },
    async openWriter(open) {
      const { files } = open.runtime
      const bytes = segmentBytes ?? open.limits.segmentBytes
      checkOptions('fileWal', { segmentBytes: bytes }, { segmentBytes: segmentBytesCheck })
      await makeDurableFolder(files, path)
      if (networkMount === 'refuse') await refuseNetwork(files, path)
      return takeOver(path, await segmentBytesFor(files, path, bytes), open)
    },
    openReader: (open) => FileWalReader.begin(path, open),
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
