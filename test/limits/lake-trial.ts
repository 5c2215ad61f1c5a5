/** What is written under some limits, moved into the table, released, and read by a log that is opened anew. */
import { objectStoreCatalog } from '@moulin/catalog'
import type { Limits, Log, LogRecord, ObjectStore, Topic, TopicConfig, Wal } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import type { VirtualRuntime } from '@moulin/testing'
import { expect } from 'vitest'
import { collect, LAKE, machine, WAL } from '../log/machine.ts'
import type { Machine } from '../log/machine.ts'

export type Put = (topic: Topic<never>) => Promise<unknown>

export interface LakeTrial {
  /** Of the log that writes; the one that reads has the defaults. */
  readonly limits?: Partial<Limits>
  readonly readLimits?: Partial<Limits>
  readonly config?: TopicConfig<never>
  readonly put: Put
}

export interface TrialResult {
  /** From the write-ahead tier, by a log opened anew. */
  readonly hot: readonly LogRecord[]
  /** From the table alone, by a log opened anew. */
  readonly cold: readonly LogRecord[]
  /** Bytes of each section that was written, in order. */
  readonly sections: readonly number[]
}

export interface LakeParts {
  /** Gets the bytes of each section that is written. */
  readonly sections?: number[]
  /** Counts the sections that are read from disk. */
  readonly reads?: { count: number }
  readonly threads?: number
  /** Undefined: as the limits say. */
  readonly segmentBytes?: number | undefined
  readonly store?: ObjectStore
  readonly runtime?: VirtualRuntime
}

export function openLake(on: Machine, limits: Partial<Limits> = {}, parts: LakeParts = {}): Promise<Log> {
  const { threads = 0, runtime = on.runtime() } = parts
  const store = parts.store ?? fileSystem({ root: LAKE, files: runtime.files, timers: runtime.timers })
  const catalog = objectStoreCatalog({ store, runtime })
  const segmentBytes = 'segmentBytes' in parts ? parts.segmentBytes : 64 * 1024
  const wal = notedWal(fileWal({ dir: WAL, ...(segmentBytes !== undefined && { segmentBytes }) }), parts)
  return openLog({ store, wal, tier: icebergTier({ catalog, threads }), runtime, limits, graceMs: 3_600_000 })
}

/** Puts, reads hot in a second process, tiers and releases there, and reads cold in a third. */
export async function throughTheTable({ limits, readLimits, config = {}, put }: LakeTrial): Promise<TrialResult> {
  const on = machine()
  const sections: number[] = []
  const writer = await openLake(on, limits, { sections })
  await put((await writer.ensureTopic('t', config)) as Topic<never>)
  await writer.close()

  const second = await openLake(on, readLimits)
  const topic = await second.topic('t')
  const hot = await everyRecord(topic)
  const { rows } = await topic.tier()
  expect(rows).toBe(hot.length)
  await second.releaseNow()
  for (const { released, highWatermark } of topic.offsets()) expect(released).toBe(highWatermark)
  await second.close()

  const third = await openLake(on, readLimits)
  const again = await third.topic('t')
  const cold = await everyRecord(again)
  expect((await again.audit()).clean).toBe(true)
  expect(await again.scan().count()).toBe(cold.length)
  await third.close()
  return { hot, cold, sections }
}

/** By partition, in offset order. */
export async function everyRecord(topic: Topic<unknown>): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  for (let partition = 0; partition < topic.partitions; partition++)
    all.push(...(await collect(topic.read({ partition, to: 'end' }))))
  return all
}

/** What a producer sent of a record, for a comparison. */
export const contentOf = ({ key, bytes, headers }: Pick<LogRecord, 'key' | 'bytes' | 'headers'>): unknown => ({
  key: text(key),
  bytes: text(bytes),
  headers: headers.map(([name, value]) => [name, text(value)]),
})

const text = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString('latin1')

function notedWal(wal: Wal, { sections, reads }: LakeParts): Wal {
  return {
    ...wal,
    async openWriter(options) {
      const session = await wal.openWriter(options)
      const append = session.append.bind(session)
      const read = session.read.bind(session)
      session.append = (section) => {
        sections?.push(section.batches.length)
        return append(section)
      }
      session.read = (location, call) => {
        if (reads !== undefined) reads.count++
        return read(location, call)
      }
      return session
    },
  }
}
