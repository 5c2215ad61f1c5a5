import { errorOf, expectEqual, expectError, expectTrue } from './assertions.ts'
import {
  collected,
  committed,
  expectAllRead,
  places,
  placesOf,
  recordsIn,
  sendSome,
  sentPlaces,
  tiered,
} from './cold-tier-checks.ts'
import type { ColdTierCheck } from './cold-tier-checks.ts'

const OTHER = '33333333-3333-4333-8333-333333333333'

/** How a topic's history begins, is found again, goes on and ends. */
export const attachChecks: readonly ColdTierCheck[] = [
  {
    name: 'refuses at the plan what could be no table, and begins nothing by a plan',
    async run(log) {
      const { plan } = log.tier
      if (plan === undefined) return
      const { limits } = log.context()
      await log.call(plan.call(log.tier, log.info, limits))
      const wrong = plan.call(log.tier, { ...log.info, table: 'no namespace' }, limits)
      await expectError(log.call(wrong), 'invalid', 'the plan of a table without a namespace')
      const reader = log.tier.attach(log.info, log.context({ access: 'read-only' }))
      await expectError(log.call(reader), 'not-found', 'a reader of a topic that was only planned')
    },
  },
  {
    name: 'begins a topic empty: it answers for nothing yet',
    async run(log) {
      const topic = await log.attach()
      expectEqual(topic.frontier(), [0n, 0n], 'the frontier')
      expectEqual(topic.snapshotId(), null, 'the snapshot')
      expectEqual(topic.lineage(), { verdict: 'intact', evidence: null }, 'the lineage')
      const range = { partition: 0, from: 0n, to: 0n }
      expectEqual(await log.call(collected(topic.read(range))), [], 'the runs of nothing')
    },
  },
  {
    name: 'begins each partition where the topic says, beyond 2^53 too',
    async run(plain) {
      const startOffsets = [2n ** 53n + 1n, 7n]
      const log = plain.topic({ startOffsets })
      const topic = await log.attach()
      expectEqual(topic.frontier(), startOffsets, 'the frontier of a new topic')
      sendSome(log, 0, 2)
      const { frontier } = await tiered(log, topic)
      expectEqual(frontier, [2n ** 53n + 3n, 7n], 'the frontier after a commit')
      await expectAllRead(log, topic, frontier)
    },
  },
  {
    name: 'keeps the histories of two topics apart',
    async run(log) {
      const other = log.topic({ name: 'returns', id: OTHER, table: 'shop.returns', partitions: 1, startOffsets: [0n] })
      const [topic, second] = [await log.attach(), await other.attach()]
      sendSome(log, 1, 3)
      await tiered(log, topic)
      expectEqual(second.frontier(), [0n], 'the frontier of the other topic')
      expectEqual(await log.call(second.scan({}).count()), 0, 'the rows of the other topic')
    },
  },
  {
    name: 'refuses the table of another topic',
    async run(log) {
      await log.attach()
      const other = log.topic({ name: 'returns', id: OTHER })
      await expectError(other.attach(), 'exists', 'a topic that names the table of another')
    },
  },
  {
    name: 'finds a topic again in the next process, with its frontier and its snapshot',
    by: ['reopen'],
    async run(log) {
      const { frontier, snapshotId } = await committed(log, 3)
      await log.call(log.tier.close())
      const next = await log.reopen()
      const again = await next.attach()
      expectEqual(again.frontier(), frontier, 'the frontier in the next process')
      expectEqual(again.snapshotId(), snapshotId, 'the snapshot in the next process')
      sendSome(next, 0, 1)
      expectEqual((await tiered(next, again)).frontier, [4n, 0n], 'the frontier after its first commit')
    },
  },
  {
    name: 'goes on in a later incarnation, and gives back what earlier ones gave',
    by: ['reopen'],
    async run(log) {
      const { topic: first } = await committed(log, 3)
      await log.call(first.close())
      sendSome(log, 0, 4)
      const next = (await log.reopen()).life({ incarnation: 2, startOffsets: [5n, 0n] })
      const topic = await next.attach()
      expectEqual(topic.frontier(), [5n, 0n], 'the frontier of the later incarnation')
      await tiered(next, topic)
      const rows = await next.call(topic.scan({ columns: ['_kafka_offset', '_kafka_incarnation'] }).toArray())
      const named = rows as unknown as readonly {
        readonly _kafka_offset: bigint
        readonly _kafka_incarnation: number
      }[]
      const lives = named.map((row) => `${row._kafka_offset} of ${row._kafka_incarnation}`).sort()
      expectEqual(lives, ['0 of 1', '1 of 1', '2 of 1', '5 of 2', '6 of 2'], 'the rows of both incarnations')
      const earlier = await recordsIn(next, topic, { partition: 0, from: 0n, to: 3n })
      expectEqual(earlier, next.hot.sent(0).slice(0, 3), 'the records of the earlier one')
    },
  },
  {
    name: 'refuses a log that is older than its history',
    by: ['reopen'],
    async run(log) {
      const { topic: newer } = await committed(log, 3)
      await log.call(newer.close())
      const older = await log.reopen([2n, 0n])
      await expectError(older.attach(), 'conflict', 'an older copy of the log', 'LOG_BEHIND_TABLE')
      // A copy takes an epoch that its original has taken since.
      const same = older.attach({ epoch: 1n })
      await expectError(same, 'conflict', 'an older copy of the same epoch', 'LOG_BEHIND_TABLE')
    },
  },
  {
    name: 'gives a log that is older than its history the next incarnation, above both, when it is asked by hand',
    by: ['reopen'],
    async run(log) {
      const newer = await log.attach()
      sendSome(log, 0, 2)
      sendSome(log, 0, 1)
      await tiered(log, newer)
      await log.call(newer.close())
      const older = await log.reopen([2n, 0n])
      const { tier, info } = older
      const restored = older.call(tier.adopt(info, older.context(), { how: 'restore' }))
      await expectError(restored, 'conflict', 'a restore of what the log has lost', 'LOG_BEHIND_TABLE')
      const adopted = await older.call(tier.adopt(info, older.context(), { how: 'by-hand' }))
      expectEqual([adopted.outcome, adopted.incarnation], ['next-incarnation', 2], 'what was done')
      const [begins] = adopted.frontier
      expectTrue(begins! >= 3n, `the next incarnation begins above the history, not at ${begins}`)
      const next = older.topic({ incarnation: 2, startOffsets: adopted.frontier })
      expectEqual((await next.attach()).frontier(), adopted.frontier, 'the frontier of the next incarnation')
    },
  },
  {
    name: 'leaves a history that is fine as it is when it is asked to adopt it',
    async run(log) {
      const { topic, snapshotId, frontier } = await committed(log, 2)
      await log.call(topic.close())
      const request = { how: 'restore' } as const
      const adopted = await log.call(log.tier.adopt(log.info, log.context(), request))
      expectEqual(adopted.outcome, 'none', 'what was done')
      expectEqual(
        [adopted.incarnation, adopted.snapshotId, adopted.frontier],
        [1, snapshotId, frontier],
        'what is there',
      )
      expectEqual(adopted.rows, 2n, 'the rows of the ledger')
    },
  },
  {
    name: 'adopts a history only at the snapshot that was expected',
    async run(log) {
      const { topic, snapshotId } = await committed(log, 1, 1)
      await log.call(topic.close())
      const adopt = (expectedSnapshotId: bigint | null): ReturnType<typeof log.tier.adopt> =>
        log.call(log.tier.adopt(log.info, log.context(), { how: 'by-hand', expectedSnapshotId }))
      await expectError(adopt(snapshotId! + 1n), 'conflict', 'an adoption of another snapshot', 'TABLE_MOVED')
      await expectError(adopt(null), 'conflict', 'an adoption of a history without one', 'TABLE_MOVED')
      await adopt(snapshotId)
    },
  },
  {
    name: 'scans what the log holds of a topic without a history',
    async run(log) {
      sendSome(log, 1, 3)
      const { scanHot } = log.tier
      if (scanHot === undefined) return
      const scan = scanHot.call(log.tier, log.info, log.context(), places)
      expectEqual(await placesOf(log, scan), sentPlaces(log), 'the rows of the log alone')
      expectEqual(log.hot.pins, 0, 'pins that are left')
    },
  },
  {
    name: 'reads, but moves nothing, for a log that is open for reading only',
    by: ['reopen'],
    async run(log) {
      sendSome(log, 0, 2)
      const writer = await log.attach()
      const { frontier } = await tiered(log, writer)
      await log.call(writer.refresh())
      sendSome(log, 0, 1)
      const reader = await log.beside()
      const topic = await reader.attach({ access: 'read-only' })
      await expectError(tiered(reader, topic), 'invalid', 'tier of a reader')
      await reader.call(topic.refresh())
      expectEqual(topic.frontier(), frontier, 'the frontier of a reader')
      await expectAllRead(reader, topic, frontier)
    },
  },
  {
    name: 'does nothing for a topic that is closed',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      await log.call(topic.close())
      await log.call(topic.close())
      await expectError(tiered(log, topic), 'closed', 'tier after close')
      await expectError(log.call(topic.refresh()), 'closed', 'refresh after close')
      const upTo = [0n, 0n]
      await expectError(log.call(topic.releasable({ upTo })), 'closed', 'releasable after close')
      const read = topic.read({ partition: 0, from: 0n, to: 2n })
      await expectError(log.call(collected(read)), 'closed', 'read after close')
    },
  },
  {
    name: 'waits at the close of a topic for the commit that has begun',
    by: ['holdCommit'],
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      const held = log.holdCommit()
      const ended = errorOf(topic.tier({ upTo: [2n, 0n] }))
      await log.call(held.reached)
      let isClosed = false
      const closing = topic.close().then(() => (isClosed = true))
      for (let turn = 0; turn < 20; turn++) await log.runtime.timers.turn()
      const isEarly = isClosed
      held.release()
      expectTrue(!isEarly, 'close waits while the commit is under way')
      await log.call(closing)
      expectEqual(await log.call(ended), undefined, 'the error of the commit')
    },
  },
  {
    name: 'closes its topics with itself, and attaches none after that',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 1)
      await log.call(log.tier.close())
      await expectError(log.call(topic.refresh()), 'closed', 'a topic of a closed tier')
      await expectError(log.attach(), 'closed', 'attach after close')
    },
  },
]
