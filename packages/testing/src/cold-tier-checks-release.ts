import { fenced } from '@moulin/core'
import { errorOf, expectEqual, expectError, expectTrue } from './assertions.ts'
import {
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

/** What lets the write-ahead copy go, and what stops it. */
export const releaseChecks: readonly ColdTierCheck[] = [
  {
    name: 'lets go of what it holds, and of nothing above upTo or its frontier',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 3)
      sendSome(log, 0, 1)
      sendSome(log, 1, 2)
      const { frontier } = await tiered(log, topic, [3n, 2n])
      const releasable = (...upTo: bigint[]): Promise<readonly bigint[]> => log.call(topic.releasable({ upTo }))
      expectEqual(await releasable(...frontier), [3n, 2n], 'what may go of all that was committed')
      expectEqual(await releasable(2n, 0n), [2n, 0n], 'what may go below a lower upTo')
      expectEqual(await releasable(4n, 2n), [3n, 2n], 'what may go where more is asked for than is committed')
      log.hot.release([3n, 2n])
      await expectAllRead(log, topic, frontier)
      expectEqual(await placesOf(log, topic.scan(places)), sentPlaces(log), 'the rows after the release')
    },
  },
  {
    name: 'looks anew before it lets go: nothing beyond a missing file, until it is back',
    by: ['hide'],
    async run(log) {
      const { topic, frontier: upTo } = await committed(log, [2, 2], 2)
      const show = await log.hide({ partition: 0, offset: 2n })
      const [first] = await log.call(topic.releasable({ upTo }))
      expectTrue(first! <= 2n, `nothing beyond the missing file at 0:2 may go, but ${first} may`)
      if (topic.missingFiles !== undefined) expectTrue(topic.missingFiles().length > 0, 'the missing file is named')
      await show()
      expectEqual(await log.call(topic.releasable({ upTo })), [4n, 2n], 'what may go when the file is back')
      if (topic.missingFiles !== undefined) expectEqual(topic.missingFiles(), [], 'what is missing then')
    },
  },
  {
    name: 'takes from the log what a missing file had',
    by: ['hide'],
    async run(log) {
      const { topic, frontier } = await committed(log, 2, 2)
      await log.hide({ partition: 0, offset: 2n })
      await log.call(topic.releasable({ upTo: frontier }))
      await expectAllRead(log, topic, frontier)
      expectEqual(await placesOf(log, topic.scan(places)), sentPlaces(log), 'the rows with a file missing')
    },
  },
  {
    name: 'calls a history broken that was rolled back, before anything is committed or let go',
    by: ['rollBack'],
    async run(log) {
      const { topic } = await committed(log, 2, 2)
      await log.rollBack()
      const broken = 'LINEAGE_BROKEN'
      const upTo = [4n, 0n]
      await expectError(log.call(topic.releasable({ upTo })), 'conflict', 'releasable', broken)
      await expectError(log.call(topic.refresh()), 'conflict', 'refresh', broken)
      sendSome(log, 0, 1)
      await expectError(tiered(log, topic), 'conflict', 'tier', broken)
    },
  },
  {
    name: 'asks whether a newer writer has come before it calls a history broken',
    by: ['rollBack'],
    async run(log) {
      let isFenced = false
      const topic = await log.attach({
        async checkFence() {
          if (isFenced) throw fenced('FENCED', 'A newer writer has taken over.')
        },
      })
      sendSome(log, 0, 2)
      await tiered(log, topic)
      await log.rollBack()
      isFenced = true
      sendSome(log, 0, 1)
      await expectError(tiered(log, topic), 'fenced', 'tier of a writer that was fenced')
    },
  },
  {
    name: 'makes a broken history whole again from what the log still holds, when it is asked to',
    by: ['rollBack', 'reopen'],
    async run(log) {
      const { topic } = await committed(log, 2, 2)
      await log.rollBack()
      await errorOf(log.call(topic.refresh()))
      await log.call(topic.close())
      const next = await log.reopen()
      const context = next.context()
      const adopted = await next.call(next.tier.adopt(next.info, context, { how: 'restore' }))
      expectEqual([adopted.outcome, adopted.frontier], ['recounted', [2n, 0n]], 'what was done')
      const again = await next.attach()
      const { rows, frontier } = await tiered(next, again)
      expectEqual([rows, frontier], [2, [4n, 0n]], 'what the next commit moves')
      expectEqual(await placesOf(next, again.scan(places)), sentPlaces(next), 'the rows in the end')
      expectTrue((await next.call(again.audit())).clean, 'the audit is clean')
    },
  },
  {
    name: 'gives up what neither it nor the log holds when it is asked to, and not before, and says what',
    by: ['rollBack', 'reopen'],
    async run(log) {
      const { topic, frontier } = await committed(log, 2, 2)
      log.hot.release(frontier)
      await log.rollBack()
      await log.call(topic.close())
      const next = await log.reopen()
      const adopt = (how: 'restore' | 'gap'): ReturnType<typeof next.tier.adopt> =>
        next.call(next.tier.adopt(next.info, next.context(), { how }))
      await expectError(adopt('restore'), 'conflict', 'a restore of what is lost', 'LINEAGE_BROKEN')
      const adopted = await adopt('gap')
      expectEqual([adopted.outcome, adopted.frontier], ['recounted', [4n, 0n]], 'what was done')
      expectEqual(adopted.skipped, [{ incarnation: 1, partition: 0, from: 2n, to: 4n }], 'what was given up')
      const again = await next.attach()
      const read = await recordsIn(next, again, { partition: 0, from: 0n, to: 2n })
      expectEqual(read, next.hot.sent(0).slice(0, 2), 'the records that are left')
      expectTrue((await next.call(again.audit())).clean, 'the audit is clean')
    },
  },
  {
    name: 'cleans up when it is due, leaves all that it answers for, and is not due in the past for nothing',
    async run(log) {
      const topic = await log.attach()
      for (let commit = 0; commit < 3; commit++) {
        sendSome(log, 0, 1)
        await tiered(log, topic)
      }
      const { clock } = log.runtime as { readonly clock: { now(): number; advance?: (ms: number) => Promise<void> } }
      for (let round = 0; round < 2; round++) {
        const dueMs = topic.cleanUpDueMs?.()
        if (dueMs === undefined) break
        // Where time cannot be moved on, what is not due yet has to stay away.
        if (dueMs > clock.now()) {
          if (clock.advance === undefined) break
          await clock.advance(dueMs - clock.now())
        }
        await log.call(topic.cleanUp?.() ?? Promise.resolve())
        const nextMs = topic.cleanUpDueMs?.()
        expectTrue(nextMs === undefined || nextMs > clock.now(), `cleaned up at ${clock.now()}, due again at ${nextMs}`)
      }
      await expectAllRead(log, topic, [3n, 0n])
      expectTrue((await log.call(topic.audit())).clean, 'the audit is clean')
    },
  },
]
