/**
 * The record batches of 1 M events to data files through the real pool of the cold tier, in the shards of a commit, with
 * one thread and with two. `none` encodes in the calling thread. Wall time always: threads shall make it shorter.
 */
import { defaultLimits, systemRuntime } from '@moulin/core'
import type { BatchRun } from '@moulin/core'
import { encodeShards } from '../../packages/lake/src/encode/encode-shards.ts'
import { FIRST_VALUE_ID, tableSchema } from '../../packages/lake/src/table/system-columns.ts'
import { builtInParts } from '../../packages/lake/src/encode/tier-task.ts'
import type { TierSetup } from '../../packages/lake/src/encode/tier-task.ts'
import { tierPool, tierWorkers } from '../../packages/lake/src/encode/tier-workers.ts'
import type { TierWorkers } from '../../packages/lake/src/encode/tier-workers.ts'
import { medians, timed } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { eventRuns, eventsCodec } from '../shapes/event-batches.ts'
import { events } from '../shapes/events.ts'
import { encodeSetup } from '../shapes/tier-setup.ts'

export const bench: Bench = async (print, options) => {
  const shape = events(options.rows)
  const codec = eventsCodec()
  const runs = eventRuns(shape, codec)
  const schema = tableSchema(shape.schema.fields.map((field, at) => ({ ...field, id: FIRST_VALUE_ID + at })))
  const runtime = systemRuntime()
  const pools = [1, 2].map((threads) => tierPool({ threads, runtime }))
  const wall = { ...options, clock: 'wall' } as const
  for (const compression of ['snappy', 'zstd'] as const) {
    const name = `events/${compression}`
    if (!name.includes(options.only)) continue
    const setup = encodeSetup(schema, codec, compression)
    const bytes: number[] = []
    const by = (workers: TierWorkers) => () =>
      timed(wall, async () => {
        bytes.push(await encode(workers, setup, runs))
      })
    const ms = await medians(wall, {
      none: by(tierWorkers(undefined)),
      one: by(tierWorkers(pools[0])),
      two: by(tierWorkers(pools[1])),
    })
    if (new Set(bytes).size > 1) throw new Error('The number of threads changed the files.')
    const [none, one, two] = [ms['none']!, ms['one']!, ms['two']!]
    const line = { bench: 'workers', unit: 'ms' }
    print({ ...line, case: `${name}/1 thread`, value: one, peer: 'no thread', ratio: one / none })
    // 1.5 times as fast with two.
    print({
      ...line,
      case: `${name}/2 threads`,
      value: two,
      peer: '1 thread',
      ratio: two / one,
      reach: { ratio: 1 / 1.5 },
    })
  }
  await Promise.all(pools.map((pool) => pool.close()))
}

/** Bytes of the files. */
async function encode(workers: TierWorkers, setup: TierSetup, runs: readonly BatchRun[]): Promise<number> {
  let bytes = 0
  const parts = {
    workers,
    setup,
    tierParts: builtInParts,
    shardBytes: defaultLimits.shardBytes,
    async *read() {
      yield* runs
    },
    async put({ file, release }: { readonly file: { readonly bytes: Uint8Array }; release(): void }) {
      bytes += file.bytes.length
      release()
    },
  }
  await encodeShards(parts, [{ partition: 0, from: 0n, to: runs.at(-1)!.nextOffset }], undefined)
  return bytes
}
