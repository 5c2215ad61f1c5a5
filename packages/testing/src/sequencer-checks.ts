import type { NextOffset, OffsetRange, SectionHeader, SectionOffsets } from '@moulin/core'
import { isKind, isLivedThrough } from '@moulin/core'
import { errorOf, expectBytes, expectEqual, expectTrue } from './assertions.ts'
import type { Followed, Sequenced, SequencerTrial, SequencerWay, TrialSequencer } from './sequencer-trial.ts'
import { OTHER_TOPIC, sequencedBytes } from './wal-sections.ts'
import { lifeOf, range } from './wal-told.ts'

/** One promise of core's `Sequencer`. Each run gets a place where no log has been. */
export interface SequencerCheck {
  /** The promise in words: what tests are called, and what a wrong sequencer names. */
  readonly name: string
  /** Runs only where the place claims this. */
  readonly needs?: SequencerWay
  run(trial: SequencerTrial): Promise<void>
}

/** One that no floating-point number has. */
export const LARGE_OFFSET: bigint = 2n ** 53n + 1n

const numberOf = ({ appendedMs }: Pick<SectionHeader, 'appendedMs'>): number => appendedMs % 1_000

/** Where each section begins and ends, by partition, in the order that is given. */
function expectDense(
  sections: readonly {
    readonly header: Pick<SectionHeader, 'topicId' | 'incarnation' | 'partition' | 'baseOffset' | 'lastOffset'>
  }[],
  start: (life: string) => bigint,
  what: string,
): void {
  const ends = new Map<string, bigint>()
  for (const { header } of sections) {
    const life = lifeOf(header)
    expectEqual(
      header.baseOffset,
      ends.get(life) ?? start(life),
      `${what}: the next offset of partition ${header.partition}`,
    )
    ends.set(life, header.lastOffset + 1n)
  }
}

const acksOf = (sent: readonly Sequenced[]): { header: SectionHeader }[] =>
  sent.map(({ section, appendedMs, ack }) => {
    const { batches: _, ...facts } = section
    const { baseOffset, lastOffset } = ack!
    return { header: { ...facts, appendedMs, baseOffset, lastOffset } }
  })

/** Sections of three partitions and two topics, in flushes of one and of many. */
async function writeMany(trial: SequencerTrial, sequencer: TrialSequencer, seeds: readonly number[]): Promise<void> {
  for (const seed of seeds) {
    const topicId = seed % 7 === 6 ? { topicId: OTHER_TOPIC, incarnation: 2 } : {}
    const valueBytes = seed % 6 === 0 ? 20_000 : 30
    sequencer.append({ seed, ...topicId, partition: seed % 3, records: 1 + (seed % 4), valueBytes })
    if (seed % 10 === 9) await trial.turns(2)
  }
  await trial.settled(Promise.all(sequencer.sent.map(({ acked }) => acked)))
}

const followedOf = (
  followed: readonly Followed[],
  { appendedMs }: Pick<Sequenced, 'appendedMs'>,
): Followed | undefined => followed.find(({ header }) => header.appendedMs === appendedMs)

/** Until all of these were told. */
function untilFollowed(trial: SequencerTrial, { followed }: TrialSequencer, sent: readonly Sequenced[]): Promise<void> {
  return trial.until(() => sent.every((one) => followedOf(followed, one) !== undefined), 'what a follower is told')
}

/** All promises of core's `Sequencer`, one check each, in the order of their running. */
export const sequencerChecks: readonly SequencerCheck[] = [
  {
    name: 'gives the sections of a partition dense offsets, in the order of the calls, from where the log says',
    async run(trial) {
      const starts = new Map([[2, LARGE_OFFSET]])
      const nextOffset: NextOffset = (_topic, _incarnation, partition) => starts.get(partition) ?? 0n
      const sequencer = await trial.openSequencer({ nextOffset })
      await writeMany(trial, sequencer, range(0, 60))
      const start = (life: string): bigint => starts.get(Number(life.split('/')[2])) ?? 0n
      expectDense(acksOf(sequencer.sent), start, 'sections in the order of their calls')
      for (const { section, ack } of sequencer.sent)
        expectEqual(ack!.lastOffset - ack!.baseOffset + 1n, BigInt(section.recordCount), 'offsets of a section')
    },
  },
  {
    name: 'acks the sections of a partition in the order of the calls',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      await writeMany(trial, sequencer, range(0, 60))
      for (const partition of range(0, 3)) {
        const of = (sent: readonly Sequenced[]): number[] =>
          sent.filter(({ section }) => section.partition === partition && section.topicId !== OTHER_TOPIC).map(numberOf)
        expectEqual(of(sequencer.acked), of(sequencer.sent), `acks of partition ${partition}`)
      }
    },
  },
  {
    name: 'puts the offsets of its ack into the batches',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      for (const sent of await sequencer.writeAll(range(0, 12), { batchCount: 3 })) {
        const expected = sequencedBytes(sent.section, sent.ack!.baseOffset)
        expectBytes(sent.batches, expected, `the batches at ${sent.ack!.baseOffset}`)
      }
    },
  },
  {
    name: 'acks with what the Wal said: where the section lies, and what it survives',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      for (const { section, ack } of await sequencer.writeAll(range(0, 12))) {
        const { location, baseOffset, durability } = ack!
        const read = await trial.settled(trial.writer.read(location))
        expectBytes(read, sequencedBytes(section, baseOffset), `what lies at the place of ${baseOffset}`)
        expectTrue(['memory', 'disk', 'zone', 'region'].includes(durability), `a level, not ${durability}`)
      }
    },
  },
  {
    name: 'tells its follower of a section before the append resolves',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      await writeMany(trial, sequencer, range(0, 30))
      const late = sequencer.sent.filter(({ wasFollowed }) => !wasFollowed)
      expectEqual(late.map(numberOf), [], 'sections that were acked before they were told')
    },
  },
  {
    name: 'tells its follower the sections of a partition in the order of their offsets, each once, without a gap',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      await writeMany(trial, sequencer, range(0, 60))
      await untilFollowed(trial, sequencer, sequencer.sent)
      expectDense(sequencer.followed, () => 0n, 'sections as they were told')
    },
  },
  {
    name: 'tells its follower what a section is, and where it lies',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      const sent = await sequencer.writeAll(range(0, 12), { partition: 1, batchCount: 2 })
      await untilFollowed(trial, sequencer, sent)
      for (const one of sent) {
        const { header, location, batches } = followedOf(sequencer.followed, one)!
        const { batches: _, ...facts } = one.section
        const { valueSchemaId, keySchemaId, recordCount, topicId, incarnation, partition } = header
        const told = { topicId, incarnation, partition, recordCount, valueSchemaId, keySchemaId }
        const name = `the section at ${header.baseOffset}`
        for (const [fact, value] of Object.entries(facts))
          expectEqual(told[fact as keyof typeof told], value, `${name}: ${fact}`)
        const bytes = sequencedBytes(one.section, header.baseOffset)
        expectBytes(await trial.settled(trial.writer.read(location)), bytes, `${name}: what lies there`)
        if (batches !== undefined) expectBytes(batches, bytes, `${name}: the batches that were told`)
      }
    },
  },
  {
    name: 'passes on which records of a section the Wal calls aborted, with the ack and to its follower',
    async run(trial) {
      // Of every other section, the first record and the last.
      const abortedOf = ({ baseOffset, lastOffset }: SectionOffsets): OffsetRange[] =>
        [baseOffset, lastOffset].flatMap((from) => (baseOffset % 2n === 0n ? [] : [{ from, to: from + 1n }]))
      const sequencer = await trial.openSequencer({
        answer(ack) {
          const aborted = abortedOf(ack)
          return aborted.length === 0 ? ack : { ...ack, aborted }
        },
      })
      const sent = await sequencer.writeAll(range(0, 6), { records: 3 })
      await untilFollowed(trial, sequencer, sent)
      for (const one of sent) {
        const { header } = followedOf(sequencer.followed, one)!
        const what = `the aborted records of the section at ${header.baseOffset}`
        expectEqual(one.ack!.aborted ?? [], abortedOf(one.ack!), `${what}, in its ack`)
        expectEqual(header.aborted ?? [], abortedOf(header), `${what}, as they were told`)
      }
    },
  },
  {
    name: 'gives two writers offsets out of one sequence, none of them twice',
    needs: 'join',
    async run(trial) {
      const first = await trial.openSequencer()
      const second = trial.join()
      for (const seed of range(0, 40)) {
        const writer = seed % 2 === 0 ? first : second
        writer.append({ seed, partition: seed % 4 < 2 ? 0 : 1, records: 1 + (seed % 3), valueBytes: seed * 30 })
        if (seed % 8 === 7) await trial.turns(1)
      }
      const all = [...first.sent, ...second.sent]
      await trial.settled(Promise.all(all.map(({ acked }) => acked)))
      const byOffset = acksOf(all).sort((a, b) => (a.header.baseOffset < b.header.baseOffset ? -1 : 1))
      expectDense(byOffset, () => 0n, 'the sections of two writers')
      for (const { sent } of [first, second]) {
        for (const partition of [0, 1]) {
          const offsets = sent.flatMap(({ section, ack }) => (section.partition === partition ? [ack!.baseOffset] : []))
          const sorted = [...offsets].sort((a, b) => (a < b ? -1 : 1))
          expectEqual(offsets, sorted, 'offsets of one writer in the order of its calls')
        }
      }
    },
  },
  {
    name: 'tells each writer of the sections of the others, in the order of their offsets',
    needs: 'join',
    async run(trial) {
      const first = await trial.openSequencer()
      const second = trial.join()
      for (const seed of range(0, 40)) {
        const writer = seed % 3 === 0 ? first : second
        writer.append({ seed, partition: seed % 2 })
        if (seed % 8 === 7) await trial.turns(1)
      }
      const all = [...first.sent, ...second.sent]
      await trial.settled(Promise.all(all.map(({ acked }) => acked)))
      for (const writer of [first, second]) {
        await untilFollowed(trial, writer, all)
        // Each once is another promise.
        const known = new Set<number>()
        const once = writer.followed.filter(({ header }) => known.size < known.add(numberOf(header)).size)
        expectDense(once, () => 0n, 'what a writer is told of all')
      }
    },
  },
  {
    name: 'tells a writer nothing once it has left',
    needs: 'join',
    async run(trial) {
      const first = await trial.openSequencer()
      const second = trial.join()
      await first.writeAll([1, 2])
      await trial.turns(5)
      await trial.settled(second.session.close())
      const told = second.followed.length
      await first.writeAll([3, 4])
      await trial.turns(5)
      expectEqual(second.followed.length, told, 'sections told to a writer that has left')
    },
  },
  {
    name: 'gives the offsets of what was rejected again, and goes on',
    needs: 'fill',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      const before = await sequencer.writeAll([1, 2])
      trial.place.fill!(true)
      const refused = [3, 4, 5].map((seed) => sequencer.append({ seed, records: 1, valueBytes: 200_000 }))
      const errors = await trial.settled(Promise.all(refused.map(({ acked }) => errorOf(acked))))
      trial.place.fill!(false)
      const reasons = errors.filter((error) => !isLivedThrough(error))
      expectEqual(reasons.map(String), [], 'errors that are not lived through')
      const after = await sequencer.writeAll([6, 7])
      expectDense(acksOf([...before, ...after]), () => 0n, 'sections before and after a rejection')
      const told = sequencer.followed.map(({ header }) => numberOf(header))
      expectEqual(
        refused.map(numberOf).filter((seed) => told.includes(seed)),
        [],
        'sections told that were rejected',
      )
    },
  },
  {
    name: 'accepts nothing after a failure: no offset is given above a hole',
    needs: 'fail',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      await sequencer.writeAll([1, 2])
      trial.place.fail!()
      const under = range(3, 9).map((seed) => sequencer.append({ seed, partition: seed % 2, valueBytes: 9_000 }))
      await trial.settled(Promise.all(under.map(({ acked }) => errorOf(acked))))
      for (const seed of [10, 11]) {
        const error = await trial.settled(errorOf(sequencer.append({ seed, partition: seed % 2 }).acked))
        expectTrue(isKind(error, 'closed'), `closed after a failure, not ${String(error)}`)
      }
      expectDense(acksOf(sequencer.acked), () => 0n, 'sections acked up to a failure')
    },
  },
  {
    name: 'tells its follower of a failure, once, and of nothing after it',
    needs: 'fail',
    async run(trial) {
      const sequencer = await trial.openSequencer()
      await sequencer.writeAll([1, 2])
      trial.place.fail!()
      const failing = sequencer.append({ seed: 3 })
      await trial.settled(errorOf(failing.acked))
      await trial.turns(1)
      const told = sequencer.followed.length
      await trial.settled(errorOf(sequencer.append({ seed: 4 }).acked))
      await trial.turns(5)
      expectEqual(sequencer.failures.length, 1, 'failures told')
      expectEqual(sequencer.followed.length, told, 'sections told after a failure')
    },
  },
]
