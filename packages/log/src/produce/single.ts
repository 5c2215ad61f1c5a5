import {
  closed,
  isLivedThrough,
  type Appended,
  type SectionFollower,
  type Sequencer,
  type SequencerContext,
  type SequencerSession,
  type UnsequencedSection,
} from '@moulin/core'

/**
 * The sequencer of one writer: it knows the next offset of each partition and patches it into the batches before they are
 * written, or takes what the Wal assigns. After an error it accepts nothing more, so no offset is given out above a hole; a full disk
 * alone is no such error.
 */
export function single(): Sequencer {
  return { name: 'single', open: (context) => (context.offsets === 'given' ? giving(context) : taking(context)) }
}

/** Gives the offsets before the section is written. */
function giving({ wal, nextOffset }: SequencerContext): SequencerSession {
  /** What has been spoken for, and what is durable. */
  let next = new Map<string, bigint>()
  const durable = new Map<string, bigint>()
  let { rejections } = wal
  const following = new Following()
  return {
    async append({ patch, ...section }: UnsequencedSection): Promise<Appended> {
      following.checkGoesOn()
      if (rejections !== wal.rejections) {
        // Nothing of what was under way is stored: its offsets are free again.
        rejections = wal.rejections
        next = new Map(durable)
      }
      const { topicId, incarnation, partition, batches } = section
      const key = `${topicId}/${incarnation}/${partition}`
      const baseOffset = next.get(key) ?? nextOffset(topicId, incarnation, partition)
      const lastOffset = baseOffset + BigInt(section.recordCount) - 1n
      patch(baseOffset)
      // Spoken for, not given out: nobody sees it before the bytes are durable.
      next.set(key, lastOffset + 1n)
      const placed = { ...section, baseOffset, lastOffset }
      try {
        const appended = await wal.append(placed)
        durable.set(key, lastOffset + 1n)
        const header = { ...placed, ...abortedOf(appended) }
        following.follower?.add(header, appended.location, batches)
        return appended
      } catch (error) {
        throw following.failed(error)
      }
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
      following.checkGoesOn()
      try {
        const appended = await wal.append(section)
        const { baseOffset, lastOffset, location } = appended
        patch(baseOffset)
        const header = { ...section, baseOffset, lastOffset, ...abortedOf(appended) }
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

const abortedOf = ({ aborted }: Appended): Pick<Appended, 'aborted'> => (aborted === undefined ? {} : { aborted })

/** Who is told, and the error that has ended it. */
class Following {
  follower: SectionFollower | undefined
  #failure: Error | undefined

  checkGoesOn(): void {
    if (this.#failure === undefined) return
    throw closed('SEQUENCER_FAILED', 'An earlier append failed: open the log again.', { cause: this.#failure })
  }

  /** An append ended in this error, which is returned. */
  failed(error: unknown): unknown {
    if (this.#failure !== undefined || isLivedThrough(error)) return error
    this.#failure = error as Error
    this.follower?.failed(this.#failure)
    return error
  }
}
