import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { fileSystem, fileWal, icebergTier, objectStoreCatalog, openLog, systemRuntime } from 'moulin'
import type { Log, LogRecord, Position, StorageOptions, Wal } from 'moulin'
import { digestOf, digestsIn } from './digests.ts'
import { quantile, round } from './report.ts'

/**
 * The second process of the flights example. It has no schema in its code and nothing cached: it opens the folder
 * (or the bucket of `--store`) read-only, reads records by position, decodes them by what the log stored, and compares each with the digest that
 * the first process wrote at `send`. Prints one line of JSON.
 */
const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    store: { type: 'string' },
    storage: { type: 'string' },
    digests: { type: 'string' },
    topic: { type: 'string' },
    seed: { type: 'string' },
  },
})
const ordered = 10_000
const single = 100

const walReads = { count: 0 }
const log = await (values.store === undefined
  ? openFolder(values.dir!, walReads)
  : openBucket({ url: values.store, storage: values.storage!, walDir: values.dir! }, walReads))
const topic = await log.topic(values.topic!)
const ends = topic.offsets().map(({ highWatermark }) => highWatermark)
const digests = digestsIn(values.digests!, topic.partitions)

const positions = randomPositions(ordered + single, Number(values.seed ?? 1))
const inOrder = positions.slice(0, ordered).sort((a, b) => a.partition - b.partition || (a.offset < b.offset ? -1 : 1))
let equal = 0
let decoded = 0
const start = performance.now()
for await (const record of topic.readAt(inOrder)) check(record)
const orderedSeconds = (performance.now() - start) / 1000

const seekMs: number[] = []
for (const position of positions.slice(ordered)) {
  const begun = performance.now()
  for await (const record of topic.readAt([position])) check(record)
  seekMs.push(performance.now() - begun)
}
await log.close()
digests.close()
const wanted = ordered + single
console.log(
  JSON.stringify({
    equal,
    decoded,
    wanted,
    walReads: walReads.count,
    orderedSeconds: round(orderedSeconds),
    seekP50Ms: round(quantile(seekMs, 0.5)),
    seekP99Ms: round(quantile(seekMs, 0.99)),
  }),
)
process.exitCode = equal === wanted && decoded === wanted && walReads.count === 0 ? 0 : 1

function check(record: LogRecord | undefined): void {
  if (record === undefined) return
  const digest = digestOf(record.key, record.bytes, record.headers)
  if (record.fidelity === 'exact' && digest === digests.read(record.partition, record.offset)) equal++
  if (record.error === undefined && typeof (record.value as { origin?: unknown }).origin === 'string') decoded++
}

// mulberry32: the same places for the same seed.
function randomPositions(count: number, seed: number): Position[] {
  let state = seed >>> 0
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
  const total = ends.reduce((sum, end) => sum + Number(end), 0)
  return Array.from({ length: count }, () => {
    let index = Math.floor(random() * total)
    let partition = 0
    while (index >= Number(ends[partition]!)) index -= Number(ends[partition++]!)
    return { partition, offset: BigInt(index) }
  })
}

/** The embedded default, put together by hand so that every record served from the write-ahead tier is counted. */
async function openFolder(dir: string, reads: { count: number }): Promise<Log> {
  const runtime = systemRuntime()
  const store = fileSystem({ root: resolve(dir), files: runtime.files })
  const wal = fileWal({ dir: resolve(dir, 'log/wal') })
  const tier = icebergTier({
    catalog: objectStoreCatalog({ store, prefix: 'tables/', runtime, access: 'read-only' }),
    threads: 1,
  })
  return openLog({ store, wal: countingReads(wal, reads), tier, runtime, access: 'read-only' })
}

function openBucket(
  place: { readonly url: string; readonly storage: string; readonly walDir: string },
  reads: { count: number },
): Promise<Log> {
  return openLog(place.url, {
    access: 'read-only',
    threads: 1,
    wal: countingReads(fileWal({ dir: place.walDir }), reads),
    storage: JSON.parse(place.storage) as StorageOptions,
  })
}

function countingReads(wal: Wal, reads: { count: number }): Wal {
  return {
    ...wal,
    async openReader(options) {
      const session = await wal.openReader(options)
      return new Proxy(session, {
        get(target, name) {
          if (name === 'read') reads.count++
          const member: unknown = Reflect.get(target, name, target)
          return typeof member === 'function' ? (member.bind(target) as unknown) : member
        },
      })
    },
  }
}
