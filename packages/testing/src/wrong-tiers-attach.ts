import { isKind } from '@moulin/core'
import { deriveHot, deriveScan, withLog, withTopics } from './wrong-tier.ts'
import type { WrongTier } from './wrong-tier.ts'

/** Tiers that begin, find again or end a topic wrongly. */
export const wrongAttachers: readonly WrongTier[] = [
  {
    name: 'plan that takes any name',
    breaks: 'refuses at the plan what could be no table, and begins nothing by a plan',
    wrap: (tier) => ({ ...tier, async plan() {} }),
  },
  {
    name: 'snapshot of a table that has none',
    breaks: 'begins a topic empty: it answers for nothing yet',
    wrap: withTopics((topic) => ({ snapshotId: () => topic.snapshotId() ?? 0n })),
  },
  {
    name: 'frontier that begins at 0',
    breaks: 'begins each partition where the topic says, beyond 2^53 too',
    wrap: withTopics((topic) => ({
      frontier: () => (topic.snapshotId() === null ? topic.frontier().map(() => 0n) : topic.frontier()),
    })),
  },
  {
    name: 'offsets that were numbers on the way',
    breaks: 'begins each partition where the topic says, beyond 2^53 too',
    wrap: withTopics((topic) => ({
      async tier(request) {
        const result = await topic.tier(request)
        return { ...result, frontier: result.frontier.map((offset) => BigInt(Number(offset))) }
      },
    })),
  },
  {
    name: 'one history for all topics',
    breaks: 'keeps the histories of two topics apart',
    wrap: withLog(({ info }) => ({ info: { ...info, table: 'shop.orders' } })),
  },
  {
    name: 'attach that takes what is there for its own',
    breaks: 'refuses the table of another topic',
    wrap: (tier) => ({
      ...tier,
      attach: (info, context) =>
        tier.attach(info, context).catch((error: unknown) => {
          if (!isKind(error, 'exists')) throw error
          return tier.attach({ ...info, table: `${info.table}_too` }, context)
        }),
    }),
  },
  {
    name: 'next process that does not know the snapshot',
    breaks: 'finds a topic again in the next process, with its frontier and its snapshot',
    wrap: withTopics((_, { context }) =>
      context.epoch > 1n && context.access === 'read-write' ? { snapshotId: () => null } : {},
    ),
  },
  {
    name: 'later incarnation that hides the earlier ones',
    breaks: 'goes on in a later incarnation, and gives back what earlier ones gave',
    wrap: withTopics((topic, { info }) => ({
      scan: (options) =>
        info.incarnation === 1
          ? topic.scan(options)
          : deriveScan(topic.scan(options), async function* (rows) {
              for await (const row of rows) if (row['_kafka_incarnation'] === info.incarnation) yield row
            }),
    })),
  },
  {
    name: 'attach that never compares the log with its history',
    breaks: 'refuses a log that is older than its history',
    wrap: withLog(({ context }) => {
      const recoveredOffsets = (): bigint[] => context.hot.committedOffsets().map(() => 2n ** 62n)
      return { context: { ...context, hot: deriveHot(context.hot, { recoveredOffsets }) } }
    }),
  },
  {
    name: 'attach that takes its epoch for the proof that it knows all',
    breaks: 'refuses a log that is older than its history',
    wrap: withLog(({ context }) => {
      const recoveredOffsets = (): readonly bigint[] =>
        context.epoch === 1n ? context.hot.committedOffsets().map(() => 2n ** 62n) : context.hot.recoveredOffsets()
      return { context: { ...context, hot: deriveHot(context.hot, { recoveredOffsets }) } }
    }),
  },
  {
    name: 'next incarnation that begins where the log ends',
    breaks: 'gives a log that is older than its history the next incarnation, above both, when it is asked by hand',
    wrap: (tier) => ({
      ...tier,
      async adopt(info, context, request) {
        const adopted = await tier.adopt(info, context, request)
        const frontier = [...context.hot.committedOffsets()]
        return adopted.outcome === 'next-incarnation' ? { ...adopted, frontier } : adopted
      },
    }),
  },
  {
    name: 'adoption of what is fine',
    breaks: 'leaves a history that is fine as it is when it is asked to adopt it',
    wrap: (tier) => ({
      ...tier,
      async adopt(...asked) {
        const adopted = await tier.adopt(...asked)
        return adopted.outcome === 'none' ? { ...adopted, outcome: 'recounted' } : adopted
      },
    }),
  },
  {
    name: 'adoption of whatever is there',
    breaks: 'adopts a history only at the snapshot that was expected',
    wrap: (tier) => ({
      ...tier,
      adopt: (info, context, { expectedSnapshotId: _, ...request }) => tier.adopt(info, context, request),
    }),
  },
  {
    name: 'scan of the log alone that holds it for ever',
    breaks: 'scans what the log holds of a topic without a history',
    wrap: (tier) => ({
      ...tier,
      scanHot(info, context, options) {
        context.hot.pin(context.hot.releasedOffsets())
        return tier.scanHot!(info, context, options)
      },
    }),
  },
  {
    name: 'reader whose commits come to nothing, silently',
    breaks: 'reads, but moves nothing, for a log that is open for reading only',
    wrap: withTopics((topic, { context }) =>
      context.access === 'read-write'
        ? {}
        : { tier: async () => ({ snapshotId: topic.snapshotId(), rows: 0, frontier: topic.frontier() }) },
    ),
  },
  {
    name: 'closed topic that still lets write-ahead data go',
    breaks: 'does nothing for a topic that is closed',
    wrap: withTopics((topic) => ({
      releasable: (request) =>
        topic.releasable(request).catch((error: unknown) => {
          if (isKind(error, 'closed')) return request.upTo
          throw error
        }),
    })),
  },
  {
    name: 'close in the middle of a commit',
    breaks: 'waits at the close of a topic for the commit that has begun',
    wrap: withTopics((topic) => ({
      async close() {
        topic.close().catch(() => {})
      },
    })),
  },
  {
    name: 'close of the tier that leaves its topics open',
    breaks: 'closes its topics with itself, and attaches none after that',
    wrap: (tier) => ({ ...tier, async close() {} }),
  },
]
