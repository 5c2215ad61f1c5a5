import {
  closed,
  isLivedThrough,
  type Appended,
  type Section,
  type SectionHeader,
  type SectionFollower,
  type Sequencer,
  type SequencerContext,
  type SequencerSession,
  type UnsequencedSection,
  type WalWriter,
} from '@moulin/core'
import { LifeMap } from '../topics/life-map.ts'

/**
 * The sequencer of one writer: it knows the next offset of each partition and patches it into the batches before they are
 * written, or takes what the Wal assigns. After an error it accepts nothing more, so no offset is given out above a hole; a full disk
 * alone is no such error.
 */
export function single(): Sequencer {
  return { name: 'single', open: (context) => (context.offsets === 'given' ? giving(context) : taking(context)) }
}

/** Where a partition stands; undefined: as recovered. */
interface Sequence {
  /** What has been spoken for. */
  next: bigint | undefined
  durable: bigint | undefined
}

/** Gives the offsets before the section is written. */
function giving({ wal, nextOffset }: SequencerContext): SequencerSession {
  /** By partition. */
  const lives = new LifeMap<(Sequence | undefined)[]>()
  let { rejections } = wal
  const following = new Following()
  const sequenceOf = (topicId: string, incarnation: number, partition: number): Sequence => {
    let life = lives.get(topicId, incarnation)
    if (life === undefined) lives.set(topicId, incarnation, (life = []))
    return (life[partition] ??= { next: undefined, durable: undefined })
  }
  return {
    append(section: UnsequencedSection): Promise<Appended> {
      if (following.hasFailed) return following.refused()
      if (rejections !== wal.rejections) {
        // Nothing of what was under way is stored: its offsets are free again.
        rejections = wal.rejections
        for (const life of lives.values()) for (const each of life) if (each !== undefined) each.next = each.durable
      }
      const { topicId, incarnation, partition, recordCount, valueSchemaId, keySchemaId, appendedMs, batches } = section
      const sequence = sequenceOf(topicId, incarnation, partition)
      const baseOffset = sequence.next ?? nextOffset(topicId, incarnation, partition)
      const next = baseOffset + BigInt(recordCount)
      const known = section.patch(baseOffset)
      // Spoken for, not given out: nobody sees it before the bytes are durable.
      sequence.next = next
      const placed: Section & SectionHeader = {
        topicId,
        incarnation,
        partition,
        recordCount,
        valueSchemaId,
        keySchemaId,
        appendedMs,
        baseOffset,
        lastOffset: next - 1n,
        batches,
        batchesCrc: typeof known === 'number' ? known : undefined,
      }
      return answerOf(wal, placed).then(
        (appended) => {
          sequence.durable = next
          const { aborted, location } = appended
          const header = aborted === undefined ? placed : { ...placed, aborted }
          following.follower?.add(header, location, batches)
          return appended
        },
        (error: unknown) => {
          throw following.failed(error)
        },
      )
    },
    follow: (follower) => void (following.follower = follower),
    async close() {},
  }
}

/** Takes the offsets that the Wal gives in the order of its commits. */
function taking({ wal }: SequencerContext): SequencerSession {
  const following = new Following()
  return {
    async append({ patch, ...section }: UnsequencedSection): Promise<Appended> {
      if (following.hasFailed) return following.refused()
      try {
        const appended = await wal.append(section)
        const { baseOffset, lastOffset, aborted, location } = appended
        patch(baseOffset)
        const header = { ...section, baseOffset, lastOffset, ...(aborted && { aborted }) }
        following.follower?.add(header, location, section.batches)
        return appended
      } catch (error) {
        throw following.failed(error)
      }
    },
    follow: (follower) => void (following.follower = follower),
    async close() {},
  }
}

/** Never throws: whatever a Wal does, its error must end what follows. */
function answerOf(wal: WalWriter, section: Section): Promise<Appended> {
  try {
    return wal.append(section)
  } catch (error) {
    return Promise.reject(error as Error)
  }
}

/** Who is told, and the error that has ended it. */
class Following {
  follower: SectionFollower | undefined
  #failure: Error | undefined

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  refused(): Promise<never> {
    const message = 'An earlier append failed: open the log again.'
    return Promise.reject(closed('SEQUENCER_FAILED', message, { cause: this.#failure }))
  }

  /** An append ended in this error, which is returned. */
  failed(error: unknown): unknown {
    if (this.#failure !== undefined || isLivedThrough(error)) return error
    this.#failure = error as Error
    this.follower?.failed(this.#failure)
    return error
  }
}
