import { errorOf, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { WalCheck } from './wal-checks.ts'
import type { Told } from './wal-told.ts'
import type { Sent, TrialReader, TrialWriter, WalTrial } from './wal-trial.ts'
import { endOf, expectNoOther, expectOrder, expectTold, range, toldOf } from './wal-told.ts'

/** What the reader has been told so far: all of it, its bytes, nothing else. */
async function expectShown(trial: WalTrial, { reader, told }: TrialReader, sent: readonly Sent[]): Promise<void> {
  await expectTold(trial, { session: reader, told }, sent, 'a reader')
  expectNoOther(told, sent, 'what a reader was told beside')
}

const isShown = (told: readonly Told[], sent: readonly Sent[]): boolean =>
  sent.every((one) => toldOf(told, one) !== undefined)

/** Appends some at a time. */
async function goOn(writer: TrialWriter, seeds: readonly number[]): Promise<void> {
  for (const seed of seeds) {
    writer.append({ seed, partition: seed % 2, valueBytes: 700 })
    if (seed % 6 === 5) await writer.trial.turns(2)
  }
  await writer.trial.settled(Promise.all(writer.sent.map(({ acked }) => acked)))
}

/** Readers beside a writer. */
export const readerChecks: readonly WalCheck[] = [
  {
    name: 'tells a reader all that was acked before it opened',
    async run(trial) {
      const writer = await trial.openWriter()
      const sent = await writer.writeAll(range(0, 30), { valueBytes: 1_500 })
      await expectShown(trial, await trial.openReader(), sent)
      await writer.close()
      await expectShown(trial, await trial.openReader(), sent)
    },
  },
  {
    name: 'has told a reader, when a refresh returns, all that was acked at its call',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.write({ seed: 0 })
      const reader = await trial.openReader()
      for (const seed of range(1, 12)) {
        const sent = await writer.write({ seed, valueBytes: 5_000 })
        // In the turn in which it returns.
        const isTold = await trial.settled(reader.reader.refresh().then(() => isShown(reader.told, [sent])))
        expectTrue(isTold, `a reader was told of section ${seed} by its refresh`)
      }
    },
  },
  {
    name: 'tells a reader the sections of a partition in the order of their offsets, without a gap',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.write({ seed: 100, partition: 0 })
      const reader = await trial.openReader()
      reader.reader.follow(() => {})
      const writing = goOn(writer, range(0, 60))
      for (const _ of range(0, 8)) await trial.settled(reader.reader.refresh())
      await writing
      await trial.settled(reader.reader.refresh())
      const isTold = ({ header }: Sent): boolean => endOf(reader.told, header) === header.lastOffset + 1n
      for (const partition of [0, 1]) {
        const last = writer.sent.findLast(({ header }) => header.partition === partition)!
        await trial.until(() => isTold(last), `the last section of partition ${partition}`)
      }
      expectOrder(reader.told, 'the sections told to a reader')
    },
  },
  {
    name: 'tells a reader that follows by itself, and how each look ended',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.write({ seed: 0 })
      const reader = await trial.openReader()
      const looks: (Error | undefined)[] = []
      reader.reader.follow((error) => looks.push(error))
      for (const seed of [1, 2, 3]) {
        const sent = await writer.write({ seed })
        await trial.until(() => isShown(reader.told, [sent]), `a reader that follows and section ${seed}`)
      }
      await trial.until(() => looks.length > 0, 'the end of a look')
      expectEqual(looks.filter((error) => error !== undefined).map(String), [], 'looks that failed')
    },
  },
  {
    name: 'tells a reader nothing that the next writer does not have',
    async run(trial) {
      for (const round of range(0, 8)) {
        const writer = await trial.openWriter()
        await writer.write({ seed: round * 30 })
        const reader = await trial.openReader()
        for (const seed of range(1, 9)) writer.append({ seed: round * 30 + seed, records: 4, valueBytes: 3_000 })
        const looking = reader.reader.refresh().catch(() => undefined)
        await trial.turns(round * 2)
        trial.place.crash()
        const shown = [...reader.told]
        const next = await trial.openWriter()
        const missing = shown.filter(({ header }) => !next.told.some((one) => isSame(one, header)))
        expectEqual(
          missing.map(({ header }) => header.baseOffset),
          [],
          'offsets that a reader was told before a crash, and that are not there after it',
        )
        void looking
        await next.close()
      }
    },
  },
  {
    name: 'goes on telling a reader when another writer has taken over',
    async run(trial) {
      const first = await trial.openWriter()
      await first.writeAll([1, 2, 3])
      const sent: Sent[] = []
      const reader = await trial.openReader()
      const { epoch } = reader.reader
      expectEqual(epoch, first.writer.epoch, 'the epoch of a reader')
      for (const round of [10, 20, 30]) {
        const next = await trial.openWriter()
        sent.push(...(await next.writeAll([round, round + 1])))
        await trial.settled(reader.reader.refresh())
        await trial.until(() => isShown(reader.told, sent), `what writer ${next.writer.epoch} appended`)
        expectEqual(reader.reader.epoch, next.writer.epoch, 'the epoch of a reader')
      }
    },
  },
  {
    name: 'lets a reader read all that it was told, wherever it lies after a change of writers',
    async run(trial) {
      const sent: Sent[] = []
      const first = await trial.openWriter()
      sent.push(...(await first.writeAll(range(0, 20), { records: 1, valueBytes: 9_000 })))
      const reader = await trial.openReader()
      for (const round of [20, 30, 40]) {
        const next = await trial.openWriter()
        sent.push(...(await next.writeAll(range(round, round + 10), { records: 1, valueBytes: 9_000 })))
        await trial.settled(reader.reader.refresh())
        await trial.until(() => reader.reader.epoch === next.writer.epoch, 'the epoch of a reader')
        const known = sent.filter((one) => toldOf(reader.told, one) !== undefined)
        await expectTold(trial, { session: reader.reader, told: reader.told }, known, 'a reader')
      }
    },
  },
  {
    name: 'reads the checkpoint for a reader at each change of writers',
    async run(trial) {
      let read = 0
      const first = await trial.openWriter()
      await first.write({ seed: 1 })
      const reader = await trial.openReader(undefined, { beforeRecovery: async () => void read++ })
      for (const seed of [2, 3]) {
        const before = read
        const next = await trial.openWriter()
        await next.write({ seed })
        await trial.settled(reader.reader.refresh())
        await trial.until(() => reader.reader.epoch === next.writer.epoch, 'the epoch of a reader')
        expectTrue(read > before, `the checkpoint was read for epoch ${next.writer.epoch}`)
      }
    },
  },
  {
    name: 'tells a reader, while a newer writer opens, what the checkpoint proves, and nothing that this one will not have',
    async run(trial) {
      const older = await trial.openWriter()
      const acked = await older.writeAll(range(0, 6))
      const early = await trial.openReader()
      const gate = Promise.withResolvers<void>()
      let isHeld = false
      const opening = trial.openWriter(undefined, {
        beforeRecovery() {
          isHeld = true
          return gate.promise
        },
      })
      opening.catch(() => {})
      await trial.until(() => isHeld, 'the opening of a newer writer')
      // It may be stored, and is never acked.
      await trial.settled(errorOf(older.append({ seed: 6 }).acked))
      await trial.settled(early.reader.refresh())
      const end = acked.at(-1)!.header.lastOffset
      const late = await trial.openReader(undefined, { isAcked: ({ lastOffset }) => lastOffset <= end })
      expectTrue(isShown(late.told, acked), 'a reader is told what the checkpoint proves to be acked')
      const shown = [...early.told, ...late.told]
      gate.resolve()
      const newer = await opening
      const missing = shown.filter(({ header }) => !newer.told.some((one) => isSame(one, header)))
      expectEqual(
        missing.map(({ header }) => header.baseOffset),
        [],
        'offsets that a reader was told, and that the newer writer does not have',
      )
    },
  },
  {
    name: 'lets a reader fence nobody',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.write({ seed: 1 })
      const reader = await trial.openReader()
      await writer.write({ seed: 2 })
      await trial.settled(reader.reader.close())
      await writer.write({ seed: 3 })
      await trial.settled(writer.writer.checkFence())
    },
  },
  {
    name: 'lets a reader free nothing: what it releases it forgets',
    async run(trial) {
      const writer = await trial.openWriter()
      const sent = await writer.writeAll(range(0, 40), { valueBytes: 3_000 })
      const reader = await trial.openReader()
      const before = reader.reader.usage().liveBytes
      const places = reader.told.map(({ at }) => at)
      await trial.settled(reader.reader.release(places))
      const forgotten = before - reader.reader.usage().liveBytes
      expectEqual(
        forgotten,
        places.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        'bytes that a reader forgot',
      )
      await trial.settled(reader.reader.close())
      await writer.close()
      const next = await trial.openWriter()
      expectTrue(isShown(next.told, sent), 'what a reader released is there for the next writer')
    },
  },
  {
    name: 'tells a reader nothing once it has closed',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.write({ seed: 1 })
      const reader = await trial.openReader()
      reader.reader.follow(() => {})
      await trial.settled(reader.reader.close())
      await trial.settled(reader.reader.close())
      const told = reader.told.length
      const next = await trial.openWriter()
      await next.write({ seed: 2 })
      await trial.aWhile()
      expectEqual(reader.told.length, told, 'sections told to a reader that has closed')

      // In the middle of a look.
      const gate = Promise.withResolvers<void>()
      let isOpen = false
      let isHeld = false
      const looking = await trial.openReader(undefined, {
        async beforeRecovery() {
          if (!isOpen) return
          isHeld = true
          await gate.promise
        },
      })
      isOpen = true
      await (await trial.openWriter()).write({ seed: 3 })
      let hasLooked = false
      const look = looking.reader.refresh().then(
        () => (hasLooked = true),
        () => (hasLooked = true),
      )
      await trial.until(() => isHeld || hasLooked, 'the checkpoint that a reader asks for')
      const toldAtClose = looking.reader.close().then(() => looking.told.length)
      await trial.turns(20)
      gate.resolve()
      const atClose = await trial.settled(toldAtClose)
      await trial.settled(look)
      await trial.aWhile()
      expectEqual(looking.told.length, atClose, 'sections told to a reader that was closed in the middle of a look')
    },
  },
  {
    name: 'tells a reader nothing that the log says is not live',
    async run(trial) {
      const writer = await trial.openWriter()
      await writer.writeAll(range(0, 6))
      let read = 0
      const options = { isLive: ({ baseOffset }: Told['header']) => read > 0 && baseOffset >= 9n }
      const reader = await trial.openReader(undefined, { ...options, beforeRecovery: async () => void read++ })
      expectTrue(read > 0, 'a reader asks for the checkpoint before it is told anything')
      const offsets = reader.told.map(({ header }) => Number(header.baseOffset))
      expectEqual(
        offsets.filter((offset) => offset < 9),
        [],
        'offsets told that are released',
      )
    },
  },
  {
    name: 'says that it is missing to a reader where no writer has been',
    async run(trial) {
      await expectError(trial.openReader(), 'not-found', 'a reader where no writer has been', 'WAL_MISSING')
    },
  },
]

const isSame = (one: Told, header: Told['header']): boolean =>
  one.header.partition === header.partition &&
  one.header.baseOffset === header.baseOffset &&
  one.header.lastOffset === header.lastOffset
