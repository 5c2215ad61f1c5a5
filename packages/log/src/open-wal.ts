import {
  invalid,
  type Limits,
  type ObjectStore,
  type Runtime,
  type TornTail,
  type Wal,
  type WalOptions,
  type WalReader,
  type WalWriter,
} from '@moulin/core'
import { worstOf } from './chores/failures.ts'
import type { HotLog } from './hot/hot-log.ts'
import type { CheckpointStore } from './stored/checkpoint-store.ts'
import { withWayBack } from './stored/stored-damage.ts'

export interface OpenWalOptions {
  readonly wal: Wal
  readonly access: 'read-write' | 'read-only'
  readonly takeover: 'refuse' | 'newest'
  readonly runtime: Runtime
  readonly limits: Limits
  readonly logId: string
  readonly store: ObjectStore
  readonly checkpoints: CheckpointStore
  /** What is told of every section that lives. */
  readonly hot: HotLog
  readonly signal: AbortSignal | undefined
}

/** The write-ahead tier of an open log. */
export interface OpenedWal {
  /** Of a log that is open for reading only: one that writes nothing, has nothing to fence, and frees nothing. */
  readonly writer: WalWriter
  /** Of a log that is open for reading only. */
  readonly reader: WalReader | undefined
  /** Tails that were cut. */
  readonly torn: readonly TornTail[]
}

/** Opens the writer or a reader, and tells `hot` what is there. */
export async function openWal(options: OpenWalOptions): Promise<OpenedWal> {
  const { wal, access, takeover, runtime, limits, logId, store, checkpoints, hot, signal } = options
  const common: WalOptions = {
    runtime,
    limits,
    logId,
    store,
    beforeRecovery: async () => hot.begin(await withWayBack(checkpoints.newest())),
    isLive: (header) => hot.isLive(header),
    recover: (header, at) => hot.recover(header, at),
    ...(signal === undefined ? {} : { signal }),
  }
  if (access === 'read-only') {
    const reader = await wal.openReader({ ...common, isAcked: (header) => hot.isAcked(header) })
    return { writer: noWriter(wal, reader), reader, torn: [] }
  }
  const torn: TornTail[] = []
  const writer = await wal.openWriter({
    ...common,
    takeover,
    mustExist: (await withWayBack(checkpoints.newest())) !== undefined,
    nextOffset: (...life) => hot.nextOffset(...life),
    onTornTail: (report) => {
      torn.push(report)
      runtime.logger.warn(
        { ...report },
        'The write-ahead tail was cut behind the last good section: what follows was never acked',
      )
    },
  })
  return { writer, reader: undefined, torn }
}

/** What stands in the writer's stead in a log that only reads. */
function noWriter({ name }: Wal, reader: WalReader): WalWriter {
  return {
    get epoch() {
      return reader.epoch
    },
    rejections: 0,
    failing: worstOf([]),
    append: () => Promise.reject(invalid('READ_ONLY', `${name} is open for reading only.`)),
    read: (location, options) => reader.read(location, options),
    release: (locations) => reader.release(locations),
    checkFence: async () => {},
    sparse: () => [],
    space: async () => undefined,
    usage: () => reader.usage(),
    close: () => reader.close(),
  }
}
