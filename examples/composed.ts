/**
 * A log composed from its parts by hand, as `openLog('./lake')` does it for a folder: any of them may be one of your own. Here the store is
 * one (it counts what it is asked for), all else comes with the package. `examples/store-sqlite.ts` writes a store from nothing.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
// #region composed
import {
  fileSystem,
  fileWal,
  icebergTier,
  json,
  objectStoreCatalog,
  openLog,
  schema,
  single,
  stringifyJson,
} from 'moulin'
import { systemRuntime, t } from 'moulin'
import type { Logger, ObjectStore } from 'moulin'
// #endregion composed

const lake = process.argv[2] ?? join(mkdtempSync(join(tmpdir(), 'moulin-')), 'my lake')

/** Any store, with its calls counted. Streams and calls over many keys are those of the store inside. */
function counted(inner: ObjectStore, counts: Map<string, number>): ObjectStore {
  const count = (call: string): void => void counts.set(call, (counts.get(call) ?? 0) + 1)
  return {
    ...inner,
    name: `counted(${inner.name})`,
    get(key, options) {
      count('get')
      return inner.get(key, options)
    },
    put(key, bytes, options) {
      count(options?.mode === 'create' ? 'create' : 'put')
      return inner.put(key, bytes, options)
    },
  }
}

const warnings: string[] = []
const logger: Logger = {
  debug() {},
  info() {},
  warn: (_fields, message) => void warnings.push(message),
  error: (_fields, message) => void warnings.push(message),
}

// #region composed-log
const runtime = systemRuntime({ logger }) // clock, chance, timers, disk: a test gives one that it owns
const counts = new Map<string, number>()
const store = counted(fileSystem({ root: lake, runtime }), counts) // topics, checkpoints, schemas, tables
const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime }) // which version of a table counts
const log = await openLog({
  store,
  wal: fileWal({ dir: `${lake}/log/wal`, segmentBytes: 1024 * 1024 }), // what an ack is durable in
  sequencer: single(), // who gives the offsets; this one is the default
  tier: icebergTier({ catalog, compression: 'zstd', threads: 0 }), // where history goes; a user's own is a ColdTier
  limits: { commitBytes: 4 * 1024 * 1024, maxRecordBytes: 64 * 1024 },
  graceMs: 60_000, // how long the write-ahead copy outlives its commit
  runtime,
})
// #endregion composed-log

const Reading = schema({ sensor: t.string, celsius: t.double })
const readings = await log.ensureTopic('readings', { value: json(Reading), table: 'lab.readings', partitions: 2 })
const producer = readings.producer()
await Promise.all(
  Array.from({ length: 100 }, (_, at) =>
    producer.send({ key: `s${at % 7}`, value: { sensor: `s${at % 7}`, celsius: at / 4 } }),
  ),
)
await producer
  .send({ value: { sensor: 'x'.repeat(100_000), celsius: 0 } })
  .catch((error: Error & { code?: string }) => {
    console.log(`refused by a limit of its own: ${error.code}`)
  })
const { rows } = await readings.tier()
await log.releaseNow()
const { clean } = await readings.audit()
console.log(
  `${rows} rows in lab.readings, audit ${clean ? 'clean' : 'not clean'}, ${await readings.scan().count()} scanned`,
)
console.log(`the store was asked for ${counts.get('create')} creates and ${counts.get('get')} gets`)
console.log(`topic: ${stringifyJson(readings.offsets())}`) // 64-bit offsets as JSON numbers
console.log(`warnings: ${warnings.length}`)
await log.close()
