import {
  checkOptions,
  conflict,
  corrupt,
  notFound,
  option,
  throwIfAborted,
  type OptionTable,
  type ProcessInfo,
  type Runtime,
  type Wal,
  type WalOptions,
  type WalReader,
  type WalWriter,
  type WalWriterOptions,
} from '@moulin/core'
import { MemoryWalReader } from './memory-wal-reader.ts'
import { MemoryWalSections } from './memory-wal-sections.ts'
import { MemoryWalWriter } from './memory-wal-writer.ts'
import { seededRandom } from './seeded-random.ts'

export interface MemoryWalOptions {
  /** Of the order in which flushes arrive. */
  readonly seed: number
  /** Flushes under way at a time. Default 4. */
  readonly maxInFlight?: number
}

const optionTable: OptionTable<MemoryWalOptions> = {
  seed: option.required(option.integer('', 0)),
  maxInFlight: option.integer('flushes', 1),
}

/**
 * A write-ahead tier in memory that is as unlike `fileWal` as the door allows. Several flushes are under way at once and arrive in any
 * order, some turns of the runtime's event loop later; offsets are given when a flush is committed, in the order of the appends, and
 * patched into what is read. A segment is a flush, so nothing is ever written to one again, nothing moves at a change of writers, and
 * readers are told by the writer itself. There is no disk to fill. What is committed stays as long as this object: open it again and again.
 */
export function memoryWal(options: MemoryWalOptions): Wal {
  checkOptions('memoryWal', options, optionTable)
  const { maxInFlight = 4 } = options
  const random = seededRandom(options.seed)
  const sections = new MemoryWalSections()
  let logId: string | undefined
  let owner: ProcessInfo | undefined

  const checkLog = (open: WalOptions, mustExist: boolean): void => {
    if (logId === undefined && mustExist) {
      throw notFound('WAL_MISSING', 'This memoryWal holds nothing: no writer has opened this log in it yet.')
    }
    if (logId !== undefined && logId !== open.logId) {
      throw corrupt('OTHER_LOG', `This memoryWal holds the write-ahead data of log ${logId}, not of ${open.logId}.`)
    }
  }

  const openWriter = async (open: WalWriterOptions): Promise<WalWriter> => {
    const { runtime, takeover, mustExist, signal } = open
    throwIfAborted(signal)
    checkLog(open, mustExist)
    if (takeover === 'refuse' && owner !== undefined && (await runs(owner, runtime))) {
      const sentence = `Process ${owner.pid} writes to this memoryWal and still runs: close it there, open read-only, or open with takeover 'newest'.`
      throw conflict('WRITER_ALIVE', sentence, { context: { pid: owner.pid } })
    }
    // The older writer commits nothing from here on.
    const epoch = sections.nextEpoch()
    const self = (owner = runtime.process)
    const release = (): void => {
      if (owner === self && sections.epoch === epoch) owner = undefined
    }
    try {
      await open.beforeRecovery()
      throwIfAborted(signal)
      sections.checkFence(epoch)
      for (const { header, location } of sections.recovered(open.isLive)) open.recover(header, location)
    } catch (error) {
      release()
      throw error
    }
    logId = open.logId
    return new MemoryWalWriter({ open, sections, random, epoch, maxInFlight, release })
  }

  return {
    name: 'memoryWal',
    durability: 'memory',
    offsets: 'assigned',
    logId: async () => logId,
    openWriter,
    async openReader(open): Promise<WalReader> {
      throwIfAborted(open.signal)
      checkLog(open, true)
      const reader = new MemoryWalReader(sections, open)
      await reader.refresh()
      throwIfAborted(open.signal)
      return reader
    },
  }
}

/** Whether the process that opened it as writer, and did not close it, still runs. */
async function runs({ bootId, pid, startTime }: ProcessInfo, { process }: Runtime): Promise<boolean> {
  return bootId === process.bootId && (await process.startTimeOf(pid)) === startTime
}
