import { isKind, isLivedThrough, isMoulinError } from '@moulin/core'
import { errorOf, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { WalCheck } from './wal-checks.ts'
import type { Sent } from './wal-trial.ts'
import { expectNoOther, expectTold, range } from './wal-told.ts'

/** A full disk, a disk that fails, the end of a session. */
export const failureChecks: readonly WalCheck[] = [
  {
    name: 'rejects what finds no room, and goes on: rejected, to be tried again',
    needs: 'fill',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.writeAll([1, 2, 3])
      trial.place.fill!(true)
      const large = writer.append({ seed: 4, records: 1, valueBytes: 200_000 })
      const error = await trial.settled(errorOf(large.acked))
      expectTrue(isKind(error, 'exhausted', 'NO_SPACE'), `exhausted NO_SPACE, not ${String(error)}`)
      expectTrue(isLivedThrough(error), `rejected and to be tried again, not ${error.outcome}`)
      trial.place.fill!(false)
      await writer.write({ seed: 5, records: 1, valueBytes: 200_000 })
      expectEqual(writer.acked.length, 4, 'acks when there is room again')
    },
  },
  {
    name: 'counts a rejection before anybody hears of it',
    needs: 'fill',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.write({ seed: 1 })
      const before = writer.writer.rejections
      trial.place.fill!(true)
      const heard: number[] = []
      const sent = range(2, 5).map((seed) => writer.append({ seed, records: 1, valueBytes: 200_000 }))
      for (const { acked } of sent) void acked.catch(() => heard.push(writer.writer.rejections))
      await trial.settled(errorOf(sent.at(-1)!.acked))
      await trial.settled(Promise.all(sent.map(({ acked }) => errorOf(acked))))
      trial.place.fill!(false)
      expectTrue(
        heard.length > 0 && heard.every((count) => count > before),
        `rejections counted when an append was rejected: ${heard.join(', ')}; before ${before}`,
      )
    },
  },
  {
    name: 'stores nothing of what it rejected: its offsets are given again',
    needs: 'fill',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.writeAll([1, 2])
      trial.place.fill!(true)
      const refused = range(3, 6).map((seed) => writer.append({ seed, records: 1, valueBytes: 200_000 }))
      await trial.settled(Promise.all(refused.map(({ acked }) => errorOf(acked))))
      trial.place.fill!(false)
      await trial.turns(10)
      const kept = writer.sent.filter((one) => one.ack !== undefined)
      const again = await writer.writeAll([7, 8], { records: 4 })
      for (const { header, ack } of again) expectEqual(ack!.baseOffset, header.baseOffset, 'the offset, given again')
      await writer.close()
      const next = await trial.openWriter()
      const all = [...kept, ...again]
      await expectTold(trial, { session: next.writer, told: next.told }, all, 'after a rejection')
      expectNoOther(next.told, all, 'sections told that were rejected')
    },
  },
  {
    name: 'ends at a failure: what was under way is unknown, what follows is closed',
    needs: 'fail',
    async run(trial) {
      const writer = await trial.openWriter()
      const kept = await writer.writeAll([1, 2, 3])
      trial.place.fail!()
      const error = await trial.settled(errorOf(writer.append({ seed: 4 }).acked))
      expectTrue(isMoulinError(error) && error.outcome === 'unknown', `outcome unknown, not ${String(error)}`)
      expectTrue(!isLivedThrough(error), 'a failure is not lived through')
      for (const seed of [5, 6]) {
        await expectError(trial.settled(writer.append({ seed }).acked), 'closed', 'an append after a failure')
      }
      await trial.settled(writer.writer.close())
      const next = await trial.openWriter()
      await expectTold(trial, { session: next.writer, told: next.told }, kept, 'acked before the failure')
      await next.write({ seed: 7 })
    },
  },
  {
    name: 'waits at its close for the appends that were begun',
    async run(trial) {
      const writer = await trial.openWriter()
      const sent = range(0, 20).map((seed) => writer.append({ seed, valueBytes: 3_000 }))
      const isOpen = ({ ack, error }: Sent): boolean => ack === undefined && error === undefined
      const closed = writer.writer.close().then(async () => {
        // In the turn in which it says so: who was answered before has heard of it.
        for (let hop = 0; hop < 20; hop++) await Promise.resolve()
        return sent.filter(isOpen).length
      })
      const open = await trial.settled(closed)
      expectEqual(open, 0, 'appends without an answer when the writer has closed')
    },
  },
  {
    name: 'is closed once, and takes nothing more',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.write({ seed: 1 })
      await trial.settled(Promise.all([writer.writer.close(), writer.writer.close()]))
      await trial.settled(writer.writer.close())
      await expectError(trial.settled(writer.append({ seed: 2 }).acked), 'closed', 'an append after the close')
    },
  },
]
