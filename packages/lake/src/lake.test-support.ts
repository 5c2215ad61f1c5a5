/** A log without a write-ahead tier: batches in an array, for tests of the cold tier alone. */
import { notFound, defaultLimits } from '@moulin/core'
import type {
  AdoptTableOptions,
  BatchRun,
  Catalog,
  Codec,
  ColdAdoption,
  ColdContext,
  ColdTier,
  ColdTopic,
  ColdTopicInfo,
  HotSource,
  JudgeTableOptions,
  Limits,
  ObjectStore,
  OffsetRange,
  SchemaLedger,
  StoredRecord,
  TableVerdict,
} from '@moulin/core'
import { day } from '@moulin/core'
import { batchesIn, encodeBatch, readRecords } from '@moulin/format'
import type { BatchRecord, WritableCompression } from '@moulin/format'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import type { DeletesOf } from '@moulin/iceberg'
import { plainCatalog } from './catalog.test-support.ts'
import { tierWith } from './iceberg-tier.ts'
import type { IcebergTierOptions } from './iceberg-tier.ts'

export type SentRecord = Partial<Pick<BatchRecord, 'key' | 'value' | 'headers' | 'timestamp'>>

export interface TestLogOptions {
  readonly store?: ObjectStore
  readonly catalog?: Catalog
  readonly runtime?: VirtualRuntime
  readonly codec?: Codec
  readonly info?: Partial<ColdTopicInfo>
  readonly limits?: Partial<Limits>
  readonly epoch?: bigint
  readonly access?: 'read-write' | 'read-only'
  /** What the log says when it is asked whether a newer writer has taken over; default: none has. */
  readonly checkFence?: () => Promise<void>
  /** What the log does when files of the table become younger than their commits; default: nothing. */
  readonly renewGrace?: () => Promise<void>
  readonly tier?: Partial<IcebergTierOptions>
  /** Default: nothing is. */
  readonly deletesOf?: DeletesOf
}

export interface TestLog {
  readonly store: ObjectStore
  readonly catalog: Catalog
  readonly runtime: VirtualRuntime
  readonly info: ColdTopicInfo
  readonly hot: TestHot
  readonly tier: ColdTier
  attach(): Promise<ColdTopic>
  judge(options?: JudgeTableOptions): Promise<TableVerdict>
  adopt(how: 'restore' | 'gap' | 'by-hand', call?: AdoptTableOptions): Promise<ColdAdoption>
  /** Another process on the same store and records: a new epoch, nothing cached. */
  reopen(options?: TestLogOptions): TestLog
}

export const LOG_ID = '11111111-1111-4111-8111-111111111111'
export const TOPIC_ID = '22222222-2222-4222-8222-222222222222'

export function testLog(options: TestLogOptions = {}): TestLog {
  return testLogOver(options, new TestHot(options.info?.partitions ?? 2))
}

function testLogOver(options: TestLogOptions, hot: TestHot): TestLog {
  const store = options.store ?? hookedStore()
  const runtime = options.runtime ?? virtualRuntime({ seed: 1 })
  const catalog = options.catalog ?? plainCatalog(store, runtime)
  const { codec } = options
  const partitions = options.info?.partitions ?? 2
  const info: ColdTopicInfo = {
    logId: LOG_ID,
    name: 'orders',
    id: TOPIC_ID,
    incarnation: 1,
    partitions,
    table: 'shop.orders',
    partitionBy: [day('_kafka_timestamp')],
    valueMode: codec === undefined ? 'raw' : 'columns',
    rowCrc: true,
    valueCodec: codec,
    valueSchemaId: codec === undefined ? 0 : 1,
    startOffsets: new Array<bigint>(partitions).fill(0n),
    ...options.info,
  }
  const limits = { ...defaultLimits, ...options.limits }
  hot.valueSchemaId = info.valueSchemaId
  const context: ColdContext = {
    runtime,
    limits,
    store,
    schemas: testSchemas(codec),
    hot,
    recordsOf: (run) => recordsOf(run),
    access: options.access ?? 'read-write',
    epoch: options.epoch ?? 1n,
    checkFence: options.checkFence ?? (async () => {}),
    renewGrace: options.renewGrace ?? (async () => {}),
  }
  const { deletesOf } = options
  const tier = tierWith({ catalog, threads: 0, ...options.tier }, { deletesOf })
  return {
    store,
    catalog,
    runtime,
    info,
    hot,
    tier,
    attach: () => tier.attach(info, context),
    judge: (options) => tier.judge!(info, context, options),
    adopt: (how, call = {}) => tier.adopt(info, context, { how, ...call }),
    reopen(more = {}) {
      hot.reopen()
      return testLogOver({ ...options, store, runtime, epoch: context.epoch + 1n, ...more }, hot)
    },
  }
}

/** Batches in memory, some of them released. */
export class TestHot implements HotSource {
  readonly #partitions: BatchRun[][]
  readonly #next: bigint[]
  readonly #released: bigint[]
  #recovered: readonly bigint[]
  valueSchemaId = 0
  compression: WritableCompression = 'none'
  pins = 0

  constructor(partitions: number) {
    this.#partitions = Array.from({ length: partitions }, () => [])
    this.#next = new Array<bigint>(partitions).fill(0n)
    this.#released = new Array<bigint>(partitions).fill(0n)
    this.#recovered = new Array<bigint>(partitions).fill(0n)
  }

  /** One batch. */
  send(
    partition: number,
    records: readonly SentRecord[],
    options: { timestampType?: 'create' | 'append'; valueSchemaId?: number; aborted?: readonly OffsetRange[] } = {},
  ): void {
    const baseOffset = this.#next[partition]!
    const full = records.map((record, at) => ({
      offset: baseOffset + BigInt(at),
      key: record.key ?? null,
      value: record.value ?? null,
      headers: record.headers ?? [],
      timestamp: record.timestamp ?? 1_700_000_000_000n,
    }))
    const { timestampType = 'create' } = options
    this.append(
      partition,
      encodeBatch({ baseOffset, records: full, timestampType, compression: this.compression }),
      options,
    )
  }

  /** Batches whose base offsets follow the last one's. */
  append(
    partition: number,
    batches: Uint8Array,
    options: { valueSchemaId?: number; aborted?: readonly OffsetRange[] } = {},
  ): void {
    let nextOffset = this.#next[partition]!
    for (const { header } of batchesIn(batches)) nextOffset = header.baseOffset + BigInt(header.lastOffsetDelta) + 1n
    const valueSchemaIds = options.valueSchemaId ?? this.valueSchemaId
    this.#partitions[partition]!.push({
      partition,
      baseOffset: this.#next[partition]!,
      nextOffset,
      batches,
      valueSchemaIds,
      ...(options.aborted && { aborted: options.aborted }),
    })
    this.#next[partition] = nextOffset
  }

  /** Every record sent, by partition. */
  records(partition: number): StoredRecord[] {
    return this.#partitions[partition]!.flatMap((run) => recordsOf(run))
  }

  release(offsets: readonly bigint[]): void {
    offsets.forEach((offset, partition) => (this.#released[partition] = offset))
  }

  /** Forgets the newest records, as a log restored from an old copy does. */
  forget(partition: number, from: bigint): void {
    this.#partitions[partition] = this.#partitions[partition]!.filter((run) => run.nextOffset <= from)
    this.#next[partition] = from
  }

  /** A life that begins there. */
  begin(offsets: readonly bigint[]): void {
    offsets.forEach((offset, partition) => (this.#next[partition] = this.#released[partition] = offset))
    this.reopen()
  }

  /** A new writer opens the log and finds what is there. */
  reopen(): void {
    this.#recovered = [...this.#next]
  }

  committedOffsets(): readonly bigint[] {
    return this.#next
  }
  releasedOffsets(): readonly bigint[] {
    return this.#released
  }
  recoveredOffsets(): readonly bigint[] {
    return this.#recovered
  }
  pin(): { release(): void } {
    this.pins++
    return { release: () => void this.pins-- }
  }
  async *read({ partition, from, to }: Parameters<HotSource['read']>[0]): AsyncGenerator<BatchRun> {
    if (from < this.#released[partition]!) throw notFound('RELEASED', `Offset ${from} was released.`)
    for (const run of this.#partitions[partition]!) {
      if (run.nextOffset > from && run.baseOffset < to) yield run
    }
  }
}

function testSchemas(codec: Codec | undefined): SchemaLedger {
  const known = (id: number): Codec => {
    if (codec === undefined || id !== 1) throw notFound('SCHEMA', `No schema ${id}.`)
    return codec
  }
  return {
    codec: async (id) => known(id),
    entry: async (id) => {
      const { format: codec, definition } = known(id)
      return { id, codec, definition, sha256: '', registry: undefined, mapping: 1, ids: null }
    },
  }
}

export function recordsOf(run: BatchRun): StoredRecord[] {
  const records: StoredRecord[] = []
  for (const { header, position } of batchesIn(run.batches)) {
    if (header.isControl) continue
    for (const { value, key, headers, ...record } of readRecords(run.batches, position)) {
      const fidelity = run.fidelity?.[records.length] ?? 'exact'
      records.push({
        partition: run.partition,
        ...record,
        key: plain(key),
        bytes: plain(value),
        headers: headers.map(([name, content]) => [name, plain(content)]),
        fidelity,
      })
    }
  }
  return records
}

// Decompressed bytes are Buffers, which no assertion takes for equal to a Uint8Array.
const plain = (bytes: Uint8Array | null): Uint8Array | null => (bytes === null ? null : new Uint8Array(bytes))

/** All records of a partition from the table; checks that the runs answer for every offset. */
export async function readAll(topic: ColdTopic, partition: number, from = 0n, to?: bigint): Promise<StoredRecord[]> {
  const end = to ?? topic.frontier()[partition]!
  const records: StoredRecord[] = []
  let next = from
  for await (const run of topic.read({ partition, from, to: end })) {
    if (run.baseOffset !== next || run.nextOffset <= next) throw notFound('HOLE', `A run begins at ${run.baseOffset}.`)
    records.push(...recordsOf(run))
    next = run.nextOffset
  }
  if (next !== end && from < end) throw notFound('HOLE', `The read ended at ${next}, not ${end}.`)
  return records
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Moves the virtual clock on until the promise settles, so that waits between retries take no time. */
export async function settled<T>(runtime: VirtualRuntime, promise: Promise<T>): Promise<T> {
  let isDone = false
  promise.then(
    () => (isDone = true),
    () => (isDone = true),
  )
  for (let turns = 0; !isDone; turns++) {
    if (turns > 10_000) throw notFound('HANG', 'A call under test does not settle.')
    await runtime.clock.advance(turns < 50 ? 0 : 1_000)
  }
  return promise
}

/** Fails unless the table holds exactly the log's records, byte for byte, and its ledger says so. */
export async function checkTable(topic: ColdTopic, log: TestLog): Promise<void> {
  const report = await topic.audit()
  if (!report.clean || report.gaps.length > 0) throw notFound('UNCLEAN', `The audit is not clean: ${print(report)}`)
  let rows = 0
  for (let partition = 0; partition < log.info.partitions; partition++) {
    const sent = log.hot.records(partition)
    const read = await readAll(topic, partition)
    rows += sent.length
    if (print(read) !== print(sent)) throw notFound('DIFFERS', `Partition ${partition} is not what was sent.`)
  }
  const count = await topic.scan({}).count()
  if (count !== rows) throw notFound('COUNT', `A scan counts ${count} of ${rows} records.`)
}

function print(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? `${member}n` : member))
}
