import type { ColdTopic } from '@moulin/core'
import { isMoulinError } from '@moulin/core'
import { errorOf, expectEqual, expectError, expectTrue } from './assertions.ts'
import { expectAllRead, places, placesOf, sendSome, sentPlaces, tiered } from './cold-tier-checks.ts'
import type { ColdTierCheck } from './cold-tier-checks.ts'
import type { ColdTierLog, LostCommit } from './cold-tier-log.ts'

/** What is in the history after all, by its rows. */
async function expectOnce(log: ColdTierLog, topic: ColdTopic): Promise<void> {
  expectEqual(await placesOf(log, topic.scan(places)), sentPlaces(log), 'the rows in the end')
}

/** A commit without an answer, and then one more call. @returns the error of the first. */
async function lostThenAgain(log: ColdTierLog, how: LostCommit): Promise<Error | undefined> {
  const topic = await log.attach()
  sendSome(log, 0, 3)
  log.loseCommit(how)
  const error = await errorOf(tiered(log, topic))
  const { frontier } = await tiered(log, topic)
  expectEqual(frontier, [3n, 0n], 'the frontier that the next call says')
  await expectOnce(log, topic)
  await expectAllRead(log, topic, frontier)
  return error
}

/** Moving records into the history. */
export const commitChecks: readonly ColdTierCheck[] = [
  {
    name: 'moves exactly what lies below upTo, within a batch too',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 4)
      sendSome(log, 1, 3)
      const first = await tiered(log, topic, [2n, 3n])
      expectEqual([first.rows, first.frontier], [5, [2n, 3n]], 'what the first commit says')
      await expectAllRead(log, topic, [2n, 3n])
      const second = await tiered(log, topic)
      expectEqual([second.rows, second.frontier], [2, [4n, 3n]], 'what the second commit says')
      await expectAllRead(log, topic, [4n, 3n])
    },
  },
  {
    name: 'moves nothing that is not committed in the log, whatever upTo asks for',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      const { rows, frontier } = await tiered(log, topic, [9n, 9n])
      expectEqual([rows, frontier], [2, [2n, 0n]], 'what a commit says that was asked for more than there is')
    },
  },
  {
    name: 'makes one commit of all partitions, and none where there is nothing to move',
    async run(log) {
      const topic = await log.attach()
      const none = await tiered(log, topic)
      expectEqual(none, { snapshotId: null, rows: 0, frontier: [0n, 0n] }, 'a call with nothing to move')
      sendSome(log, 0, 1)
      sendSome(log, 1, 1)
      const first = await tiered(log, topic)
      expectTrue(first.snapshotId !== null, 'a commit has a snapshot')
      expectEqual(topic.snapshotId(), first.snapshotId, 'the snapshot after the commit')
      const again = await tiered(log, topic)
      expectEqual(again, { ...first, rows: 0 }, 'the same call once more')
      expectEqual(topic.snapshotId(), first.snapshotId, 'the snapshot after a call with nothing to move')
    },
  },
  {
    name: 'moves its own frontier with the commit, never back',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 3)
      sendSome(log, 0, 1)
      await tiered(log, topic, [3n, 0n])
      expectEqual(topic.frontier(), [3n, 0n], 'the frontier after a commit')
      const lower = await tiered(log, topic, [1n, 0n])
      expectEqual([lower.rows, lower.frontier], [0, [3n, 0n]], 'a call for less than there is')
      expectEqual(topic.frontier(), [3n, 0n], 'the frontier after a call for less')
    },
  },
  {
    name: 'resolves when the next process sees the commit',
    by: ['reopen'],
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      const beside = await log.beside()
      const { frontier, snapshotId } = await tiered(log, topic)
      const seen = await beside.attach({ access: 'read-only' })
      expectEqual([seen.frontier(), seen.snapshotId()], [frontier, snapshotId], 'what another process finds')
    },
  },
  {
    name: 'commits once for calls at the same time, and resolves each when what it asked for is there',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      sendSome(log, 0, 1)
      sendSome(log, 1, 3)
      const asked = [
        [2n, 0n],
        [3n, 3n],
        [3n, 3n],
        [1n, 1n],
      ]
      const answers = await log.call(Promise.all(asked.map((upTo) => topic.tier({ upTo }))))
      for (const [at, { frontier }] of answers.entries()) {
        const reached = asked[at]!.every((offset, partition) => frontier[partition]! >= offset)
        expectTrue(reached, `call ${at} asked for ${asked[at]!.join()} and resolved at ${frontier.join()}`)
      }
      await expectOnce(log, topic)
    },
  },
  {
    name: 'begins no commit for a signal that has fired',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      const upTo = [2n, 0n]
      await expectError(log.call(topic.tier({ upTo, signal: AbortSignal.abort() })), 'aborted', 'tier after its signal')
      await log.call(topic.refresh())
      expectEqual(topic.frontier(), [0n, 0n], 'the frontier after that')
    },
  },
  {
    name: 'tells whoever gives up what became of the commit',
    by: ['holdCommit'],
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      const stop = new AbortController()
      const held = log.holdCommit()
      const call = topic.tier({ upTo: [2n, 0n], signal: stop.signal })
      const ended = errorOf(call)
      await log.call(held.reached)
      stop.abort()
      held.release()
      const error = await log.call(ended)
      await log.call(topic.refresh())
      const [reached] = topic.frontier()
      if (error === undefined) expectEqual(reached, 2n, 'the frontier after a commit that was told of')
      else {
        expectTrue(isMoulinError(error) && error.kind === 'aborted', `an end by the signal is aborted, not ${error}`)
        if (error.outcome === 'rejected') expectEqual(reached, 0n, 'the frontier after a commit that was not made')
      }
      await tiered(log, topic)
      await expectOnce(log, topic)
    },
  },
  {
    name: 'settles a commit whose answer was lost by the next call: it was made, and is there once',
    by: ['loseCommit'],
    async run(log) {
      await lostThenAgain(log, 'kept')
    },
  },
  {
    name: 'says unknown of a commit that may have been made',
    by: ['loseCommit'],
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 3)
      log.loseCommit('kept')
      const error = await errorOf(tiered(log, topic))
      const isUnknown = error === undefined || (isMoulinError(error) && error.outcome === 'unknown')
      expectTrue(isUnknown, `the outcome of a commit without an answer is unknown, not that of: ${error}`)
    },
  },
  {
    name: 'settles a commit whose answer was lost by the next call: it was not made, and is made then',
    by: ['loseCommit'],
    async run(log) {
      await lostThenAgain(log, 'lost')
    },
  },
  {
    name: 'stands where it was after a commit that was refused, and makes it at the next call',
    by: ['loseCommit'],
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 3)
      log.loseCommit('refused')
      const error = await errorOf(tiered(log, topic))
      if (error !== undefined) expectEqual(topic.frontier(), [0n, 0n], 'the frontier after a commit that was refused')
      const { frontier } = await tiered(log, topic)
      expectEqual(frontier, [3n, 0n], 'the frontier after the next call')
      await expectOnce(log, topic)
    },
  },
  {
    name: 'settles in the next process what the one before left unknown',
    by: ['reopen', 'loseCommit'],
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 3)
      log.loseCommit('kept')
      await errorOf(tiered(log, topic))
      const next = await log.reopen()
      const again = await next.attach()
      sendSome(next, 0, 1)
      expectEqual((await tiered(next, again)).frontier, [4n, 0n], 'the frontier in the next process')
      await expectOnce(next, again)
    },
  },
  {
    name: 'dates the commit that holds the frontier no earlier than it was made',
    async run(log) {
      const topic = await log.attach()
      expectTrue((topic.committedAtMs?.() ?? undefined) === undefined, 'no commit has no date')
      sendSome(log, 0, 1)
      const beganMs = log.runtime.clock.now()
      await tiered(log, topic)
      const atMs = topic.committedAtMs?.()
      if (atMs !== undefined) expectTrue(atMs >= beganMs, `a commit of ${beganMs} is not dated ${atMs}`)
    },
  },
  {
    name: 'shows after a refresh what another process has committed',
    by: ['reopen'],
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 1, 2)
      const reader = await log.beside()
      const seen = await reader.attach({ access: 'read-only' })
      const { frontier, snapshotId } = await tiered(log, topic)
      await log.call(topic.refresh())
      await reader.call(seen.refresh())
      expectEqual([seen.frontier(), seen.snapshotId()], [frontier, snapshotId], 'what the reader knows then')
      await expectAllRead(reader, seen, frontier)
    },
  },
]
