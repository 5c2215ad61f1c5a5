import {
  unavailable,
  unsupported,
  type BatchRun,
  type ColdContext,
  type ColdTier,
  type ColdTopic,
  type ColdTopicInfo,
  type Expression,
  type HotSource,
  type Scan,
  type StoredRecord,
  type TierResult,
} from '@moulin/core'
import { encodeBatch } from '@moulin/format'

/** A table that outlives every log: what a cold tier has stored, by topic id and partition. */
export interface FakeTable {
  readonly partitions: StoredRecord[][]
  readonly frontier: bigint[]
  readonly schemaId: number
  snapshotId: bigint | null
  /** Wall time of the last commit. */
  committedAtMs: number | undefined
}

export interface FakeTables {
  readonly tables: Map<string, FakeTable>
  /** Called before each commit: throw to make it fail. */
  beforeCommit: () => Promise<void>
  /** Called before each release check. */
  beforeRelease: () => Promise<void>
  /** What the log lent, per attach. */
  readonly hot: HotSource[]
  commits: number
  attached: number
  closed: number
}

export function fakeTables(): FakeTables {
  return {
    tables: new Map(),
    beforeCommit: async () => {},
    beforeRelease: async () => {},
    hot: [],
    commits: 0,
    attached: 0,
    closed: 0,
  }
}

/** A cold tier over memory that is shared by all logs of a test: the simplest thing that keeps the door's promises. */
export function fakeColdTier(store: FakeTables): ColdTier {
  return {
    name: 'fake',
    async attach(topic, context) {
      store.attached++
      store.hot.push(context.hot)
      return fakeTopic(store, topic, context)
    },
    // What it does for a log that is older than its table; the rest of it is never broken.
    async adopt({ id, incarnation }, { hot }, { how }) {
      const table = store.tables.get(id)!
      const recovered = hot.recoveredOffsets()
      const isOlder = how === 'by-hand' && table.frontier.some((offset, at) => offset > recovered[at]!)
      if (isOlder) table.frontier.forEach((offset, at) => (table.frontier[at] = offset + 2n ** 20n))
      return {
        outcome: isOlder ? 'next-incarnation' : 'none',
        incarnation: isOlder ? incarnation + 1 : incarnation,
        snapshotId: table.snapshotId,
        frontier: [...table.frontier],
        rows: 0n,
        skippedOffsets: 0n,
        skipped: [],
      }
    },
    async close() {
      store.closed++
    },
  }
}

/** The same tier, but that one topic's table takes nothing: its catalog is down. */
export function stalledTier(tier: ColdTier, name: string): ColdTier {
  const refuse = (): Promise<never> => Promise.reject(unavailable('DOWN', 'The catalog is down.'))
  return {
    ...tier,
    attach: async (topic, context) => {
      const attached = await tier.attach(topic, context)
      return topic.name === name ? { ...attached, tier: refuse } : attached
    },
  }
}

function fakeTopic(store: FakeTables, topic: ColdTopicInfo, context: ColdContext): ColdTopic {
  let table = store.tables.get(topic.id)
  if (table === undefined) {
    const partitions = Array.from({ length: topic.partitions }, (): StoredRecord[] => [])
    table = {
      partitions,
      frontier: [...topic.startOffsets],
      schemaId: topic.valueSchemaId,
      snapshotId: null,
      committedAtMs: undefined,
    }
    store.tables.set(topic.id, table)
  }
  const { partitions, frontier, schemaId } = table
  const current = table

  const tier = async (upTo: readonly bigint[]): Promise<TierResult> => {
    const from = [...frontier]
    const pin = context.hot.pin(from)
    try {
      const found: StoredRecord[][] = []
      for (let partition = 0; partition < topic.partitions; partition++) {
        found.push([])
        const range = { partition, from: from[partition]!, to: upTo[partition]! }
        if (range.from >= range.to) continue
        for await (const run of context.hot.read(range)) {
          found[partition]!.push(...context.recordsOf(run).filter(({ offset }) => isIn(offset, range.from, range.to)))
        }
      }
      const rows = found.reduce((sum, { length }) => sum + length, 0)
      if (rows > 0) {
        await store.beforeCommit()
        // One step: the commit.
        found.forEach((records, partition) => partitions[partition]!.push(...records))
        upTo.forEach((offset, partition) => (frontier[partition] = offset))
        current.snapshotId = BigInt(++store.commits)
        current.committedAtMs = context.runtime.clock.now()
      }
      return { snapshotId: current.snapshotId, rows, frontier: [...frontier] }
    } finally {
      pin.release()
    }
  }
  const runOf = (record: StoredRecord): BatchRun => ({
    partition: record.partition,
    baseOffset: record.offset,
    nextOffset: record.offset + 1n,
    batches: encodeBatch({
      baseOffset: record.offset,
      records: [{ ...record, value: record.bytes }],
      timestampType: record.timestampType,
    }),
    valueSchemaIds: schemaId,
  })
  return {
    frontier: () => [...frontier],
    snapshotId: () => current.snapshotId,
    committedAtMs: () => current.committedAtMs,
    lineage: () => ({ verdict: 'intact', evidence: null }),
    async refresh() {},
    tier: ({ upTo }) => tier(upTo),
    async releasable() {
      await store.beforeRelease()
      return [...frontier]
    },
    async *read({ partition, from, to }) {
      for (const record of partitions[partition]!) if (isIn(record.offset, from, to)) yield runOf(record)
    },
    async *readAt(positions) {
      for (const { partition, offset } of positions) {
        const record = partitions[partition]!.find((candidate) => candidate.offset === offset)
        yield record === undefined
          ? { partition, baseOffset: offset, nextOffset: offset + 1n, batches: new Uint8Array(0), valueSchemaIds: 0 }
          : runOf(record)
      }
    },
    scan: ({ where }) => fakeScan(partitions, where),
    audit: () => Promise.reject(unsupported('FAKE', 'The fake has no audit.')),
    async close() {},
  }
}

function fakeScan(partitions: readonly StoredRecord[][], where: Expression | undefined): Scan<Record<string, unknown>> {
  const rows = async function* (): AsyncGenerator<Record<string, unknown>> {
    for (const records of partitions) {
      for (const { partition, offset, timestamp } of records) {
        const row = {
          _kafka_partition: partition,
          _kafka_offset: offset,
          _kafka_timestamp: new Date(Number(timestamp)),
        }
        if (where === undefined || holds(where, row)) yield row
      }
    }
  }
  const refuse = (): Promise<never> => Promise.reject(unsupported('FAKE', 'The fake has no Arrow.'))
  return {
    [Symbol.asyncIterator]: rows,
    async *batches() {
      for await (const row of rows()) yield [row]
    },
    async toArray() {
      const all: Record<string, unknown>[] = []
      for await (const row of rows()) all.push(row)
      return all
    },
    async count() {
      return partitions.reduce((sum, { length }) => sum + length, 0)
    },
    toArrow: refuse,
    arrowBatches: () => ({ [Symbol.asyncIterator]: () => ({ next: refuse }) }),
    toIpc: refuse,
  }
}

/** The predicates that a search by time makes. */
function holds(where: Expression, row: Readonly<Record<string, unknown>>): boolean {
  switch (where.op) {
    case 'and':
      return where.args.every((arg) => holds(arg, row))
    case 'eq':
      return row[where.column] === where.value
    case 'gte':
      return (row[where.column] as Date) >= (where.value as Date)
    default:
      throw unsupported('FAKE', `The fake does not know ${where.op}.`)
  }
}

function isIn(offset: bigint, from: bigint, to: bigint): boolean {
  return offset >= from && offset < to
}
