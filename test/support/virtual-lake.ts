/** A real log over a real table in virtual time, and what a stranger does to its rows. */
import { memoryCatalog } from '@moulin/catalog'
import type { Catalog, Log, ObjectStore, TableIdentifier } from '@moulin/core'
import { tableIdentifier } from '@moulin/core'
import { encodeBatch } from '@moulin/format'
import type { BatchRecord } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { openLog } from '@moulin/log'
import type { OpenLogOptions } from '@moulin/log'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { fileWal } from '@moulin/log'
import { allRows, byPartition, numbersOf, pick, replaceRows } from '../../packages/lake/src/foreign.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'

export interface VirtualLake {
  readonly runtime: VirtualRuntime
  readonly store: ObjectStore
  readonly catalog: Catalog
  open(options?: Partial<OpenLogOptions>): Promise<Log>
  /** What is read of data files from now on. */
  dataReads(): () => { readonly files: number; readonly bytes: number }
  /** Removes the rows of the table `default.<topic>` at these places, as a rewrite of another engine does. */
  deleteRows(topic: string, isGone: (partition: number, offset: bigint) => boolean): Promise<void>
  /** Resolves with the promise; virtual time moves on meanwhile. */
  settled<T>(promise: Promise<T>): Promise<T>
}

export function virtualLake(seed: number): VirtualLake {
  const runtime = virtualRuntime({ seed })
  const inner = hookedStore()
  const readers = new Set<(key: string, bytes: Uint8Array) => void>()
  const store = seenReads(inner, (key, bytes) => {
    for (const reader of readers) reader(key, bytes)
  })
  const catalog = memoryCatalog({ store, runtime })
  return {
    runtime,
    store,
    catalog,
    open: ({ wal = fileWal({ dir: '/lake/log/wal', segmentBytes: 64 * 1024 }), ...rest } = {}) =>
      openLog({ store, wal, tier: icebergTier({ catalog, threads: 0 }), runtime, ...rest }),
    dataReads() {
      const files = new Set<string>()
      let bytes = 0
      readers.add((key, read) => {
        if (!key.includes('/data/')) return
        files.add(key)
        bytes += read.length
      })
      return () => ({ files: files.size, bytes })
    },
    async deleteRows(topic, isGone) {
      // All that it takes of one.
      const log = { store, catalog, runtime, info: { table: `default.${topic}` } } as unknown as TestLog
      const rows = await allRows(log)
      const partitions = numbersOf(rows, '_kafka_partition')
      const offsets = numbersOf(rows, '_kafka_offset')
      const kept = Array.from({ length: rows.length }, (_, row) => row).filter(
        (row) => !isGone(partitions[row] as number, offsets[row] as bigint),
      )
      await replaceRows(log, kept.length === 0 ? [] : await byPartition(log, pick(rows, kept)))
    },
    async settled(promise) {
      let isDone = false
      const done = (): void => void (isDone = true)
      promise.then(done, done)
      for (let turns = 0; !isDone; turns++) {
        if (turns > 5_000) throw new Error('A call under test does not settle.')
        await runtime.clock.advance(turns < 50 ? 0 : 1_000)
      }
      return promise
    },
  }
}

/** The store; `seen` hears of all bytes that it gives. */
function seenReads(store: ObjectStore, seen: (key: string, bytes: Uint8Array) => void): ObjectStore {
  return {
    ...store,
    async get(key, options) {
      const found = await store.get(key, options)
      seen(key, found.bytes)
      return found
    },
    async getRanges(key, ranges, options) {
      const found = await store.getRanges(key, ranges, options)
      for (const bytes of found.parts) seen(key, bytes)
      return found
    },
  }
}

/** The identifier of the table that a topic has by default. */
export const tableOfTopic = (topic: string): TableIdentifier => tableIdentifier(`default.${topic}`)

/** Records as one batch, at offset 0. */
export function batchOf(
  records: readonly { readonly value: Uint8Array | null; readonly timestamp: bigint }[],
): Uint8Array {
  const framed: BatchRecord[] = records.map(({ value, timestamp }, at) => ({
    offset: BigInt(at),
    timestamp,
    timestampType: 'create',
    key: null,
    value,
    headers: [],
  }))
  return encodeBatch({ baseOffset: 0n, records: framed, timestampType: 'create' })
}
