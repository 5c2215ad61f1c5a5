/** What a log does beside its appends: threads that encode events without pause, and readers that look for needles. */
import { join } from 'node:path'
import { defaultLimits, systemRuntime } from '@moulin/core'
import type { BatchRun, ObjectStore } from '@moulin/core'
import { openParquet, pooledDecodes, storeRangeReader } from '@moulin/format'
import { fileSystem } from '@moulin/storage'
import { encodeShards } from '../../packages/lake/src/encode/encode-shards.ts'
import type { ShardParts } from '../../packages/lake/src/encode/encode-shards.ts'
import { FIRST_VALUE_ID, tableSchema } from '../../packages/lake/src/table/system-columns.ts'
import { builtInParts } from '../../packages/lake/src/encode/tier-task.ts'
import type { TierSetup } from '../../packages/lake/src/encode/tier-task.ts'
import { tierPool, tierWorkers } from '../../packages/lake/src/encode/tier-workers.ts'
import type { TierPool } from '../../packages/lake/src/encode/tier-workers.ts'
import { eventRuns, eventsCodec } from '../shapes/event-batches.ts'
import { events } from '../shapes/events.ts'
import { encodeSetup } from '../shapes/tier-setup.ts'

export interface LoadOptions {
  readonly threads: number
  readonly readers: number
  readonly dir: string
}

export interface LoadFigures {
  readonly seconds: number
  /** Write-ahead bytes that became data files. */
  readonly encodedBytes: number
  readonly needleMs: readonly number[]
}

const rows = 200_000
const needleRows = 1_000

export interface TieringLoad {
  stop(): Promise<LoadFigures>
}

/** Starts the load, and returns when all of it is under way. */
export async function tieringLoad({ threads, readers, dir }: LoadOptions): Promise<TieringLoad> {
  const runtime = systemRuntime()
  const shape = events(rows)
  const codec = eventsCodec()
  const runs = eventRuns(shape, codec)
  const schema = tableSchema(shape.schema.fields.map((field, at) => ({ ...field, id: FIRST_VALUE_ID + at })))
  const setup = encodeSetup(schema, codec, 'zstd')
  const pool = tierPool({ threads, runtime })
  const stop = new AbortController()
  const figures = { encodedBytes: 0, needleMs: [] as number[] }
  const store = fileSystem({ root: join(dir, 'store'), files: runtime.files })
  const sizes: number[] = []
  await encodeOnce(pool, setup, runs, async ({ file }) => {
    sizes.push(file.bytes.length)
    await store.put(`${sizes.length - 1}.parquet`, file.bytes)
  })
  const start = performance.now()
  const encoder = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await encodeOnce(pool, setup, runs, async () => {})
      figures.encodedBytes += runs.reduce((sum, { batches }) => sum + batches.length, 0)
    }
  }
  const work = [
    ...Array.from({ length: threads }, encoder),
    ...Array.from({ length: readers }, (_, at) =>
      findNeedles(store, sizes[0]!, pool, at, figures.needleMs, stop.signal),
    ),
  ]
  return {
    async stop() {
      stop.abort()
      await Promise.all(work)
      await pool.close()
      return { seconds: (performance.now() - start) / 1000, ...figures }
    },
  }

  async function findNeedles(
    from: ObjectStore,
    size: number,
    threadsOf: TierPool,
    reader: number,
    times: number[],
    signal: AbortSignal,
  ): Promise<void> {
    const file = await openParquet(storeRangeReader(from, '0.parquet', size), { workers: pooledDecodes(threadsOf) })
    for (let at = reader * 7_919; !signal.aborted; at += 104_729) {
      const begun = performance.now()
      const rowGroup = at % file.rowGroups.length
      const rowStart = at % (file.rowGroups[rowGroup]!.rowCount - needleRows)
      const found = { start: rowStart, end: rowStart + needleRows }
      await file.read({ rowGroup, types: schema.fields, rows: found })
      times.push(performance.now() - begun)
    }
  }
}

async function encodeOnce(
  pool: TierPool,
  setup: TierSetup,
  runs: readonly BatchRun[],
  store: ShardParts['put'],
): Promise<void> {
  const parts: ShardParts = {
    workers: tierWorkers(pool),
    setup,
    tierParts: builtInParts,
    shardBytes: defaultLimits.shardBytes,
    async *read() {
      yield* runs
    },
    async put(held) {
      await store(held)
      held.release()
    },
  }
  await encodeShards(parts, [{ partition: 0, from: 0n, to: runs.at(-1)!.nextOffset }], undefined)
}
