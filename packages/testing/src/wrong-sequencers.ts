import { closed, isKind, isLivedThrough, systemRuntime } from '@moulin/core'
import type { Appended, SectionFollower, SequencerSession, UnsequencedSection } from '@moulin/core'
import { LARGE_OFFSET } from './sequencer-checks.ts'
import type { SequencerPlace, SequencerWay } from './sequencer-trial.ts'
import { patchOffsets } from './wal-sections.ts'
import { madeUpAck } from './wrong-wal.ts'

/** A sequencer that is wrong in one way, made from a right one, and the check that must reject it. No other check does. */
export interface WrongSequencer {
  readonly name: string
  /** Name of the check in `sequencerChecks`. */
  readonly breaks: string
  /** Can be shown only where the place claims this. */
  readonly needs?: SequencerWay
  /** The place with a sequencer that is wrong. */
  wrap(place: SequencerPlace): SequencerPlace
}

/** What is done otherwise; the rest is the right sequencer's. Anew for each session. */
interface SequencerFlaw {
  append?(section: UnsequencedSection, append: SequencerSession['append']): Promise<Appended>
  follower?(follower: SectionFollower): Partial<SectionFollower>
  close?(): Promise<void>
}

function wrongSequencer(
  wrong: Omit<WrongSequencer, 'wrap'>,
  flawOf: (session: { readonly number: number; readonly acks: Appended[] }) => SequencerFlaw,
): WrongSequencer {
  return {
    ...wrong,
    wrap({ wal, sequencer, join }) {
      let sessions = 0
      const acks: Appended[] = []
      const flawed = (session: SequencerSession): SequencerSession => {
        const flaw = flawOf({ number: ++sessions, acks })
        return {
          async append(section) {
            const append = session.append.bind(session)
            const ack = await (flaw.append?.(section, append) ?? append(section))
            acks.push(ack)
            return ack
          },
          follow(follower) {
            const right: SectionFollower = {
              add: (...one) => follower.add(...one),
              failed: (error) => follower.failed(error),
            }
            session.follow({ ...right, ...flaw.follower?.(right) })
          },
          close: () => flaw.close?.() ?? session.close(),
        }
      }
      const opened = {
        name: sequencer.name,
        open: (...context: Parameters<typeof sequencer.open>) => flawed(sequencer.open(...context)),
      }
      return { wal, sequencer: opened, ...(join === undefined ? {} : { join: () => flawed(join()) }) }
    },
  }
}

/** The ack with offsets further on. */
const moved = (ack: Appended, by: bigint): Appended => ({
  ...ack,
  baseOffset: ack.baseOffset + by,
  lastOffset: ack.lastOffset + by,
})

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await systemRuntime().timers.turn()
}

const abortedOnes = 'passes on which records of a section the Wal calls aborted, with the ack and to its follower'
const dense = 'gives the sections of a partition dense offsets, in the order of the calls, from where the log says'
const told = 'tells its follower the sections of a partition in the order of their offsets, each once, without a gap'
const facts = 'tells its follower what a section is, and where it lies'
const again = 'gives the offsets of what was rejected again, and goes on'
const final = 'accepts nothing after a failure: no offset is given above a hole'

/** Sequencers that are wrong in one way each. */
export const wrongSequencers: readonly WrongSequencer[] = [
  wrongSequencer({ name: 'leaves a hole', breaks: dense }, () => {
    let acks = 0
    return {
      async append(section, append) {
        const ack = await append(section)
        return section.partition === 2 && ++acks > 4 ? moved(ack, 1n) : ack
      },
    }
  }),
  wrongSequencer({ name: 'begins every partition at 0', breaks: dense }, () => ({
    async append(section, append) {
      const ack = await append(section)
      return ack.baseOffset >= LARGE_OFFSET ? moved(ack, -LARGE_OFFSET) : ack
    },
  })),
  wrongSequencer({ name: 'counts offsets in floating point', breaks: dense }, () => ({
    async append(section, append) {
      const { baseOffset, lastOffset, ...ack } = await append(section)
      return { ...ack, baseOffset: BigInt(Number(baseOffset)), lastOffset: BigInt(Number(lastOffset)) }
    },
  })),
  wrongSequencer({ name: 'counts the last offset exclusively', breaks: dense }, () => ({
    async append(section, append) {
      const ack = await append(section)
      return section.partition === 2 ? { ...ack, lastOffset: ack.lastOffset + 1n } : ack
    },
  })),
  wrongSequencer(
    {
      name: 'acks small sections before large ones',
      breaks: 'acks the sections of a partition in the order of the calls',
    },
    () => ({
      async append(section, append) {
        const ack = await append(section)
        if (section.batches.length > 10_000) await turns(3)
        return ack
      },
    }),
  ),
  wrongSequencer(
    { name: 'takes the offsets out of the batches again', breaks: 'puts the offsets of its ack into the batches' },
    () => ({
      async append(section, append) {
        const ack = await append(section)
        patchOffsets(section.batches, 0n)
        return ack
      },
    }),
  ),
  wrongSequencer(
    {
      name: 'acks at no level',
      breaks: 'acks with what the Wal said: where the section lies, and what it survives',
    },
    () => ({ append: async (section, append) => ({ ...(await append(section)), durability: 'hope' as never }) }),
  ),
  wrongSequencer(
    { name: 'tells its follower after the ack', breaks: 'tells its follower of a section before the append resolves' },
    () => ({
      follower: (follower) => ({
        add(...one) {
          // As they were: who reads them later finds what the producer has there by then.
          const [header, location, batches] = one
          const kept = batches === undefined ? undefined : new Uint8Array(batches)
          void turns(2).then(() => follower.add(header, location, kept))
        },
      }),
    }),
  ),
  wrongSequencer({ name: 'tells what is new from the newest on', breaks: told }, () => {
    let waiting: Parameters<SectionFollower['add']>[] = []
    return {
      follower: (follower) => ({
        add(...one) {
          if (one[0].partition !== 2) return follower.add(...one)
          if (waiting.push(one) > 1) return
          queueMicrotask(() => {
            const all = waiting.reverse()
            waiting = []
            for (const each of all) follower.add(...each)
          })
        },
      }),
    }
  }),
  wrongSequencer({ name: 'tells every section twice', breaks: told }, () => ({
    follower: (follower) => ({
      add(...one) {
        follower.add(...one)
        follower.add(...one)
      },
    }),
  })),
  wrongSequencer({ name: 'tells no schema', breaks: facts }, () => ({
    follower: (follower) => ({
      add: (header, ...where) => follower.add({ ...header, valueSchemaId: 0 }, ...where),
    }),
  })),
  wrongSequencer({ name: 'acks without a word of aborted records', breaks: abortedOnes }, () => ({
    async append(section, append) {
      const { aborted: _, ...ack } = await append(section)
      return ack
    },
  })),
  wrongSequencer({ name: 'tells nobody of aborted records', breaks: abortedOnes }, () => ({
    follower: (follower) => ({ add: ({ aborted: _, ...header }, ...where) => follower.add(header, ...where) }),
  })),
  wrongSequencer({ name: 'tells the place of the section before', breaks: facts }, () => {
    let last: Parameters<SectionFollower['add']>[1] | undefined
    return {
      follower: (follower) => ({
        add(header, location, batches) {
          follower.add(header, last ?? location, batches)
          last = location
        },
      }),
    }
  }),
  wrongSequencer(
    {
      name: 'gives two writers the same offset',
      breaks: 'gives two writers offsets out of one sequence, none of them twice',
      needs: 'join',
    },
    ({ number, acks }) => ({
      async append(section, append) {
        const ack = await append(section)
        const other = acks.at(-1)
        return number === 2 && other !== undefined
          ? { ...ack, baseOffset: other.baseOffset, lastOffset: other.lastOffset }
          : ack
      },
    }),
  ),
  wrongSequencer(
    {
      name: 'tells a writer of its own sections only',
      breaks: 'tells each writer of the sections of the others, in the order of their offsets',
      needs: 'join',
    },
    () => {
      const own = new Set<number>()
      return {
        append(section, append) {
          own.add(section.appendedMs)
          return append(section)
        },
        follower: (follower) => ({
          add: (header, ...where) => (own.has(header.appendedMs) ? follower.add(header, ...where) : undefined),
        }),
      }
    },
  ),
  wrongSequencer(
    {
      name: 'goes on telling a writer that has left',
      breaks: 'tells a writer nothing once it has left',
      needs: 'join',
    },
    () => ({ close: async () => {} }),
  ),
  wrongSequencer({ name: 'keeps the offsets of what was rejected', breaks: again, needs: 'fill' }, () => {
    let lost = 0n
    return {
      append: async (section, append) =>
        moved(
          await append(section).catch((error: unknown) => {
            if (isLivedThrough(error)) lost += BigInt(section.recordCount)
            throw error
          }),
          lost,
        ),
    }
  }),
  wrongSequencer({ name: 'ends at a full disk', breaks: again, needs: 'fill' }, () => {
    let wasFull = false
    return {
      async append(section, append) {
        if (wasFull) throw closed('SEQUENCER_FAILED', 'It was full before.')
        return append(section).catch((error: unknown) => {
          wasFull = isLivedThrough(error)
          throw error
        })
      },
    }
  }),
  wrongSequencer({ name: 'gives offsets above a hole', breaks: final, needs: 'fail' }, () => {
    let next = 0n
    return {
      append: (section, append) =>
        append(section).then(
          (ack) => {
            next = ack.lastOffset + 1n
            return ack
          },
          (error: unknown) => {
            if (!isKind(error, 'closed')) throw error
            return moved(madeUpAck({ ...section }), next)
          },
        ),
    }
  }),
  wrongSequencer(
    {
      name: 'says nothing of a failure',
      breaks: 'tells its follower of a failure, once, and of nothing after it',
      needs: 'fail',
    },
    () => ({ follower: () => ({ failed() {} }) }),
  ),
  wrongSequencer(
    {
      name: 'goes on telling after a failure',
      breaks: 'tells its follower of a failure, once, and of nothing after it',
      needs: 'fail',
    },
    () => {
      let last: Parameters<SectionFollower['add']> | undefined
      return {
        follower: (follower) => ({
          add(...one) {
            last = one
            follower.add(...one)
          },
          failed(error) {
            follower.failed(error)
            const again = last
            if (again !== undefined) void turns(2).then(() => follower.add(...again))
          },
        }),
      }
    },
  ),
]
