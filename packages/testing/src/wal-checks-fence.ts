import { isKind } from '@moulin/core'
import { errorOf, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { WalCheck } from './wal-checks.ts'
import { expectTold, range } from './wal-told.ts'

/** One writer at a time. */
export const fenceChecks: readonly WalCheck[] = [
  {
    name: 'tells a fenced writer so at its next append, and acks nothing of it any more',
    async run(trial) {
      const older = await trial.openWriter()
      await older.writeAll([1, 2])
      const newer = await trial.openWriter()
      await expectError(trial.settled(older.append({ seed: 3 }).acked), 'fenced', 'the append of a fenced writer')
      const later = await trial.settled(errorOf(older.append({ seed: 4 }).acked))
      expectTrue(isKind(later, 'closed') || isKind(later, 'fenced'), `the next one is closed, not ${String(later)}`)
      await newer.write({ seed: 5 })
    },
  },
  {
    name: 'acks nothing that was under way when a newer writer came and did not find it',
    needs: 'pause',
    async run(trial) {
      for (const round of range(0, 8)) {
        const older = await trial.openWriter()
        await older.write({ seed: round * 10 })
        const under = range(1, 4).map((seed) => older.append({ seed: round * 10 + seed, valueBytes: 2_000 }))
        await trial.turns(round)
        older.process.pause!()
        const newer = await trial.openWriter()
        older.process.resume!()
        await trial.settled(Promise.all(under.map(({ acked }) => errorOf(acked))))
        await expectTold(
          trial,
          { session: newer.writer, told: newer.told },
          under.filter(({ ack }) => ack !== undefined),
          `acked by a writer that was fenced ${round} turns later`,
        )
        await newer.close()
      }
    },
  },
  {
    name: 'says fenced when it is asked, once there is a newer writer',
    async run(trial) {
      const older = await trial.openWriter()
      await trial.settled(older.writer.checkFence())
      const newer = await trial.openWriter()
      await expectError(trial.settled(older.writer.checkFence()), 'fenced', 'the fence of the older writer')
      await trial.settled(newer.writer.checkFence())
    },
  },
  {
    name: 'refuses a second writer while the first one runs, where it is to refuse',
    needs: 'kill',
    async run(trial) {
      const { place } = trial
      const first = await trial.openWriter(place.start(), { takeover: 'refuse' })
      const second = trial.openWriter(place.start(), { takeover: 'refuse' })
      await expectError(second, 'conflict', 'a second writer', 'WRITER_ALIVE')
      await first.write({ seed: 1 })
      first.process.kill!()
      await trial.openWriter(place.start(), { takeover: 'refuse' })
    },
  },
  {
    name: 'lets the next writer in at once when the one before has closed, though its process runs',
    async run(trial) {
      const first = await trial.openWriter(trial.place.start(), { takeover: 'refuse' })
      await first.write({ seed: 1 })
      await first.close()
      const second = await trial.openWriter(trial.place.start(), { takeover: 'refuse' })
      await second.write({ seed: 2 })
    },
  },
  {
    name: 'gives each writer a higher epoch than all before it, however many open at once',
    async run(trial) {
      const { place } = trial
      const epochs: bigint[] = []
      for (const _ of range(0, 3)) {
        const writer = await trial.openWriter()
        epochs.push(writer.writer.epoch)
        await writer.close()
      }
      const opened = await trial.settled(Promise.allSettled(range(0, 3).map(() => trial.openWriter(place.start()))))
      const racers = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value.writer] : []))
      const sorted = racers.map(({ epoch }) => epoch).sort((a, b) => (a < b ? -1 : 1))
      epochs.push(...sorted, (await trial.openWriter()).writer.epoch)
      for (const [i, epoch] of epochs.entries()) {
        if (i > 0) expectTrue(epoch > epochs[i - 1]!, `epoch ${epoch} rises above ${epochs[i - 1]}`)
      }
    },
  },
  {
    name: 'opens for nobody whose signal has fired, and leaves the writer alone',
    async run(trial) {
      const writer = await trial.openWriter()
      const signal = AbortSignal.abort()
      await expectError(trial.openWriter(trial.place.start(), { signal }), 'aborted', 'an opening that was aborted')
      await writer.write({ seed: 1 })
      expectEqual(writer.acked.length, 1, 'acks of the writer')
    },
  },
]
