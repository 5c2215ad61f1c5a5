import {
  closed,
  invalid,
  isLivedThrough,
  type Appended,
  type SectionFollower,
  type Sequencer,
  type SequencerContext,
  type SequencerSession,
  type UnsequencedSection,
} from '@moulin/core'

export interface SharedSequencer extends Sequencer {
  /** One more writer over the Wal of the log that has opened this, with offsets out of the same sequence. */
  join(): SequencerSession
}

/**
 * A sequencer of several writers in one process over one Wal: the log that opens it, and whoever joins. Each is told of the sections of
 * all. Unlike `single` it speaks for no offset ahead: of each partition one section is under way at a time, and the next one gets its
 * offsets when that is durable, or from the Wal.
 */
export function sharedSequencer(): SharedSequencer {
  let sequence: Sequence | undefined
  return {
    name: 'sharedSequencer',
    open(context) {
      sequence = new Sequence(context)
      return sequence.join()
    },
    join() {
      if (sequence === undefined)
        throw invalid('NOT_OPEN', 'No log has opened this sharedSequencer yet: open one first.')
      return sequence.join()
    },
  }
}

/** What the writers share. */
class Sequence {
  readonly #context: SequencerContext
  readonly #followers = new Set<SectionFollower>()
  /** By partition: where it goes on, and what is under way. */
  readonly #next = new Map<string, bigint>()
  readonly #last = new Map<string, Promise<unknown>>()
  #failure: Error | undefined

  constructor(context: SequencerContext) {
    this.#context = context
  }

  join(): SequencerSession {
    const own = new Set<SectionFollower>()
    const underWay = new Set<Promise<unknown>>()
    let isClosed = false
    return {
      append: (section) => {
        if (isClosed) return Promise.reject(closed('SEQUENCER_CLOSED', 'This writer has left the sharedSequencer.'))
        const appended = this.#inTurn(section).finally(() => underWay.delete(appended))
        underWay.add(appended)
        return appended
      },
      follow: (follower) => {
        own.add(follower)
        this.#followers.add(follower)
      },
      close: async () => {
        isClosed = true
        await Promise.allSettled(underWay)
        for (const follower of own) this.#followers.delete(follower)
      },
    }
  }

  #inTurn(section: UnsequencedSection): Promise<Appended> {
    const { topicId, incarnation, partition } = section
    const key = `${topicId}/${incarnation}/${partition}`
    const before = this.#last.get(key)
    // Where the Wal gives the offsets, several may be under way.
    const appended =
      this.#context.offsets === 'given' && before !== undefined
        ? before.then(() => this.#append(section, key))
        : this.#append(section, key)
    this.#last.set(
      key,
      appended.catch(() => undefined),
    )
    return appended
  }

  async #append({ patch, ...section }: UnsequencedSection, key: string): Promise<Appended> {
    if (this.#failure !== undefined) {
      throw closed('SEQUENCER_FAILED', 'An earlier append failed: open the log again.', { cause: this.#failure })
    }
    const { wal } = this.#context
    const given = this.#context.offsets === 'given' ? this.#offsetsOf(section, key) : undefined
    if (given !== undefined) patch(given.baseOffset)
    try {
      const appended = await wal.append({ ...section, ...given })
      const { baseOffset, lastOffset, aborted, location } = appended
      if (given === undefined) patch(baseOffset)
      this.#next.set(key, lastOffset + 1n)
      const header = { ...section, baseOffset, lastOffset, ...(aborted && { aborted }) }
      for (const each of this.#followers) each.add(header, location, section.batches)
      return appended
    } catch (error) {
      if (this.#failure === undefined && !isLivedThrough(error)) {
        this.#failure = error as Error
        for (const each of this.#followers) each.failed(this.#failure)
      }
      throw error
    }
  }

  #offsetsOf(
    { topicId, incarnation, partition, recordCount }: Omit<UnsequencedSection, 'patch'>,
    key: string,
  ): { baseOffset: bigint; lastOffset: bigint } {
    const baseOffset = this.#next.get(key) ?? this.#context.nextOffset(topicId, incarnation, partition)
    return { baseOffset, lastOffset: baseOffset + BigInt(recordCount) - 1n }
  }
}
