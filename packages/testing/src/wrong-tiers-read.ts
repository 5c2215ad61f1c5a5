import type { BatchRun, Header } from '@moulin/core'
import { batchesIn, encodeBatch } from '@moulin/format'
import { gapRun } from './cut-run.ts'
import { suiteRecordsOf } from './suite-hot.ts'
import { deriveHot, deriveScan, hasRecords, offsetSinceBy, withLog, withTopics } from './wrong-tier.ts'
import type { WrongTier } from './wrong-tier.ts'

/** The run with null headers made empty ones, as a reader of some columns may. */
function withoutNulls(run: BatchRun): BatchRun {
  const records = suiteRecordsOf(run)
  if (!records.some(({ headers }) => headers.some(([, value]) => value === null))) return run
  const filled = records.map(({ bytes: value, headers, ...record }) => ({
    ...record,
    value,
    headers: headers.map(([name, content]): Header => [name, content ?? new Uint8Array(0)]),
  }))
  return { ...run, batches: encodeBatch({ baseOffset: filled[0]!.offset, records: filled, timestampType: 'create' }) }
}

const ABORTED = 'leaves out the records of aborted transactions, and counts them apart'
const SINCE = 'finds the first offset whose record is not older than a time'

interface PlacedRow {
  readonly _kafka_partition?: number
  readonly _kafka_offset?: bigint
}

/** Tiers that read, scan or audit wrongly. */
export const wrongReaders: readonly WrongTier[] = [
  {
    name: 'headers that are empty where they were null',
    breaks: 'gives the bytes of keys, values, headers and times back, whatever they are',
    wrap: withTopics((topic) => ({
      async *read(request) {
        for await (const run of topic.read(request)) yield withoutNulls(run)
      },
    })),
  },
  {
    name: 'read that begins with a whole batch',
    breaks: 'gives any range, in order, from within a batch to within another',
    wrap: withTopics((topic) => ({
      async *read(request) {
        const { partition, from, to } = request
        let begin = from
        for await (const run of topic.read({ ...request, from: 0n, to: from + 1n })) {
          for (const { header } of batchesIn(run.batches)) {
            const end = header.baseOffset + BigInt(header.lastOffsetDelta) + 1n
            if (header.baseOffset < from && end > from) begin = end
          }
        }
        if (begin > from) yield gapRun({ partition, from, to: begin < to ? begin : to })
        yield* topic.read({ ...request, from: begin })
      },
    })),
  },
  {
    name: 'read that ends with its last record',
    breaks: 'spans offsets without records, at the end of a range too',
    wrap: withTopics((topic) => ({
      async *read(request) {
        let gaps: BatchRun[] = []
        for await (const run of topic.read(request)) {
          gaps.push(run)
          if (!hasRecords(run)) continue
          yield* gaps
          gaps = []
        }
      },
    })),
  },
  {
    name: 'values of no schema',
    breaks: 'names the schema of each value',
    wrap: withTopics((topic) => ({
      async *read(request) {
        for await (const run of topic.read(request)) yield { ...run, valueSchemaIds: 0 }
      },
    })),
  },
  {
    name: 'read that a commit ends',
    breaks: 'goes on with a read while commits are made',
    wrap: withTopics((topic) => ({
      async *read(request) {
        const begun = topic.snapshotId()
        for await (const run of topic.read(request)) {
          yield run
          if (topic.snapshotId() !== begun) return
        }
      },
    })),
  },
  {
    name: 'read without its signal',
    breaks: 'ends a read at its signal, and one that is left',
    wrap: withTopics((topic) => ({ read: ({ signal: _, ...range }) => topic.read(range) })),
  },
  {
    name: 'places in the order of the table',
    breaks: 'gives single records in the order asked for, the same one twice too',
    wrap: withTopics((topic) => ({
      readAt(positions, options) {
        const sorted = [...positions].sort((a, b) => a.partition - b.partition || (a.offset < b.offset ? -1 : 1))
        return topic.readAt(sorted, options)
      },
    })),
  },
  {
    name: 'places that are given once',
    breaks: 'gives single records in the order asked for, the same one twice too',
    wrap: withTopics((topic) => ({
      readAt(positions, options) {
        const seen = new Set<string>()
        const first = positions.filter(({ partition, offset }) => {
          const place = `${partition}:${offset}`
          return !seen.has(place) && seen.add(place)
        })
        return topic.readAt(first, options)
      },
    })),
  },
  {
    name: 'records of aborted transactions among the others',
    breaks: ABORTED,
    wrap: withLog(({ context }) => ({
      context: {
        ...context,
        hot: deriveHot(context.hot, {
          async *read(request) {
            for await (const { aborted: _, ...run } of context.hot.read(request)) yield run
          },
        }),
      },
    })),
  },
  {
    name: 'aborted records that are counted as skipped',
    breaks: ABORTED,
    wrap: withTopics((topic) => ({
      async audit(options) {
        const report = await topic.audit(options)
        const partitions = report.partitions.map(({ aborted, skipped, ...counts }) => ({
          ...counts,
          aborted: 0n,
          skipped: skipped + aborted,
        }))
        return { ...report, partitions }
      },
    })),
  },
  {
    name: 'search for the next time instead of the first offset',
    breaks: SINCE,
    wrap: withTopics(
      offsetSinceBy((rows, timestamp, to) => {
        const late = rows.filter(({ offset, time }) => offset < to && time >= timestamp)
        return late.sort((a, b) => Number(a.time - b.time))[0]
      }),
    ),
  },
  {
    name: 'search by time that goes on behind its end',
    breaks: SINCE,
    wrap: withTopics(offsetSinceBy((rows, timestamp) => rows.find(({ time }) => time >= timestamp))),
  },
  {
    name: 'search by time that takes no time for the newest',
    breaks: SINCE,
    wrap: withTopics(
      offsetSinceBy((rows, timestamp, to) =>
        rows.find(({ offset, time }) => offset < to && (time === -1n || time >= timestamp)),
      ),
    ),
  },
  {
    name: 'places without a record that are passed over',
    breaks: 'gives an empty run for a place without a record',
    wrap: withTopics((topic) => ({
      async *readAt(positions, options) {
        for await (const run of topic.readAt(positions, options)) if (hasRecords(run)) yield run
      },
    })),
  },
  {
    name: 'scan of a partition that has history without its hot records',
    breaks: 'scans what is in the history and what is hot as one, each record once',
    wrap: withTopics((topic, { info, context }) => ({
      scan(options) {
        const scan = topic.scan(options)
        const { hot } = context
        if (info.valueCodec !== undefined || hot.releasedOffsets().some((offset) => offset > 0n)) return scan
        return deriveScan(scan, async function* (rows) {
          const frontier = topic.frontier()
          for await (const row of rows) {
            const { _kafka_partition: partition = 0, _kafka_offset: offset = 0n } = row as PlacedRow
            if (frontier[partition]! === 0n || offset < frontier[partition]!) yield row
          }
        })
      },
    })),
  },
  {
    name: 'columns that nobody has named',
    breaks: 'gives the columns that are named, and by default those of the values',
    wrap: withTopics((topic, { info }) => ({
      scan: (options) =>
        topic.scan(
          info.valueCodec === undefined || options.columns !== undefined
            ? options
            : { ...options, columns: ['id', 'city', '_kafka_offset'] },
        ),
    })),
  },
  {
    name: 'scan that goes on to what has come since',
    breaks: 'is one cut, fixed at the first row, whatever comes meanwhile',
    wrap: withTopics((topic, { context }) => ({
      scan: (options) =>
        deriveScan(topic.scan(options), async function* (rows) {
          let ends: readonly bigint[] | undefined
          for await (const row of rows) {
            ends ??= [...context.hot.committedOffsets()]
            yield row
          }
          const begun = ends
          if (begun === undefined) return
          for await (const row of topic.scan(options)) {
            const { _kafka_partition: partition = 0, _kafka_offset: offset = 0n } = row as PlacedRow
            if (offset >= begun[partition]!) yield row
          }
        }),
    })),
  },
  {
    name: 'scan that holds the log for ever',
    breaks: 'holds what it scans in the log while it scans, and no longer',
    wrap: withLog(({ context }) => ({
      context: {
        ...context,
        hot: deriveHot(context.hot, {
          pin(from) {
            context.hot.pin(from)
            return { release() {} }
          },
        }),
      },
    })),
  },
  {
    name: 'batches of which the first comes twice',
    breaks: 'says the same by rows, batches, array and count',
    wrap: withTopics((topic) => ({
      scan(options) {
        const scan = topic.scan(options)
        return {
          ...scan,
          async *batches() {
            let isFirst = true
            for await (const batch of scan.batches()) {
              if (isFirst) yield batch
              isFirst = false
              yield batch
            }
          },
        }
      },
    })),
  },
  {
    name: 'predicate that lets everything through',
    breaks: 'gives the rows that a predicate lets through, hot and cold',
    wrap: withTopics((topic) => ({
      scan: ({ where, ...options }) =>
        // Right of a search by time.
        topic.scan(where !== undefined && options.columns?.includes('_kafka_offset') ? { ...options, where } : options),
    })),
  },
  {
    name: 'Arrow without a byte',
    breaks: 'says unsupported to Arrow',
    wrap: withTopics((topic) => ({
      scan: (options) => ({ ...topic.scan(options), toIpc: async () => new Uint8Array(0) }),
    })),
  },
  {
    name: 'audit that sees no gap',
    breaks: 'audits what it holds against what it was given, and names the gaps',
    wrap: withTopics((topic) => ({ audit: async (options) => ({ ...(await topic.audit(options)), gaps: [] }) })),
  },
]
