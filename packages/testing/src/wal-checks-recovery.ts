import { isKind } from '@moulin/core'
import type { OffsetRange, WalLocation } from '@moulin/core'
import { expectBytes, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { WalCheck } from './wal-checks.ts'
import { OTHER_TOPIC, TRIAL_LOG } from './wal-sections.ts'
import { endOf, expectNoOther, expectOrder, expectTold, factsOf, lifeOf, offsetsOf, range, toldOf } from './wal-told.ts'
import type { Told } from './wal-told.ts'
import type { Sent } from './wal-trial.ts'

/** What the next writer finds. */
export const recoveryChecks: readonly WalCheck[] = [
  {
    name: 'keeps what it acked, whatever happens right after the ack',
    async run(trial) {
      const kept: Sent[] = []
      for (const round of range(0, 6)) {
        const writer = await trial.openWriter()
        await expectTold(trial, { session: writer.writer, told: writer.told }, kept, `after ${round} crashes`)
        const sent = range(0, 1 + round * 3).map((seed) => writer.append({ seed: round * 50 + seed, valueBytes: 500 }))
        // In the very turn of the ack.
        const crashed = sent[round * 2]!.acked.then(() => {
          trial.place.crash()
          kept.push(...writer.acked)
        })
        await trial.settled(crashed)
      }
      const last = await trial.openWriter()
      await expectTold(trial, { session: last.writer, told: last.told }, kept, 'after the last crash')
    },
  },
  {
    name: 'gives nobody a section that was not stored whole',
    async run(trial) {
      let sent: Sent[] = []
      for (const round of range(0, 10)) {
        const writer = await trial.openWriter()
        for (const { header, at } of writer.told) {
          const one = sent.find(({ header: of }) => of.baseOffset === header.baseOffset)
          expectTrue(one !== undefined, `after a crash, offset ${header.baseOffset} was told that nobody appended`)
          expectEqual(offsetsOf(header), offsetsOf(one.header), 'a section after a crash in the middle of writes')
          expectBytes(await trial.settled(writer.writer.read(at)), one.bytes, 'its bytes')
        }
        sent = sent.filter((one) => toldOf(writer.told, one) !== undefined)
        await writer.write({ seed: round * 20 })
        for (const seed of range(1, 12)) writer.append({ seed: round * 20 + seed, records: 5, valueBytes: 3_000 })
        sent.push(...writer.sent)
        await trial.turns(round)
        trial.place.crash()
      }
    },
  },
  {
    name: 'tells the next writer all that is live, of every topic, incarnation and partition',
    async run(trial) {
      const lives = [
        { partition: 0 },
        { partition: 2 },
        { partition: 1, incarnation: 1 },
        { topicId: OTHER_TOPIC },
        { topicId: OTHER_TOPIC, partition: 7 },
      ]
      const sent: Sent[] = []
      for (const generation of range(0, 3)) {
        const writer = await trial.openWriter()
        await expectTold(trial, { session: writer.writer, told: writer.told }, sent, `writer ${generation}`)
        expectNoOther(writer.told, sent, `what writer ${generation} was told beside`)
        for (const seed of range(0, 40))
          writer.append({ ...lives[seed % 5], seed: generation * 40 + seed, valueBytes: 900 })
        await trial.settled(Promise.all(writer.sent.map(({ acked }) => acked)))
        sent.push(...writer.sent)
        await writer.close()
      }
      const last = await trial.openWriter()
      await expectTold(trial, { session: last.writer, told: last.told }, sent, 'the last writer')
    },
  },
  {
    name: 'tells the sections of a partition in the order of their offsets, without a gap',
    async run(trial) {
      const first = await trial.openWriter()
      await first.writeAll(range(0, 30), { valueBytes: 2_000 })
      await first.close()
      const second = await trial.openWriter()
      await second.writeAll(range(30, 50), { valueBytes: 2_000 })
      await second.close()
      const third = await trial.openWriter()
      expectOrder(third.told, 'the sections told to a writer')
      expectEqual(endOf(third.told, third.told[0]!.header), 150n, 'where they end')
    },
  },
  {
    name: 'keeps the facts of a section: schemas, records, time of append',
    async run(trial) {
      const first = await trial.openWriter()
      const sent = await first.writeAll(range(0, 8), { records: 2 })
      const check = (told: readonly Told[], who: string): void => {
        for (const one of sent) {
          const found = toldOf(told, one)
          if (found === undefined) continue
          const what = `the facts that ${who} was told, of the section at ${one.header.baseOffset}`
          expectEqual(factsOf(found.header), factsOf(one.header), what)
        }
      }
      check((await trial.openReader()).told, 'a reader')
      await first.close()
      const second = await trial.openWriter()
      check(second.told, 'the next writer')
      await second.close()
      check((await trial.openReader()).told, 'a reader after it')
      check((await trial.openWriter()).told, 'the writer after it')
    },
  },
  {
    name: 'reads the checkpoint when the older writer is fenced, before it tells anything',
    async run(trial) {
      const older = await trial.openWriter()
      await older.write({ seed: 1 })
      let last: Error | undefined
      let asked = 0
      let told = 0
      let toldBefore = -1
      await trial.openWriter(undefined, {
        async beforeRecovery() {
          toldBefore = told + asked
          await older.append({ seed: 2 }).acked.catch((error: Error) => (last = error))
        },
        isLive: () => ++asked > 0,
        recover: () => void told++,
      })
      expectEqual(toldBefore, 0, 'sections told, or asked for, before the checkpoint was read')
      expectTrue(last !== undefined, 'an older writer acks nothing while the checkpoint is read, but it did')
    },
  },
  {
    name: 'tells nothing that the log says is not live',
    async run(trial) {
      const first = await trial.openWriter()
      const sent = await first.writeAll(range(0, 20))
      await first.close()
      const isLive = ({ baseOffset }: { readonly baseOffset: bigint }): boolean => baseOffset >= 30n
      const told: string[] = []
      await trial.openWriter(undefined, {
        isLive,
        recover: (header) => void told.push(`${lifeOf(header)}@${header.baseOffset}`),
      })
      const released = sent.filter(({ header }) => !isLive(header))
      const back = released.filter(({ header }) => told.includes(`${lifeOf(header)}@${header.baseOffset}`))
      expectEqual(
        back.map(({ header }) => header.baseOffset),
        [],
        'sections told again that had been released',
      )
    },
  },
  {
    name: 'keeps a section that was appended again where it was appended last',
    async run(trial) {
      const first = await trial.openWriter()
      const sent = await first.writeAll([1, 2, 3])
      // So that the old places lie in storage that can be freed.
      const between = await first.writeAll(range(10, 40), { valueBytes: 6_000, partition: 1 })
      const places: WalLocation[] = []
      for (const { section, header, bytes } of sent) {
        const { baseOffset, lastOffset, appendedMs } = header
        const moved = { ...section, appendedMs, baseOffset, lastOffset, batches: new Uint8Array(bytes) }
        const again = await trial.settled(first.writer.append(moved))
        expectEqual(again.baseOffset, baseOffset, 'the offset of a section that was appended again')
        places.push(again.location)
      }
      await trial.settled(first.writer.release([...sent, ...between].map(({ ack }) => ack!.location)))
      await first.writeAll(range(40, 70), { valueBytes: 6_000, partition: 1 })
      for (const [i, at] of places.entries()) {
        expectBytes(await trial.settled(first.writer.read(at)), sent[i]!.bytes, 'a section at its new place')
      }
      await first.close()
      const next = await trial.openWriter()
      await expectTold(trial, { session: next.writer, told: next.told }, sent, 'the next writer')
    },
  },
  {
    name: 'keeps which records of a section are aborted, or refuses the section, and never drops them',
    async run(trial) {
      const first = await trial.openWriter()
      const sent = await first.writeAll([1, 2, 3, 4], { records: 4 })
      const known = new Map<Sent, readonly OffsetRange[]>()
      for (const one of [sent[1]!, sent[2]!]) {
        const { appendedMs, baseOffset, lastOffset } = one.header
        const aborted = [
          { from: baseOffset, to: baseOffset + 1n },
          { from: baseOffset + 2n, to: baseOffset + 4n },
        ]
        const { section, bytes } = one
        const moved = { ...section, appendedMs, baseOffset, lastOffset, aborted, batches: new Uint8Array(bytes) }
        const ack = await trial.settled(first.writer.append(moved).catch((error: Error) => error))
        if (ack instanceof Error) {
          const isRefused = isKind(ack, 'unsupported', 'ABORTED_RANGES') && ack.outcome === 'rejected'
          expectTrue(isRefused, `a section with aborted ranges is stored or unsupported (rejected), not ${String(ack)}`)
        } else {
          expectEqual(ack.aborted ?? [], aborted, 'the aborted ranges in the ack of a section that has some')
          known.set(one, aborted)
        }
      }
      sent.push(await first.write({ seed: 5 }))
      const check = (told: readonly Told[], who: string): void => {
        for (const one of sent) {
          const found = toldOf(told, one)
          if (found === undefined) continue
          const what = `the aborted ranges that ${who} was told, of the section at ${one.header.baseOffset}`
          expectEqual(found.header.aborted ?? [], known.get(one) ?? [], what)
        }
      }
      check((await trial.openReader()).told, 'a reader')
      await first.close()
      check((await trial.openWriter()).told, 'the next writer')
    },
  },
  {
    name: 'says that it is missing where the log has been written before',
    async run(trial) {
      const { place } = trial
      const opened = trial.openWriter(place.start(), { mustExist: true })
      await expectError(opened, 'not-found', 'opening a Wal that must exist and does not', 'WAL_MISSING')
      const writer = await trial.openWriter()
      await writer.close()
      await trial.openWriter(place.start(), { mustExist: true })
    },
  },
  {
    name: 'says of which log its data is, where it can tell that before it is opened, and changes nothing by it',
    async run(trial) {
      const asked = async (): Promise<string | undefined> => {
        const { wal, runtime } = trial.place.start()
        return trial.settled(wal.logId!({ runtime }))
      }
      if (trial.place.start().wal.logId === undefined) return
      expectEqual(await asked(), undefined, 'the log of a Wal that no writer has opened')
      const first = await trial.openWriter()
      const sent = [await first.write({ seed: 1 })]
      expectEqual(await asked(), TRIAL_LOG, 'the log of a Wal beside its writer')
      sent.push(await first.write({ seed: 2 }))
      await first.close()
      expectEqual(await asked(), TRIAL_LOG, 'the log of a Wal without a writer')
      const next = await trial.openWriter()
      await expectTold(trial, { session: next.writer, told: next.told }, sent, 'a writer after it was asked')
    },
  },
]
