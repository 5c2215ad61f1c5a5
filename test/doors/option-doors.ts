import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as catalogPackage from '@moulin/catalog'
import * as corePackage from '@moulin/core'
import type {
  AuditOptions,
  FetchOptions,
  GetOptions,
  AdoptTableOptions,
  JudgeTableOptions,
  ListOptions,
  Log,
  ObjectStore,
  Producer,
  ProducerOptions,
} from '@moulin/core'
import type { OffsetForOptions, PutOptions, ReadOptions, ScanOptions, Topic, TopicConfig } from '@moulin/core'
import { day, systemRuntime } from '@moulin/core'
import * as formatPackage from '@moulin/format'
import type { FileWriterOptions, OpenParquetOptions, ParquetFile, ParquetReadRequest } from '@moulin/format'
import * as secondOpinionPackage from '@moulin/format/second-opinion'
import * as gatewayPackage from '@moulin/gateway'
import * as icebergPackage from '@moulin/iceberg'
import * as lakePackage from '@moulin/lake'
import * as logPackage from '@moulin/log'
import * as moulinPackage from 'moulin'
import * as telemetryPackage from 'moulin/opentelemetry'
import * as storagePackage from '@moulin/storage'
import * as azurePackage from '@moulin/storage-azure'
import * as gcsPackage from '@moulin/storage-gcs'
import * as s3Package from '@moulin/storage-s3'
import * as testingPackage from '@moulin/testing'

const { catalogConformance, catalogConformanceChecks, faultyCatalog, faultyStore, hookedStore } = testingPackage
const { objectStoreConformance, simulatedDisk, virtualClock, virtualRuntime } = testingPackage
const { fileSystem, memory, probeStore } = storagePackage
const { memoryCatalog, objectStoreCatalog } = catalogPackage
const { json, openParquet, parquetWriter } = formatPackage
const { openFolder, openLog } = moulinPackage
const secondWriter = await secondOpinionPackage.hyparquetWriter()

/** A public function or method with options, and how it takes each: values that it refuses beside NaN, null and a wrong type. */
export interface Door {
  readonly name: string
  /** Calls it; what it gives is closed again by the test. */
  readonly call: (options: never) => unknown
  /** Options that it takes: the required ones, and others where only they make sense. */
  readonly valid: object
  readonly options: Readonly<Record<string, readonly unknown[]>>
}

/** `T` is what the function takes: the compiler asks for an option that is missing here. */
function door<T extends object>(
  name: string,
  call: (options: T) => unknown,
  options: { readonly [K in keyof T]-?: readonly unknown[] },
  valid: T,
): Door {
  return { name, call, options: options as Door['options'], valid }
}

/** On the simulated disks and, where a runtime is left out, on this one: for the test to remove. */
export const place: string = mkdtempSync(join(tmpdir(), 'moulin-options-'))
const runtime = (): testingPackage.VirtualRuntime => virtualRuntime({ seed: 1 })
export const store: ObjectStore = memory()
await store.put('a', new Uint8Array(8))
/** Each has calls of its own, or those that `defineObjectStore` fills in. */
const objectStores: readonly (readonly [string, ObjectStore])[] = [
  ['ObjectStore', store],
  ['A filled ObjectStore', faultyStore(store)],
  ['A fileSystem', fileSystem({ root: '/srv', runtime: virtualRuntime({ seed: 1 }) })],
]
export const catalog: corePackage.Catalog = memoryCatalog({ store, runtime: runtime() })
const schema = corePackage.schema({ id: corePackage.t.int53 })
const iceberg = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] } as const
const codec = json(schema)
await catalog.createTable({ namespace: ['default'], name: 'read' }, { schema: iceberg })
const opened = await lakePackage.openTable({ catalog, table: 'default.read', stores: store, threads: 0 })
const feed = new URL('data:text/javascript,export default () => []')
/** Of an option that is a function. */
export const noFunction: readonly unknown[] = [{}, true]
const noSignal = [{}, 'now', new AbortController()]
const badBytes = [0, -1, 1.5, '64', 2n]
const badMs = [-1, Infinity, '5']
const badFlag = ['yes', 0, 1]
const badAccess = ['readonly', 'write', true]
const badOnBroken = ['ignore', true]
const badPart = ['a', {}, 5]
const badCaps = [{ maxAvroFileBytes: 0 }, { maxAvro: 1 }, { maxParquetColumns: '1' }, []]
const badLimits = [{ maxBatchBytes: 0 }, { maxBatch: 1 }, { maxBatchBytes: '1' }, []]
const badOffset = [5, 1.5, '5', 2n ** 63n]

function composed(): logPackage.OpenLogOptions {
  const own = runtime()
  const wal = logPackage.fileWal({ dir: join(place, 'log/wal'), segmentBytes: 16_384 })
  return { store: fileSystem({ root: place, files: own.files }), wal, runtime: own }
}

async function openTopic(): Promise<{ log: Log; topic: Topic<{ id: number }>; producer: Producer<{ id: number }> }> {
  const options = composed()
  const tier = lakePackage.icebergTier({
    catalog: memoryCatalog({ store: options.store, runtime: options.runtime! }),
    threads: 0,
  })
  const log = await openLog({ ...options, tier })
  const topic = await log.ensureTopic('orders', { value: codec })
  const producer = topic.producer({ lingerMs: 0 })
  await producer.send({ value: { id: 1 } })
  await topic.tier()
  await producer.send({ value: { id: 2 } })
  return { log, topic, producer }
}
const SENT_MS = Date.UTC(2026, 0, 1)

function oneBatch(): Uint8Array {
  const builder = formatPackage.recordBatchBuilder()
  builder.append({ key: null, value: codec.encode({ id: 9 }), headers: [], timestamp: SENT_MS })
  return builder.finish()
}
function smallBytes(): Uint8Array {
  return parquetWriter.create({ schema: iceberg }).finish().bytes
}
function avroFile(): Uint8Array {
  return formatPackage.writeAvroFile({ schema: 'int', records: [1] })
}
function loadedTable(): corePackage.LoadedTable {
  const identifier = { namespace: ['a'], name: 't' }
  return { identifier, metadataLocation: 'memory://main/a/t/metadata/v1.metadata.json', metadata: newTable() }
}
function spec(): icebergPackage.BoundPartitionSpec {
  const metadata = newTable()
  return icebergPackage.bindPartitionSpec(icebergPackage.currentSpec(metadata), metadata.schemas)
}
function newTable(): corePackage.TableMetadata {
  return icebergPackage.newTableMetadata(
    { schema: iceberg },
    { uuid: crypto.randomUUID(), location: 'memory://main/a/t', nowMs: 1 },
  )
}

/** What the methods below are called on. */
export const { log, topic, producer } = await openTopic()
const oneRow = formatPackage.bytesRangeReader(oneRowFile(), 'small')
export const parquetFile: ParquetFile = await openParquet(oneRow)
export const secondOpinion: secondOpinionPackage.SecondOpinion = await secondOpinionPackage.secondOpinion(oneRow)

function oneRowFile(): Uint8Array {
  const writer = parquetWriter.create({ schema: iceberg })
  const column = { storage: 'int64', values: BigInt64Array.of(1n), length: 1, validity: undefined } as never
  writer.write({ length: 1, columns: [{ name: 'id', column }] })
  return writer.finish().bytes
}

async function drained(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const row of rows) void row
}

const signalOnly = { signal: noSignal }
const catalogCall = { signal: noSignal, limits: badLimits, changeId: [5, {}], fresh: badFlag }
const topicConfig: { readonly [K in keyof TopicConfig]-?: readonly unknown[] } = {
  partitions: [0, 1.5, 10_001, '1', 1n],
  value: badPart,
  key: badPart,
  table: [5, {}],
  partitionBy: [{}, 'day', ['day'], [{ source: 'id' }], [{ ...day('id'), transfrom: 1 }]],
  valueMode: ['column', true],
  rowCrc: badFlag,
  formatVersion: [1, 4, '2', 2n],
  freshnessMs: [0, 0.5, -1, Infinity, '5'],
  timestampBeforeMaxMs: [-2, 0.5, '1'],
  timestampAfterMaxMs: [-2, 0.5, '1'],
  onBadRecord: ['drop', true],
  onBroken: badOnBroken,
}
const fileWriter: { readonly [K in keyof FileWriterOptions]-?: readonly unknown[] } = {
  schema: [5, {}, []],
  compression: ['zip', true],
  keyValue: [5, { a: 1 }],
  pageBytes: badBytes,
  columnIndexes: ['some', [1]],
  rowGroupBytes: badBytes,
  sink: noFunction,
  encodings: [{ id: 'best' }, ['plain']],
  deltas: badFlag,
  pageVersion: [0, 3, '1'],
  pageChecksums: badFlag,
  boundBytes: badBytes,
  bloomFilters: [{ id: { fpp: 1 } }, { id: { fp: 0.1 } }, ['id']],
  sortingColumns: [{}, [{}], [{ path: 'id', desc: true }]],
}
const id =
  (value: unknown): (() => unknown) =>
  () =>
    value

/** Every public function and method that takes options. */
export const doors: readonly Door[] = [
  door<{ logger?: corePackage.Logger; meter?: corePackage.Meter }>(
    'systemRuntime',
    systemRuntime,
    { logger: badPart, meter: badPart },
    {},
  ),
  door<storagePackage.FileSystemOptions>(
    'fileSystem',
    fileSystem,
    { root: ['', {}, []], runtime: badPart, files: badPart, clock: badPart, random: badPart, timers: badPart },
    { root: '/lake' },
  ),
  door<storagePackage.MemoryOptions>('memory', memory, { name: [5], runtime: badPart, clock: badPart }, {}),
  door<storagePackage.ProbeOptions>(
    'probeStore',
    (options) => probeStore(memory(), options),
    { runtime: badPart, prefix: [5], signal: noSignal },
    {},
  ),
  door<storagePackage.RetryOptions>(
    'retry',
    (options) => storagePackage.retry(store, options),
    {
      maxTries: [0, 1.5, '3'],
      minWaitMs: [-1, '5'],
      maxWaitMs: [-1, '5'],
      maxRetryMs: [-1, '5'],
      deadlineMs: [0, -1, '5'],
      budget: [{ token: 5 }, { tokens: -1 }, { perSecond: -1 }, []],
      runtime: badPart,
    },
    {},
  ),
  door<storagePackage.LimitOptions>(
    'limit',
    (options) => storagePackage.limit(store, options),
    {
      concurrency: badBytes,
      streams: badBytes,
      bytes: badBytes,
      assumedBytes: [-1, 1.5, '5'],
      maxQueue: [-1, 1.5, '5'],
    },
    {},
  ),
  door<storagePackage.CacheOptions>(
    'cache',
    (options) => storagePackage.cache(store, options),
    { maxBytes: badBytes, blockBytes: badBytes, folder: ['', {}, []], isImmutable: noFunction, runtime: badPart },
    { maxBytes: 100 },
  ),
  door<storagePackage.HedgeOptions>(
    'hedge',
    (options) => storagePackage.hedge(store, options),
    { afterMs: [-1, '5'], percentile: [0, 100, 1.5], maxExtra: [-1, 1.5], runtime: badPart },
    {},
  ),
  door<storagePackage.MeterOptions>(
    'meter',
    (options) => storagePackage.meter(store, options),
    {
      meter: badPart,
      prices: [{}, 'cheap', { ...storagePackage.priceTables.s3, perThousand: { a: -1, b: 0 } }],
      name: [5],
      partBytes: badBytes,
      pageKeys: badBytes,
      runtime: badPart,
    },
    {},
  ),
  door<corePackage.DefineObjectStoreOptions>(
    'defineObjectStore',
    (o) => corePackage.defineObjectStore({ ...store }, o),
    { maxStreamBytes: badBytes },
    {},
  ),
  door<GetOptions>(
    'ObjectStore.get',
    (o) => store.get('a', o),
    { range: [[], 5, { star: 1 }], ifNoneMatch: [5, {}], signal: noSignal },
    {},
  ),
  ...objectStores.flatMap(([of, each]) => [
    door<corePackage.GetRangesOptions>(
      `${of}.getRanges`,
      (o) => each.getRanges('a', [{ start: 0 }], o),
      { maxGapBytes: [-1, 1.5, '5'], signal: noSignal },
      {},
    ),
    door<corePackage.PutStreamOptions>(
      `${of}.putStream`,
      (o) => each.putStream('a', [new Uint8Array(1)], o),
      { mode: ['creat', {}, { ifMatch: 5 }], attemptId: ['', 5], partBytes: badBytes, signal: noSignal },
      {},
    ),
    door<corePackage.CallOptions>(`${of}.deleteMany`, (o) => each.deleteMany(['b'], o), signalOnly, {}),
  ]),
  door<PutOptions>(
    'ObjectStore.put',
    (o) => store.put('a', new Uint8Array(1), o),
    { mode: ['creat', {}, { ifMatch: 5 }], attemptId: ['', 5], signal: noSignal },
    {},
  ),
  door<ListOptions>('ObjectStore.list', (o) => drained(store.list(o)), { prefix: [5], after: [5], ...signalOnly }, {}),
  door<ListOptions>(
    'listInOrder',
    (o) => drained(corePackage.listInOrder({ ...store, listOrder: 'none' }, o)),
    { prefix: [5], after: [5], ...signalOnly },
    {},
  ),
  door(
    'readPuffinFooter',
    (o: corePackage.CallOptions) =>
      formatPackage.readPuffinFooter(formatPackage.bytesRangeReader(new Uint8Array(40), 'p'), o),
    signalOnly,
    {},
  ),
  door('ObjectStore.head', (o: corePackage.CallOptions) => store.head('a', o), signalOnly, {}),
  door('ObjectStore.delete', (o: corePackage.CallOptions) => store.delete('b', o), signalOnly, {}),
  door<catalogPackage.MemoryCatalogOptions>(
    'memoryCatalog',
    memoryCatalog,
    { store: badPart, runtime: badPart, prefix: [5, 'a'], limits: badLimits },
    { store },
  ),
  door<catalogPackage.ObjectStoreCatalogOptions>(
    'objectStoreCatalog',
    objectStoreCatalog,
    { store: badPart, runtime: badPart, prefix: [5, 'a'], access: badAccess, limits: badLimits },
    { store },
  ),
  door<gatewayPackage.ServeCatalogOptions>(
    'serveCatalog',
    gatewayPackage.serveCatalog,
    {
      catalog: badPart,
      listen: [5, '', '127.0.0.1', ':1', '127.0.0.1:70000'],
      logs: [[{}], ['a'], 'a'],
      maxStalenessMs: badMs,
      maxWaitMs: badMs,
      auth: badPart,
      tls: badPart,
      stores: noFunction,
      overrideLocations: badFlag,
      implicitNamespaces: badFlag,
      passCredentials: badFlag,
      defaults: ['a', { a: 5 }, []],
      overrides: ['a', { a: 5 }, []],
      limits: [{ maxBodyBytes: 0 }, { maxBody: 1 }, { keyLifetimeMs: 1 }, { maxCommitRetries: -1 }, []],
      runtime: badPart,
    },
    { catalog: memoryCatalog({ store }), listen: '127.0.0.1:0' },
  ),
  door<gatewayPackage.BearerTokensOptions>(
    'bearerTokens',
    gatewayPackage.bearerTokens,
    { tokens: ['a', {}, { a: 'short' }, { a: 5 }], authorize: noFunction },
    { tokens: { ann: 'a'.repeat(16) } },
  ),
  door<gatewayPackage.JwtTokensOptions>(
    'jwtTokens',
    gatewayPackage.jwtTokens,
    {
      keys: ['https://login.example.com/keys', {}, new Uint8Array(8)],
      issuer: [5, ''],
      audience: [5, '', ['a']],
      algorithms: ['HS256', [], ['none'], ['RS256'], [5]],
      nameClaim: [5, ''],
      clockToleranceMs: badMs,
      authorize: noFunction,
      runtime: badPart,
    },
    { keys: new Uint8Array(32), issuer: 'https://login.example.com/', audience: 'lake', algorithms: ['HS256'] },
  ),
  door<catalogPackage.RestCatalogOptions>(
    'restCatalog',
    catalogPackage.restCatalog,
    {
      uri: [5, ''],
      warehouse: [5, ''],
      auth: badPart,
      headers: ['x', { x: 5 }, []],
      requestTimeoutMs: [0, ...badMs],
      vendedCredentials: badFlag,
      pageSize: [0, -1, 1.5, '5'],
      maxAnswerBytes: badBytes,
      keptTableBytes: [-1, 1.5, '64'],
      metadataWarnBytes: badBytes,
      runtime: badPart,
      fetch: noFunction,
    },
    { uri: 'http://127.0.0.1:9/' },
  ),
  door<catalogPackage.OAuth2Options>(
    'oauth2',
    catalogPackage.oauth2,
    {
      clientId: [5, ''],
      clientSecret: [5, ''],
      tokenUri: [5, ''],
      scope: [5, ''],
      parameters: ['x', { x: 5 }, []],
      send: ['header', true],
    },
    { clientId: 'a', clientSecret: 'b' },
  ),
  door<catalogPackage.SigV4Options>(
    'sigV4',
    catalogPackage.sigV4,
    { signer: badPart },
    { signer: { sign: (request) => Promise.resolve(request) } },
  ),
  door<corePackage.CatalogListOptions>(
    'Catalog.listTables',
    (o) => drained(catalog.listTables(o)),
    { ...catalogCall, namespace: ['a', [1]] },
    {},
  ),
  door(
    'Catalog.createTable',
    (o: corePackage.CatalogCallOptions) =>
      catalog.createTable({ namespace: ['a'], name: crypto.randomUUID() }, { schema: iceberg }, o),
    catalogCall,
    {},
  ),
  ...(['stageTable', 'registerTable', 'renameTable', 'commitTransaction'] as const).map((name) =>
    door(
      `Catalog.${name}`,
      (o: corePackage.CatalogCallOptions) => {
        const table = { namespace: ['a'], name: 'none' }
        if (name === 'stageTable') return catalog.stageTable(table, { schema: iceberg }, o)
        if (name === 'registerTable') return catalog.registerTable(table, 'memory://none', o)
        return name === 'renameTable' ? catalog.renameTable(table, table, o) : catalog.commitTransaction([], o)
      },
      catalogCall,
      {},
    ),
  ),
  door(
    'Catalog.checkRoom',
    (o: corePackage.CatalogCallOptions) => catalog.checkRoom!({ namespace: ['a'], name: 'none' }, 'data/a', o),
    catalogCall,
    {},
  ),
  ...(['loadTable', 'dropTable', 'commitTable'] as const).map((name) =>
    door(
      `Catalog.${name}`,
      (o: corePackage.CatalogCallOptions) => {
        const table = { namespace: ['a'], name: 'none' }
        if (name === 'commitTable') return catalog.commitTable(table, { requirements: [], updates: [] }, o)
        return catalog[name](table, o)
      },
      catalogCall,
      {},
    ),
  ),
  ...(['createNamespace', 'loadNamespace', 'dropNamespace', 'setNamespaceProperties', 'listNamespaces'] as const).map(
    (name) =>
      door(
        `Catalog.${name}`,
        (o: corePackage.CatalogCallOptions) => {
          if (name === 'createNamespace') return catalog.createNamespace([crypto.randomUUID()], {}, o)
          if (name === 'setNamespaceProperties') return catalog.setNamespaceProperties(['a'], {}, o)
          return name === 'listNamespaces' ? drained(catalog.listNamespaces([], o)) : catalog[name](['none'], o)
        },
        catalogCall,
        {},
      ),
  ),
  door<corePackage.NamespaceChange>(
    'Catalog.setNamespaceProperties, its change',
    (change) => catalog.setNamespaceProperties(['a'], change),
    { updates: [5, { a: 1 }, []], removals: ['a', [1], { a: '1' }] },
    {},
  ),
  door<lakePackage.IcebergTierOptions>(
    'icebergTier',
    lakePackage.icebergTier,
    {
      catalog: badPart,
      stores: noFunction,
      allow: ['s3://lake/', [5]],
      threads: [-1, 1.5, '1', 10_000],
      worker: badPart,
      memoryBytes: badBytes,
      fileWriter: badPart,
      compression: ['zip'],
      deltas: badFlag,
      codecs: [{}, [{}]],
      targetFileBytes: badBytes,
      retryMs: badMs,
      retryBytes: [-1, 1.5],
      coldReadBytes: badBytes,
      guard: badPart,
    },
    { catalog },
  ),
  door<logPackage.FileWalOptions>(
    'fileWal',
    logPackage.fileWal,
    { dir: ['', {}, []], segmentBytes: [100, 2 ** 31, '65536'], networkMount: ['deny', true] },
    { dir: '/wal' },
  ),
  door<logPackage.OpenLogOptions>(
    'log.openLog',
    (options) => logPackage.openLog(options),
    {
      store: badPart,
      wal: badPart,
      tier: badPart,
      runtime: badPart,
      sequencer: badPart,
      codecs: [{}, [{}]],
      access: badAccess,
      takeover: ['force', true],
      limits: badLimits,
      probe: noFunction,
      graceMs: badMs,
      catalogWaitMs: badMs,
      maxBlockMs: badMs,
      feedWorker: badPart,
      onBroken: badOnBroken,
      signal: noSignal,
    },
    composed(),
  ),
  ...(['openFolder', 'openLog'] as const).map((name) =>
    door<moulinPackage.EmbeddedOptions>(
      name,
      (options) => (name === 'openLog' ? openLog(place, options) : openFolder(place, options)),
      {
        access: badAccess,
        takeover: ['force', true],
        catalog: badPart,
        stores: noFunction,
        allow: ['s3://lake/', [5]],
        threads: [-1, 1.5, '1'],
        worker: badPart,
        deltas: badFlag,
        graceMs: badMs,
        catalogWaitMs: badMs,
        maxBlockMs: badMs,
        feedWorker: badPart,
        onBroken: badOnBroken,
        limits: badLimits,
        networkMount: ['deny'],
        logger: badPart,
        meter: badPart,
        runtime: badPart,
        signal: noSignal,
      },
      { runtime: runtime(), threads: 0 },
    ),
  ),
  ...(['planRepair', 'repairLog'] as const).map((name) =>
    door<logPackage.RepairLogOptions>(
      name,
      async (options) => {
        if (name === 'planRepair') return logPackage.planRepair(options)
        const plan = { logId: log.id, damages: [], givenUp: [], isNeeded: false }
        return logPackage.repairLog(options, plan)
      },
      { store: badPart, walDir: ['', {}], tier: badPart, runtime: badPart, limits: badLimits },
      { store: memory(), walDir: '/wal', runtime: runtime() },
    ),
  ),
  door<TopicConfig>('Log.ensureTopic', (o) => log.ensureTopic('bytes', o), topicConfig, {}),
  door<TopicConfig>('Log.createTopic', (o) => log.createTopic(`t-${crypto.randomUUID()}`, o), topicConfig, {}),
  door<TopicConfig>('Log.topic', (o) => log.topic('orders', o as never), topicConfig, {}),
  door('Log.releaseNow', (o: { signal?: AbortSignal }) => log.releaseNow(o), signalOnly, {}),
  door(
    'Log.close',
    async (o: { drainMs?: number; tier?: boolean }) => (await openLog(composed())).close(o),
    { drainMs: badMs, tier: badFlag },
    {},
  ),
  door<ProducerOptions>(
    'Topic.producer',
    (options) => topic.producer(options),
    {
      lingerMs: badMs,
      batchBytes: [...badBytes, 2 ** 40],
      maxUnackedBytes: badBytes,
      compression: ['zip', true],
      id: [5],
      acks: ['all', 1],
      feed: ['./feed.ts', new URL('https://example.com/feed.js'), {}],
      threads: [0, 1.5, '2', 1025],
    },
    { feed },
  ),
  door<{ signal?: AbortSignal; onAck?: (ack: corePackage.BatchAck) => void }>(
    'Producer.sendFeed',
    (o) => topic.producer({ feed, threads: 1 }).sendFeed(o),
    { signal: noSignal, onAck: noFunction },
    {},
  ),
  door<{ partition: number; batches: Uint8Array; signal?: AbortSignal }>(
    'Topic.append',
    (request) => topic.append(request),
    { partition: [-1, 0.5, 99, '0'], batches: ['', [1], new ArrayBuffer(8)], signal: noSignal },
    { partition: 0, batches: oneBatch() },
  ),
  door<ReadOptions>(
    'Topic.read',
    // The first record, or that there is none: without `to` it follows.
    async (options) => {
      for await (const record of topic.read(options)) return void record
    },
    {
      partition: [-1, 0.5, '0'],
      from: ['beginning', {}, new Date(0), 1.5, 5, { timestamp: 'yesterday' }, { timestamp: 5 }, { time: 5n }],
      to: ['latest', 5, -1n, {}],
      incarnation: [-1, 0.5, '0'],
      onBadValue: ['skip', true],
      signal: noSignal,
    },
    { to: 'end' },
  ),
  door('Topic.readAt', (o: { signal?: AbortSignal }) => drained(topic.readAt([], o)), signalOnly, {}),
  door<FetchOptions>(
    'Topic.fetch',
    (options) => topic.fetch(options),
    {
      partition: [-1, 0.5, '0'],
      from: ['earliest', 5, 1.5, {}],
      minBytes: [-1, 1.5, '1'],
      maxBytes: badBytes,
      maxWaitMs: badMs,
      isolation: ['read_committed', true],
      signal: noSignal,
    },
    { partition: 0, from: 0n },
  ),
  door<OffsetForOptions>(
    'Topic.offsetFor',
    (options) => topic.offsetFor(5n, options),
    { partition: [-1, 0.5, '0'], signal: noSignal },
    {},
  ),
  door<ScanOptions<'id'>>(
    'Topic.scan',
    (options) => topic.scan(options as never).toArray(),
    { columns: ['id', [5], { id: true }], where: ['id = 5', []], signal: noSignal },
    {},
  ),
  door('Topic.tier', (o: corePackage.TierOptions) => topic.tier(o), { asOfMs: badMs, ...signalOnly }, {}),
  door(
    'Topic.judgeTable',
    (o: JudgeTableOptions) => topic.judgeTable(o),
    { plan: badFlag, files: badFlag, signal: noSignal },
    {},
  ),
  door(
    'Topic.adoptTable',
    (o: AdoptTableOptions) => topic.adoptTable(o),
    { expectedSnapshotId: [7, 'snapshot'], signal: noSignal },
    {},
  ),
  door<AuditOptions>(
    'Topic.audit',
    (o) => topic.audit(o),
    { deep: badFlag, onProgress: noFunction, signal: noSignal },
    {},
  ),
  door<{ signal?: AbortSignal; ifNextOffset?: bigint }>(
    'Producer.send',
    (options) => producer.send({ value: { id: 3 } }, options),
    { signal: noSignal, ifNextOffset: badOffset },
    {},
  ),
  door<NonNullable<Parameters<Producer['sendAll']>[1]>>(
    'Producer.sendAll',
    (options) => producer.sendAll([{ value: { id: 4 } }], options),
    { signal: noSignal, onAck: noFunction },
    {},
  ),
  door<FileWriterOptions>('parquetWriter', (o) => parquetWriter.create(o), fileWriter, { schema: iceberg }),
  door<FileWriterOptions>('hyparquetWriter', (o) => secondWriter.create(o), fileWriter, { schema: iceberg }),
  door<secondOpinionPackage.VerifyFileOptions>(
    'verifyFile',
    (options) => secondOpinionPackage.verifyFile(formatPackage.bytesRangeReader(smallBytes(), 'small'), options),
    { maxDifferences: [-1, 0.5, '5'], signal: noSignal },
    {},
  ),
  door<secondOpinionPackage.SecondReadRequest>(
    'SecondOpinion.readColumn',
    (request) => secondOpinion.readColumn(request),
    { rowGroup: [-1, 0.5, 9], column: [-1, 0.5, 9], signal: noSignal },
    { rowGroup: 0, column: 0 },
  ),
  door<OpenParquetOptions>(
    'openParquet',
    (options) => openParquet(formatPackage.bytesRangeReader(smallBytes(), 'small'), options),
    {
      caps: badCaps,
      workers: badPart,
      nameMapping: [{}, [5]],
      int96: ['date', true],
      runtime: badPart,
      signal: noSignal,
    },
    {},
  ),
  door<ParquetReadRequest>(
    'ParquetFile.read',
    (request) => parquetFile.read(request),
    {
      rowGroup: [-1, 0.5, 9],
      types: [{}, ['id']],
      fieldIds: [1, ['id']],
      rows: [[0, 1], { start: 0 }, { start: 0, end: 1, step: 2 }],
      fetched: noFunction,
      signal: noSignal,
    },
    { rowGroup: 0, types: iceberg.fields },
  ),
  door<formatPackage.ParquetPageBoundsRequest>(
    'ParquetFile.pageBounds',
    (request) => parquetFile.pageBounds(request),
    { rowGroup: [-1, 9], fieldId: ['1', -1], type: [5], signal: noSignal },
    { rowGroup: 0, fieldId: 1 },
  ),
  door<formatPackage.ParquetWorkersOptions>(
    'parquetWorkers',
    formatPackage.parquetWorkers,
    {
      threads: [-1, 0.5, '1'],
      deadlineMs: [0, -1, Infinity],
      maxHeapMiB: badBytes,
      memoryBytes: badBytes,
      inlineBytes: [-1, 0.5],
      runtime: badPart,
    },
    { threads: 0 },
  ),
  door<formatPackage.PooledDecodesOptions>(
    'pooledDecodes',
    (options) => formatPackage.pooledDecodes({} as never, options),
    { deadlineMs: [0, -1], inlineBytes: [-1, 0.5] },
    {},
  ),
  door<formatPackage.ThreadPoolOptions>(
    'threadPool',
    formatPackage.threadPool,
    {
      threads: [0, 0.5, '1'],
      // A function may give it.
      source: noFunction,
      startError: noFunction,
      runtime: badPart,
      memoryBytes: badBytes,
      maxHeapMiB: badBytes,
      name: [5],
      calls: ['decode', [5]],
    },
    { threads: 1, source: new URL('file:///none.js') },
  ),
  door<formatPackage.ReadAvroOptions>(
    'readAvroFile',
    (options) => formatPackage.readAvroFile(avroFile(), options),
    { what: [5], caps: badCaps },
    {},
  ),
  door<formatPackage.WriteAvroOptions>(
    'writeAvroFile',
    formatPackage.writeAvroFile,
    { schema: [5], records: [5, {}], metadata: [5, []], codec: ['zip'], blockBytes: badBytes },
    { schema: 'int', records: [] },
  ),
  door<formatPackage.RecordBatchBuilderOptions>(
    'recordBatchBuilder',
    formatPackage.recordBatchBuilder,
    { compression: ['snappy'], timestampType: ['now'] },
    {},
  ),
  door<formatPackage.EncodeBatchOptions>(
    'encodeBatch',
    formatPackage.encodeBatch,
    {
      baseOffset: badOffset,
      records: [5, {}],
      compression: ['snappy'],
      lastOffset: [5, '5'],
      timestampType: ['now'],
      partitionLeaderEpoch: [-2, 0.5],
    },
    { baseOffset: 0n, records: [], timestampType: 'create' },
  ),
  door<icebergPackage.ExpiryOptions>(
    'planExpiry',
    (options) => icebergPackage.planExpiry(newTable(), options),
    {
      nowMs: badMs,
      keepSnapshots: [-1, 0.5],
      keepMs: badMs,
      maxBytes: [-1, '1'],
      addedBytes: [-1, Infinity],
      held: [[1n], {}],
      batch: [0, 0.5],
    },
    { nowMs: 1 },
  ),
  door<icebergPackage.ApplyOptions>(
    'applyUpdates',
    (options) => icebergPackage.applyUpdates(newTable(), [], options),
    { nowMs: badMs, previousLocation: [5], metadataLogBytes: [-1, Infinity] },
    { nowMs: 1 },
  ),
  door<icebergPackage.MetricsOptions>(
    'dataFileMetrics',
    (options) => icebergPackage.dataFileMetrics(iceberg, new Map(), options),
    { full: ['id', [5]] },
    {},
  ),
  door<lakePackage.OpenTableOptions>(
    'openTable',
    lakePackage.openTable,
    {
      catalog: badPart,
      table: [5, ['shop', 'orders']],
      stores: noFunction,
      allow: ['s3://lake/', [5]],
      threads: [-1, 1.5, '1', 10_000],
      worker: badPart,
      limits: [{ openFileBytes: 0 }, { openFile: 1 }, { rowMaskBytes: '1' }, []],
      runtime: badPart,
      signal: noSignal,
    },
    { catalog, table: 'default.read', stores: store, threads: 0 },
  ),
  door<ScanOptions>(
    'OpenTable.scan',
    (options) => opened.scan(options).toArray(),
    { columns: ['id', [5], { id: true }], where: ['id = 5', []], signal: noSignal },
    {},
  ),
  door('OpenTable.count', (o: { signal?: AbortSignal }) => opened.count(o), signalOnly, {}),
  door('OpenTable.refresh', (o: { signal?: AbortSignal }) => opened.refresh(o), signalOnly, {}),
  door<icebergPackage.PlanScanOptions>(
    'planScan',
    (options) => drained(icebergPackage.planScan(options)),
    {
      tableFiles: badPart,
      metadata: badPart,
      snapshotId: ['1', 0.5],
      where: ['id = 5', []],
      maxInFlight: [0, 0.5],
      skip: noFunction,
      withDeletes: ['no', 0],
      room: badPart,
      signal: noSignal,
    },
    { tableFiles: corePackage.tableFiles(store), metadata: newTable() },
  ),
  door<corePackage.TableFilesOptions>(
    'tableFiles',
    (options) => void corePackage.tableFiles(store, options),
    { table: ['shop.orders', 5], reload: noFunction, allow: ['s3://lake/', [5]] },
    {},
  ),
  ...[
    (config: testingPackage.TableFilesConformanceConfig): unknown =>
      testingPackage.tableFilesConformance({ describe: id(undefined), it: id(undefined) as never }, config),
    testingPackage.tableFilesConformanceChecks,
  ].map((suite, index) =>
    door<testingPackage.TableFilesConformanceConfig>(
      index === 0 ? 'tableFilesConformance' : 'tableFilesConformanceChecks',
      suite,
      { name: [5], create: noFunction, timeoutMs: [0, 1.5, '5'] },
      { create: () => Promise.reject(new Error('not asked')) },
    ),
  ),
  door<testingPackage.VendedStoresOptions>(
    'vendedStores',
    testingPackage.vendedStores,
    { buckets: ['lake', [5]], calls: [0, 1.5, '5'] },
    { calls: 5 },
  ),
  door<s3Package.S3Options>(
    's3',
    s3Package.s3,
    {
      bucket: ['', 's3://lake', 'a'],
      prefix: ['/orders', 'orders'],
      client: badPart,
      region: [5, ''],
      endpoint: [5, '', 'lake', 'http://a:b@localhost'],
      credentials: noFunction,
      encryption: ['AES256', { type: 'none' }, { type: 'AES256', keyid: 'a' }],
      pathStyle: badFlag,
      storageClass: [5, ''],
      requesterPays: badFlag,
      userAgent: [5, ''],
      listOrder: ['tree'],
      durability: ['always'],
      userMetadata: ['lost'],
      deadlineMs: [0, '5'],
      partBytes: [5, 0.5],
      parallelParts: [0, 101],
      maxPutBytes: badBytes,
      runtime: badPart,
    },
    { bucket: 'lake', region: 'us-east-1' },
  ),
  door<s3Package.S3StoresOptions>(
    's3Stores',
    s3Package.s3Stores,
    {
      pathStyle: badFlag,
      storageClass: [5, ''],
      requesterPays: badFlag,
      userAgent: [5, ''],
      listOrder: ['tree'],
      durability: ['always'],
      userMetadata: ['lost'],
      deadlineMs: [0, '5'],
      partBytes: [5, 0.5],
      parallelParts: [0, 101],
      maxPutBytes: badBytes,
      runtime: badPart,
      renew: noFunction,
      defaults: ['orders', { bucket: 'lake' }],
    },
    {},
  ),
  door<gcsPackage.GcsOptions>(
    'gcs',
    gcsPackage.gcs,
    {
      bucket: ['', 'gs://lake', 'Lake'],
      prefix: ['/orders', 'orders'],
      client: badPart,
      projectId: [5, ''],
      apiEndpoint: [5, '', 'http://a:b@localhost', 'ftp://localhost'],
      credentials: ['key', {}, { private_key: 'a' }],
      token: noFunction,
      storageClass: [5, ''],
      kmsKeyName: [5, ''],
      userProject: [5, ''],
      userAgent: [5, ''],
      listOrder: ['tree'],
      durability: ['always'],
      userMetadata: ['lost'],
      deadlineMs: [0, '5'],
      partBytes: [5, 0.5],
      maxPutBytes: badBytes,
      runtime: badPart,
    },
    { bucket: 'lake' },
  ),
  door<gcsPackage.GcsStoresOptions>(
    'gcsStores',
    gcsPackage.gcsStores,
    {
      storageClass: [5, ''],
      kmsKeyName: [5, ''],
      userAgent: [5, ''],
      listOrder: ['tree'],
      durability: ['always'],
      userMetadata: ['lost'],
      deadlineMs: [0, '5'],
      partBytes: [5, 0.5],
      maxPutBytes: badBytes,
      renew: noFunction,
      defaults: ['orders'],
      runtime: badPart,
    },
    {},
  ),
  door<azurePackage.AzureOptions>(
    'azure',
    azurePackage.azure,
    {
      container: ['', 'Logs', 'logs/a'],
      account: [5, '', 'lake/a'],
      prefix: ['/orders', 'orders'],
      client: badPart,
      endpoint: [5, '', 'lake'],
      domain: [5, '', 'https://lake'],
      credential: ['key', { key: 'a' }],
      storageClass: [5, 'Archive'],
      encryptionScope: [5, ''],
      userAgent: [5, ''],
      listOrder: ['tree'],
      durability: ['always'],
      deadlineMs: [0, '5'],
      partBytes: [0, 0.5],
      parallelParts: [0, 101],
      maxPutBytes: badBytes,
      runtime: badPart,
    },
    { container: 'logs', account: 'lake' },
  ),
  door<azurePackage.AzureStoresOptions>(
    'azureStores',
    azurePackage.azureStores,
    {
      storageClass: [5, 'Archive'],
      encryptionScope: [5, ''],
      userAgent: [5, ''],
      listOrder: ['tree'],
      durability: ['always'],
      deadlineMs: [0, '5'],
      partBytes: [0, 0.5],
      parallelParts: [0, 101],
      maxPutBytes: badBytes,
      renew: noFunction,
      defaults: ['orders'],
      runtime: badPart,
    },
    {},
  ),
  door<testingPackage.S3FakeOptions>(
    's3Fake',
    testingPackage.s3Fake,
    {
      buckets: ['lake', [5]],
      requesterPays: ['lake'],
      credentials: [[{ accessKeyId: 'a' }], [{ accessKeyId: 'a', secretAccessKey: 5 }]],
      region: [5, ''],
      clock: badPart,
      listOrder: ['random'],
      minPartBytes: badBytes,
      minChunkBytes: badBytes,
      maxPutBytes: badBytes,
      dropMetadata: badFlag,
      ignoreConditions: badFlag,
      overtaken: ['412'],
    },
    {},
  ),
  door<testingPackage.GcsFakeOptions>(
    'gcsFake',
    testingPackage.gcsFake,
    {
      buckets: ['lake', [5]],
      requesterPays: ['lake'],
      tokens: [[5], [{ token: '' }]],
      anonymous: badFlag,
      clock: badPart,
      listOrder: ['random'],
      chunkBytes: badBytes,
      maxPutBytes: badBytes,
      dropMetadata: badFlag,
      ignoreConditions: badFlag,
      everyMs: [-1, '5'],
    },
    {},
  ),
  door<testingPackage.FaultProxyOptions>(
    'faultProxy',
    testingPackage.faultProxy,
    {
      target: ['', 'elsewhere', 'http://example.org', 'https://127.0.0.1'],
      rules: [[5], {}],
      seed: [-1, 0.5],
      timers: badPart,
    },
    { target: 'http://127.0.0.1:1' },
  ),
  door<testingPackage.ProxyRule>(
    'A rule of a faultProxy',
    (rule) => testingPackage.faultProxy({ target: 'http://127.0.0.1:1', rules: [rule] }),
    {
      fault: ['never'],
      operation: [5, [5]],
      key: [5, {}],
      nth: [0, 0.5],
      times: [0, -1],
      chance: [-0.1, 1.1, '1'],
      method: ['', 5],
      path: [5, {}],
      answer: ['sorry', { status: 5 }, { status: 200, text: '' }],
      lateAfterCalls: [-1],
      bytes: [-1, 0.5],
      everyMs: badMs,
    },
    { fault: 'before' },
  ),
  door<testingPackage.SimulatedDiskOptions>(
    'simulatedDisk',
    simulatedDisk,
    { seed: [-1, 0.5, '1'], clock: badPart, quotaBytes: [-1, '5'], mount: ['nfs'], syncedWrites: ['yes'] },
    { seed: 1 },
  ),
  door<testingPackage.VirtualClockOptions>('virtualClock', virtualClock, { startMs: [0.5, '5'] }, {}),
  door<telemetryPackage.OpenTelemetryOptions>(
    'openTelemetryMeter',
    telemetryPackage.openTelemetryMeter,
    { meter: badPart, attributes: ['a', []] },
    {},
  ),
  door<testingPackage.VirtualThreadsOptions>(
    'virtualThreads',
    testingPackage.virtualThreads,
    { serve: noFunction, timers: badPart, delayMs: noFunction },
    { serve: () => {}, timers: runtime().timers },
  ),
  door<testingPackage.VirtualRuntimeOptions>(
    'virtualRuntime',
    virtualRuntime,
    {
      seed: [-1, '1'],
      files: badPart,
      clock: badPart,
      processes: badPart,
      pidSpace: [5],
      startMs: ['5'],
      serveThread: noFunction,
      meter: badPart,
    },
    { seed: 1 },
  ),
  door<icebergPackage.AppendRequest>(
    'planAppend',
    icebergPackage.planAppend,
    {
      table: badPart,
      tableFiles: badPart,
      files: [{}, ['a']],
      snapshotId: badOffset,
      commitId: [5],
      attempt: [-1, 0.5],
      summary: [{ a: 1 }, []],
      properties: [{ a: 1 }, []],
      expire: [true, { keep: 5 }, { keepMs: -1 }],
      nowMs: badMs,
      snapshotMs: badMs,
      limits: badLimits,
      signal: noSignal,
    },
    {
      table: loadedTable(),
      tableFiles: corePackage.tableFiles(store),
      files: [],
      snapshotId: 1n,
      commitId: 'c',
      nowMs: 1,
      snapshotMs: 1,
    },
  ),
  door<icebergPackage.ReplaceRequest>(
    'planReplace',
    icebergPackage.planReplace,
    {
      table: badPart,
      tableFiles: badPart,
      removed: [{}, [{}], [{ file: 5, sequenceNumber: 1n }], [{ file: {}, sequenceNumber: 1 }]],
      added: [{}, ['a']],
      sequenceNumber: badOffset,
      snapshotId: badOffset,
      commitId: [5],
      attempt: [-1, 0.5],
      summary: [{ a: 1 }, []],
      properties: [{ a: 1 }, []],
      expire: [true, { keep: 5 }, { keepMs: -1 }],
      nowMs: badMs,
      snapshotMs: badMs,
      limits: badLimits,
      signal: noSignal,
    },
    {
      table: loadedTable(),
      tableFiles: corePackage.tableFiles(store),
      removed: [],
      added: [],
      sequenceNumber: 1n,
      snapshotId: 1n,
      commitId: 'c',
      nowMs: 1,
      snapshotMs: 1,
    },
  ),
  door<icebergPackage.WriteManifestListRequest>(
    'writeManifestList',
    icebergPackage.writeManifestList,
    {
      manifests: [{}, ['a']],
      snapshotId: badOffset,
      parentSnapshotId: badOffset,
      sequenceNumber: badOffset,
      firstRowId: badOffset,
      codec: ['zip'],
    },
    { manifests: [], snapshotId: 1n, parentSnapshotId: 5n, sequenceNumber: 1n },
  ),
  door<icebergPackage.ReadManifestListOptions>(
    'readManifestList',
    (options) => icebergPackage.readManifestList(new Uint8Array(1), options),
    { path: [5] },
    { path: 'snap.avro' },
  ),
  door<icebergPackage.WriteManifestRequest>(
    'writeManifest',
    icebergPackage.writeManifest,
    {
      path: [5],
      spec: badPart,
      schema: badPart,
      entries: [{}, ['a']],
      snapshotId: badOffset,
      sequenceNumber: badOffset,
      formatVersion: [1, 4, '2'],
      codec: ['zip'],
    },
    { path: 'memory://a/m.avro', spec: spec(), schema: iceberg, entries: [], snapshotId: 1n, sequenceNumber: 1n },
  ),
  door<icebergPackage.ReadManifestOptions>(
    'readManifest',
    (options) => icebergPackage.readManifest(new Uint8Array(1), options),
    { manifest: badPart, spec: badPart, withDeleted: badFlag },
    { manifest: { path: 'm.avro', sizeBytes: 1n } as never, spec: spec() },
  ),
  door<Omit<icebergPackage.ReadManifestOptions, 'withDeleted'>>(
    'readDeleteManifest',
    (options) => icebergPackage.readDeleteManifest(new Uint8Array(1), options),
    { manifest: badPart, spec: badPart },
    { manifest: { path: 'm.avro', sizeBytes: 1n } as never, spec: spec() },
  ),
  door<Parameters<ParquetFile['dictionary']>[0]>(
    'ParquetFile.dictionary',
    (request) => parquetFile.dictionary(request),
    { rowGroup: [-1, 9], field: badPart, signal: noSignal },
    { rowGroup: 0, field: iceberg.fields[0] },
  ),
  door<Parameters<ParquetFile['mightContain']>[0]>(
    'ParquetFile.mightContain',
    (request) => parquetFile.mightContain(request),
    { rowGroup: [-1, 9], fieldId: [-1, '1'], value: ['1', {}, new Date(0)], signal: noSignal },
    { rowGroup: 0, fieldId: 1, value: 1n },
  ),
  door<{ compareAndSwap?: boolean }>('hookedStore', hookedStore, { compareAndSwap: badFlag }, {}),
  ...(['faultyStore', 'faultyCatalog'] as const).map((name) =>
    door<testingPackage.FaultRule<never>>(
      name,
      (rule) => (name === 'faultyStore' ? faultyStore(store, [rule]) : faultyCatalog(catalog, [rule])),
      {
        fault: ['never'],
        operation: [5, [5]],
        key: [5, {}],
        nth: [0, 0.5],
        times: [0, -1],
        outcome: ['lost'],
        lateAfterCalls: [-1],
      },
      { fault: 'before' },
    ),
  ),
  ...[
    catalogConformance.bind(null, { describe: id(undefined), it: id(undefined) as never }),
    catalogConformanceChecks,
  ].map((suite, index) =>
    door<testingPackage.CatalogConformanceOptions>(
      index === 0 ? 'catalogConformance' : 'catalogConformanceChecks',
      suite,
      {
        name: [5],
        create: noFunction,
        capabilities: [{ swaps: true }, { views: 1 }, []],
        names: [{ dots: 'x' }, { dot: true }],
        namespaces: ['made'],
        cannot: [{ a: 1 }],
        folders: badPart,
        timeoutMs: [0, 1.5, '1'],
      },
      { name: 'mine', create: () => ({ catalog }) },
    ),
  ),
  door<testingPackage.MemoryWalOptions>(
    'memoryWal',
    testingPackage.memoryWal,
    { seed: [-1, 1.5, '1'], maxInFlight: [0, 1.5, '4'] },
    { seed: 1 },
  ),
  door<testingPackage.MemoryTierOptions>('memoryTier', testingPackage.memoryTier, { history: badPart }, {}),
  ...[
    (config: testingPackage.ColdTierConformanceConfig): unknown =>
      testingPackage.coldTierConformance({ describe: id(undefined), it: id(undefined) as never }, config),
    testingPackage.coldTierConformanceChecks,
  ].map((suite, index) =>
    door<testingPackage.ColdTierConformanceConfig>(
      index === 0 ? 'coldTierConformance' : 'coldTierConformanceChecks',
      suite,
      {
        name: [5],
        create: noFunction,
        capabilities: [{ scans: true }, { arrow: 1 }, []],
        close: noFunction,
        cannot: [{ a: 1 }],
        reopen: noFunction,
        loseCommit: noFunction,
        holdCommit: noFunction,
        hide: noFunction,
        rollBack: noFunction,
        timeoutMs: [0, 1.5, '5'],
      },
      { create: () => ({ tier: testingPackage.memoryTier() }) },
    ),
  ),
  door<testingPackage.MemoryWalOptions>(
    'memoryWalPlace',
    testingPackage.memoryWalPlace,
    { seed: [-1, 1.5, '1'], maxInFlight: [0, 1.5, '4'] },
    { seed: 1 },
  ),
  door<testingPackage.SimulatedWalPlaceOptions>(
    'simulatedWalPlace',
    testingPackage.simulatedWalPlace,
    { seed: [-1, 1.5, '1'], wal: noFunction, syncedWrites: ['yes'] },
    { seed: 1, wal: () => testingPackage.memoryWal({ seed: 1 }) },
  ),
  ...[
    (config: testingPackage.WalConformanceConfig): unknown =>
      testingPackage.walConformance({ describe: id(undefined), it: id(undefined) as never }, config),
    testingPackage.walConformanceChecks,
  ].map((suite, index) =>
    door<testingPackage.WalConformanceConfig>(
      index === 0 ? 'walConformance' : 'walConformanceChecks',
      suite,
      {
        name: [5],
        create: noFunction,
        durability: ['forever', 5],
        offsets: ['taken', 5],
        ways: [['fly'], [5], 'kill'],
        cannot: [{ a: 1 }],
        timeoutMs: [0, 1.5, '5'],
      },
      { create: () => testingPackage.memoryWalPlace({ seed: 1 }) },
    ),
  ),
  ...[
    (config: testingPackage.SequencerConformanceConfig): unknown =>
      testingPackage.sequencerConformance({ describe: id(undefined), it: id(undefined) as never }, config),
    testingPackage.sequencerConformanceChecks,
  ].map((suite, index) =>
    door<testingPackage.SequencerConformanceConfig>(
      index === 0 ? 'sequencerConformance' : 'sequencerConformanceChecks',
      suite,
      {
        name: [5],
        create: noFunction,
        offsets: ['taken', 5],
        ways: [['fly'], [5], 'join'],
        cannot: [{ a: 1 }],
        timeoutMs: [0, 1.5, '5'],
      },
      {
        create: () => ({
          wal: testingPackage.memoryWalPlace({ seed: 1 }),
          sequencer: testingPackage.sharedSequencer(),
        }),
      },
    ),
  ),
  door<testingPackage.PartedStoreOptions>(
    'partedStore',
    testingPackage.partedStore,
    { seed: [-1, 1.5, '1'], runtime: badPart, partBytes: badBytes },
    { seed: 1 },
  ),
  ...[
    (config: testingPackage.ObjectStoreConformanceConfig): unknown =>
      objectStoreConformance({ describe: id(undefined), it: id(undefined) as never }, config),
    testingPackage.objectStoreConformanceChecks,
  ].map((suite, index) =>
    door<testingPackage.ObjectStoreConformanceConfig>(
      index === 0 ? 'objectStoreConformance' : 'objectStoreConformanceChecks',
      suite,
      {
        name: [5],
        create: noFunction,
        capabilities: [{ swaps: true }, { multipart: 1 }, []],
        listOrder: ['utf-16', 5],
        durability: ['region ', true],
        close: noFunction,
        cannot: [{ a: 1 }],
        at: noFunction,
        reopen: noFunction,
        over: noFunction,
        largeBytes: badBytes,
        manyKeys: badBytes,
        maxKeyBytes: [...badBytes, 2000],
        timeoutMs: [0, 1.5, '5'],
      },
      { create: () => store },
    ),
  ),
]
