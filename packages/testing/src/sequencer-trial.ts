import type {
  Appended,
  NextOffset,
  SectionHeader,
  Sequencer,
  SequencerSession,
  Wal,
  WalLocation,
  WalWriter,
} from '@moulin/core'
import { WalTrial } from './wal-trial.ts'
import type { WalPlace } from './wal-place.ts'
import type { TrialSection, TrialSectionOptions } from './wal-sections.ts'
import { patchOffsets, trialSection } from './wal-sections.ts'
import { derive } from './wrong-wal.ts'

/** Where a sequencer is judged: over a Wal, in a place anew for each check. */
export interface SequencerPlace {
  readonly wal: WalPlace
  readonly sequencer: Sequencer
  /** One more writer in the same sequence, behind the one that opened it. Claimed by the way `join`. */
  join?(): SequencerSession
}

/** What the place can be made to do. Checks that need it are skipped where it is not claimed. */
export type SequencerWay = 'join' | 'fill' | 'fail'

export const sequencerWays: readonly SequencerWay[] = ['join', 'fill', 'fail']

/** What a check appended. */
export interface Sequenced {
  readonly section: TrialSection
  readonly appendedMs: number
  /** What the sequencer was given, and puts offsets into. */
  readonly batches: Uint8Array
  readonly acked: Promise<Appended>
  ack: Appended | undefined
  error: Error | undefined
  /** Whether its follower knew of it when it was acked. */
  wasFollowed: boolean
}

export interface Followed {
  readonly header: SectionHeader
  readonly location: WalLocation
  /** As they were then. */
  readonly batches: Uint8Array | undefined
}

/** A session of a sequencer, and all that it tells. */
export class TrialSequencer {
  readonly session: SequencerSession
  readonly followed: Followed[] = []
  readonly failures: Error[] = []
  readonly sent: Sequenced[] = []
  /** In the order of their acks. */
  readonly acked: Sequenced[] = []
  readonly #trial: WalTrial

  constructor(trial: WalTrial, session: SequencerSession) {
    this.#trial = trial
    this.session = session
    session.follow({
      add: (header, location, batches) => {
        this.followed.push({ header, location, batches: batches === undefined ? undefined : new Uint8Array(batches) })
      },
      failed: (error) => void this.failures.push(error),
    })
  }

  append(options: TrialSectionOptions): Sequenced {
    const section = trialSection(options)
    const { batches: _, ...facts } = section
    const appendedMs = 1_790_000_000_000 + options.seed
    const batches = new Uint8Array(section.batches)
    const patch = (baseOffset: bigint): void => patchOffsets(batches, baseOffset)
    const acked = this.session.append({ ...facts, appendedMs, batches, patch })
    const sent: Sequenced = {
      section,
      appendedMs,
      batches,
      acked,
      ack: undefined,
      error: undefined,
      wasFollowed: false,
    }
    this.sent.push(sent)
    acked.then(
      (ack) => {
        sent.ack = ack
        sent.wasFollowed = this.followed.some(({ header }) => header.appendedMs === appendedMs)
        this.acked.push(sent)
      },
      (error: Error) => void (sent.error = error),
    )
    return sent
  }

  async writeAll(seeds: readonly number[], options: Omit<TrialSectionOptions, 'seed'> = {}): Promise<Sequenced[]> {
    const sent = seeds.map((seed) => this.append({ ...options, seed }))
    await this.#trial.settled(Promise.all(sent.map(({ acked }) => acked)))
    return sent
  }
}

interface OpenedSequencer {
  readonly nextOffset?: NextOffset
  /** What the Wal says of an append, made from what it does say. */
  readonly answer?: (ack: Appended) => Appended
}

/** The place of one check. */
export class SequencerTrial extends WalTrial {
  readonly #place: SequencerPlace
  #writer: WalWriter | undefined

  constructor(place: SequencerPlace, offsets: Wal['offsets']) {
    super(place.wal, offsets)
    this.#place = place
  }

  /** The Wal that the sequencer writes to. */
  get writer(): WalWriter {
    if (this.#writer === undefined) throw new TypeError('Open the sequencer first.')
    return this.#writer
  }

  /** What a log does that opens. */
  async openSequencer({ nextOffset = () => 0n, answer }: OpenedSequencer = {}): Promise<TrialSequencer> {
    const { writer } = await this.openWriter(undefined, { nextOffset })
    this.#writer = writer
    const wal =
      answer === undefined
        ? writer
        : derive(writer, { append: async (section) => answer(await writer.append(section)) })
    return new TrialSequencer(this, this.#place.sequencer.open({ wal, offsets: this.offsets, nextOffset }))
  }

  join(): TrialSequencer {
    return new TrialSequencer(this, this.#place.join!())
  }
}
