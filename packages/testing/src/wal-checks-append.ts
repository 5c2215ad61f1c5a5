import type { Durability, WalSession } from '@moulin/core'
import { crc32c } from '@moulin/format'
import { expectBytes, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { WalCheck } from './wal-checks.ts'
import { OTHER_TOPIC, patchOffsets, sequencedBytes, trialSection } from './wal-sections.ts'
import type { Sent, TrialWriter } from './wal-trial.ts'
import { keptOf, offsetsOf, range } from './wal-told.ts'
import type { Told } from './wal-told.ts'

const levels: readonly Durability[] = ['memory', 'disk', 'zone', 'region']

/** The batches with their offsets taken out: what nobody but their producer has a say in. */
function withoutOffsets(batches: Uint8Array): Uint8Array {
  const own = new Uint8Array(batches)
  patchOffsets(own, 0n)
  return own
}

const read = (writer: TrialWriter, { ack }: Sent): Promise<Uint8Array> =>
  writer.trial.settled(writer.writer.read(ack!.location))

/** Storing sections: their bytes, their offsets, the order of acks. */
export const appendChecks: readonly WalCheck[] = [
  {
    name: 'gives back the bytes of a section, whatever its size',
    async run(trial) {
      const writer = await trial.openWriter()
      const sizes = [
        { seed: 1, records: 1, valueBytes: 0 },
        { seed: 2, records: 1_000, valueBytes: 3 },
        { seed: 3, batchCount: 7 },
        { seed: 4, records: 2, valueBytes: 150_000 },
        { seed: 5, records: 9, valueBytes: 4_096 },
      ]
      for (const size of sizes) writer.append(size)
      await trial.settled(Promise.all(writer.sent.map(({ acked }) => acked)))
      for (const sent of [...writer.sent].reverse()) {
        const { seed } = sizes[writer.sent.indexOf(sent)]!
        expectBytes(withoutOffsets(await read(writer, sent)), withoutOffsets(sent.section.batches), `section ${seed}`)
      }
    },
  },
  {
    name: 'gives bytes that are the reader’s own',
    async run(trial) {
      const writer = await trial.openWriter()
      const [sent, other] = await writer.writeAll([1, 2])
      const first = await read(writer, sent!)
      const kept = new Uint8Array(first)
      const keptOther = new Uint8Array(await read(writer, other!))
      expectBytes(first, kept, 'what was read, after another read')
      const [one, two] = await Promise.all([read(writer, sent!), read(writer, other!)])
      expectBytes(one, kept, 'the first of two that are read at once')
      expectBytes(two, keptOther, 'the second of two that are read at once')
      first.fill(0xee)
      expectBytes(await read(writer, sent!), kept, 'a second read, after the first one was written into')
    },
  },
  {
    name: 'knows a place by what its location says, and says it in numbers that a log can keep',
    async run(trial) {
      const first = await trial.openWriter()
      const sent = await first.writeAll([1, 2, 3])
      for (const { ack, bytes, header } of sent) {
        const { segment, position, sizeBytes } = ack!.location
        const isKept = Number.isSafeInteger(position) && sizeBytes > 0 && sizeBytes === sizeBytes >>> 0
        expectTrue(
          typeof segment === 'string' && isKept,
          `a location is a text and whole numbers: ${position}, ${sizeBytes}`,
        )
        expectBytes(
          await trial.settled(first.writer.read(keptOf(ack!.location))),
          bytes,
          `section ${header.baseOffset}`,
        )
      }
      const check = async (session: WalSession, told: readonly Told[]): Promise<void> => {
        for (const { header, at } of told) {
          const one = sent.find(({ header: { baseOffset } }) => baseOffset === header.baseOffset)
          if (one === undefined) continue
          expectBytes(await trial.settled(session.read(keptOf(at))), one.bytes, 'a section that was told')
        }
      }
      const { reader, told } = await trial.openReader()
      await check(reader, told)
      await first.close()
      const second = await trial.openWriter()
      await check(second.writer, second.told)
    },
  },
  {
    name: 'keeps what it was given, whatever becomes of that once it is acked',
    async run(trial) {
      const first = await trial.openWriter()
      const section = trialSection({ seed: 1 })
      const { batches: _, ...facts } = section
      const bytes = sequencedBytes(section, 0n)
      const given = new Uint8Array(trial.offsets === 'given' ? bytes : section.batches)
      const offsets = trial.offsets === 'given' ? { baseOffset: 0n, lastOffset: 2n } : {}
      const { location } = await trial.settled(
        first.writer.append({ ...facts, appendedMs: 1, ...offsets, batches: given }),
      )
      given.fill(0xee)
      expectBytes(await trial.settled(first.writer.read(location)), bytes, 'what was appended')
      await first.close()
      const second = await trial.openWriter()
      for (const { at } of second.told)
        expectBytes(await trial.settled(second.writer.read(at)), bytes, 'what the next writer reads')
    },
  },
  {
    name: 'keeps offsets that no floating-point number has',
    async run(trial) {
      const start = 2n ** 53n + 1n
      const first = await trial.openWriter(undefined, { nextOffset: () => start })
      const sent = await first.writeAll([1, 2, 3])
      const check = async (session: WalSession, told: readonly Told[], who: string): Promise<void> => {
        for (const { header, at } of told) {
          const one = sent.find(({ header: { appendedMs } }) => appendedMs === header.appendedMs)
          if (one === undefined) continue
          expectEqual(offsetsOf(header), offsetsOf(one.header), `the offsets that ${who} was told`)
          expectBytes(await trial.settled(session.read(at)), one.bytes, `what ${who} reads`)
        }
      }
      const { reader, told } = await trial.openReader()
      await check(reader, told, 'a reader')
      await first.close()
      const second = await trial.openWriter()
      await check(second.writer, second.told, 'the next writer')
    },
  },
  {
    name: 'says in the ack which offsets a section has: dense, in the order of the calls',
    async run(trial) {
      const writer = await trial.openWriter()
      for (const seed of range(0, 40)) {
        const topic = seed % 4 === 3 ? { topicId: OTHER_TOPIC } : {}
        // Some flushes of one section, some of many.
        writer.append({ seed, ...topic, partition: seed % 3, records: 1 + (seed % 5), valueBytes: (seed % 7) * 900 })
        if (seed % 10 === 9) await trial.turns(seed / 10)
      }
      await trial.settled(Promise.all(writer.sent.map(({ acked }) => acked)))
      for (const { header, ack } of writer.sent) {
        const { baseOffset, lastOffset } = ack!
        const expected = { baseOffset: header.baseOffset, lastOffset: header.lastOffset }
        expectEqual(
          { baseOffset, lastOffset },
          expected,
          `the offsets in the ack of section ${header.appendedMs % 1000}`,
        )
      }
    },
  },
  {
    name: 'puts the offsets that it assigned into the batches that it gives back',
    offsets: 'assigned',
    async run(trial) {
      const writer = await trial.openWriter()
      const sent = await writer.writeAll(range(0, 6), { partition: 1, batchCount: 3 })
      for (const one of sent) expectBytes(await read(writer, one), one.bytes, `section ${one.header.baseOffset}`)
    },
  },
  {
    name: 'assigns a partition its first offset as the log says',
    offsets: 'assigned',
    async run(trial) {
      const writer = await trial.openWriter(undefined, {
        nextOffset: (_topic, _incarnation, partition) => (partition === 1 ? 1_000n : 0n),
      })
      const { ack } = await writer.write({ seed: 1, partition: 1 })
      expectEqual(ack!.baseOffset, 1_000n, 'the first offset of a partition that the log knows')
    },
  },
  {
    name: 'acks in the order of the calls',
    async run(trial) {
      const writer = await trial.openWriter()
      for (const seed of range(0, 60)) {
        // Large ones before small ones, and more in one turn than one flush takes.
        writer.append({ seed, records: 1, valueBytes: seed % 6 === 0 ? 30_000 : 10 })
        if (seed % 20 === 19) await trial.turns(2)
      }
      await trial.settled(Promise.all(writer.sent.map(({ acked }) => acked)))
      const order = (sent: readonly Sent[]): number[] => sent.map(({ header }) => header.appendedMs % 1_000)
      expectEqual(order(writer.acked), order(writer.sent), 'the sections in the order of their acks')
    },
  },
  {
    name: 'says in the ack what it survives: no less than the Wal promises',
    async run(trial) {
      const process = trial.place.start()
      const writer = await trial.openWriter(process)
      const { ack } = await writer.write({ seed: 1 })
      const { durability } = process.wal
      expectTrue(levels.includes(durability), `the Wal promises memory, disk, zone or region, not ${durability}`)
      const isReached = levels.indexOf(ack!.durability) >= levels.indexOf(durability)
      expectTrue(isReached, `the ack survives ${durability} at least, not ${ack!.durability}`)
    },
  },
  {
    name: 'stores a section whose checksum comes with it as it stores any other',
    async run(trial) {
      const first = await trial.openWriter()
      const section = trialSection({ seed: 1 })
      const { batches: _, ...facts } = section
      const bytes = sequencedBytes(section, 0n)
      const isGiven = trial.offsets === 'given'
      const batches = new Uint8Array(isGiven ? bytes : section.batches)
      const offsets = isGiven ? { baseOffset: 0n, lastOffset: BigInt(section.recordCount) - 1n } : {}
      const whole = { ...facts, appendedMs: 1, ...offsets, batches, batchesCrc: crc32c(batches) }
      const { location } = await trial.settled(first.writer.append(whole))
      expectBytes(await trial.settled(first.writer.read(location)), bytes, 'what was appended')
      await first.close()
      const second = await trial.openWriter()
      expectEqual(second.told.length, 1, 'sections that the next writer was told')
      for (const { at } of second.told)
        expectBytes(await trial.settled(second.writer.read(at)), bytes, 'what the next writer reads')
    },
  },
  {
    name: 'leaves the bytes that it is given alone',
    async run(trial) {
      const writer = await trial.openWriter()
      const { batches, ...facts } = (await writer.write({ seed: 1 })).section
      const given = new Uint8Array(batches)
      const offsets = trial.offsets === 'given' ? { baseOffset: 3n, lastOffset: 5n } : {}
      await trial.settled(writer.writer.append({ ...facts, appendedMs: 1, ...offsets, batches: given }))
      expectBytes(given, batches, 'the bytes that were appended')
    },
  },
  {
    name: 'gives a read up whose signal has fired',
    async run(trial) {
      const writer = await trial.openWriter()
      const { ack } = await writer.write({ seed: 1 })
      const signal = AbortSignal.abort()
      const read = writer.writer.read(ack!.location, { signal })
      await expectError(trial.settled(read), 'aborted', 'a read that was aborted')
      await trial.settled(writer.writer.read(ack!.location))
    },
  },
]
