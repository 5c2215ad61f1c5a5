/**
 * A cold tier in a few arrays, written against core alone: what somebody without any other package of ours could
 * write. If it could not be, the door would be wrong.
 */
import { invalid, unsupported } from '@moulin/core'
import type {
  AuditReport,
  BatchRun,
  ColdContext,
  ColdTier,
  ColdTopic,
  ColdTopicInfo,
  Position,
  Scan,
  ScanOptions,
  StoredRecord,
} from '@moulin/core'

export interface ArrayColdTier extends ColdTier {
  /** Runs that the tier holds of a topic, in the order they came. */
  runs(topic: string): readonly BatchRun[]
  /** Offsets up to which `releasable` lets write-ahead data go; undefined: the frontier. What a rolled-back table would say. */
  confirmed: readonly bigint[] | undefined
}

export function arrayColdTier(): ArrayColdTier {
  const histories = new Map<string, History>()
  const tier: ArrayColdTier = {
    name: 'arrayColdTier',
    confirmed: undefined,
    async attach(topic, context) {
      const history = histories.get(topic.id) ?? { runs: [], frontier: [...topic.startOffsets], commits: 0n }
      histories.set(topic.id, history)
      return { ...arrayColdTopic(topic, context, history), releasable: async () => tier.confirmed ?? history.frontier }
    },
    async adopt({ id, incarnation }) {
      const { frontier = [], commits = 0n } = histories.get(id) ?? {}
      const counts = { rows: 0n, skippedOffsets: 0n, skipped: [] }
      return { outcome: 'none', incarnation, snapshotId: commits === 0n ? null : commits, frontier, ...counts }
    },
    runs: (name) => [...histories.values()].flatMap(({ runs }) => runs).filter((run) => run.topic === name),
    async close() {},
  }
  return tier
}

interface History {
  readonly runs: (BatchRun & { readonly topic: string })[]
  frontier: bigint[]
  commits: bigint
}

function arrayColdTopic(topic: ColdTopicInfo, context: ColdContext, history: History): Omit<ColdTopic, 'releasable'> {
  const { hot } = context

  async function* read(request: { partition: number; from: bigint; to: bigint }): AsyncGenerator<BatchRun> {
    for (const run of history.runs) {
      if (run.partition === request.partition && run.nextOffset > request.from && run.baseOffset < request.to) yield run
    }
  }

  async function* everyRecord(): AsyncGenerator<StoredRecord> {
    const ends = hot.committedOffsets()
    const frontier = [...history.frontier]
    const pin = hot.pin(frontier)
    try {
      for (let partition = 0; partition < topic.partitions; partition++) {
        const within = (record: StoredRecord): boolean => record.offset < ends[partition]!
        for await (const run of read({ partition, from: 0n, to: frontier[partition]! })) {
          yield* context.recordsOf(run).filter((record) => record.offset < frontier[partition]!)
        }
        for await (const run of hot.read({ partition, from: frontier[partition]!, to: ends[partition]! })) {
          yield* context.recordsOf(run).filter((record) => within(record) && record.offset >= frontier[partition]!)
        }
      }
    } finally {
      pin.release()
    }
  }

  const snapshotId = (): bigint | null => (history.commits === 0n ? null : history.commits)

  return {
    frontier: () => history.frontier,
    snapshotId,
    lineage: () => ({ verdict: 'intact', evidence: null }),
    async refresh() {},
    async tier({ upTo }) {
      let rows = 0
      const taken: (BatchRun & { topic: string })[] = []
      for (let partition = 0; partition < topic.partitions; partition++) {
        const from = history.frontier[partition]!
        const to = upTo[partition]!
        for await (const run of hot.read({ partition, from, to })) {
          rows += context.recordsOf(run).filter(({ offset }) => offset >= from && offset < to).length
          taken.push({ ...run, batches: run.batches.slice(), topic: topic.name })
        }
      }
      if (rows > 0) {
        history.runs.push(...taken)
        history.frontier = [...upTo]
        history.commits++
      }
      return { snapshotId: snapshotId(), rows, frontier: history.frontier }
    },
    read,
    async *readAt(positions: readonly Position[]) {
      for (const { partition, offset } of positions) {
        let found: BatchRun | undefined
        for await (const run of read({ partition, from: offset, to: offset + 1n })) found = run
        yield (
          found ?? {
            partition,
            baseOffset: offset,
            nextOffset: offset + 1n,
            batches: new Uint8Array(0),
            valueSchemaIds: 0,
          }
        )
      }
    },
    scan: (options) => scanOf(topic, everyRecord, options),
    async audit(): Promise<AuditReport> {
      return { clean: true, partitions: [], gaps: [], deep: null, sql: '' }
    },
    async close() {},
  }
}

function scanOf(
  topic: ColdTopicInfo,
  records: () => AsyncGenerator<StoredRecord>,
  options: ScanOptions,
): Scan<Record<string, unknown>> {
  if (options.where !== undefined) throw unsupported('ARRAY_TIER', 'This tier takes no predicates.')
  const codec = topic.valueCodec
  if (codec === undefined) throw invalid('ARRAY_TIER', 'This tier scans decoded values only.')
  const columns = options.columns ?? codec.schema.fields.map(({ name }) => name)

  const noArrow = (): Promise<never> => Promise.reject(unsupported('ARROW', 'This tier has no Arrow output.'))
  async function* rows(): AsyncGenerator<Record<string, unknown>> {
    for await (const record of records()) {
      const value = (record.bytes === null ? {} : codec!.decode(record.bytes)) as Record<string, unknown>
      const row = Object.create(null) as Record<string, unknown>
      for (const name of columns) row[name] = name === '_kafka_offset' ? record.offset : (value[name] ?? null)
      yield row
    }
  }
  async function toArray(): Promise<Record<string, unknown>[]> {
    const all: Record<string, unknown>[] = []
    for await (const row of rows()) all.push(row)
    return all
  }
  return {
    [Symbol.asyncIterator]: rows,
    async *batches() {
      yield await toArray()
    },
    toArray,
    count: async () => (await toArray()).length,
    toArrow: noArrow,
    arrowBatches: () => ({ [Symbol.asyncIterator]: () => ({ next: noArrow }) }),
    toIpc: noArrow,
  }
}
