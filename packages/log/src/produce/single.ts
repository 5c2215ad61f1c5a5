import { closed, type Sequenced, type Sequencer, type SequencerContext, type UnsequencedSection } from '@moulin/core'
import { isLivedThrough } from '../wal/file/disk-space.ts'

/**
 * The sequencer of one writer: it knows the next offset of each partition and patches it into the batches before they are
 * written. After an error it accepts nothing more, so no offset is given out above a hole; a full disk alone is no such error.
 */
export function single(): Sequencer {
  return {
    name: 'single',
    open({ wal, nextOffset }: SequencerContext) {
      /** What has been spoken for, and what is durable. */
      let next = new Map<string, bigint>()
      const durable = new Map<string, bigint>()
      let rejections = wal.rejections
      let failure: Error | undefined
      return {
        async append(section: UnsequencedSection): Promise<Sequenced> {
          if (failure !== undefined) {
            throw closed('SEQUENCER_FAILED', 'An earlier append failed: open the log again.', { cause: failure })
          }
          if (rejections !== wal.rejections) {
            // Nothing of what was under way is stored: its offsets are free again.
            rejections = wal.rejections
            next = new Map(durable)
          }
          const { patch, ...rest } = section
          const { topicId, incarnation, partition } = section
          const key = `${topicId}/${incarnation}/${partition}`
          const baseOffset = next.get(key) ?? nextOffset(topicId, incarnation, partition)
          const lastOffset = baseOffset + BigInt(section.recordCount) - 1n
          patch(baseOffset)
          // Spoken for, not given out: nobody sees it before the bytes are durable.
          next.set(key, lastOffset + 1n)
          try {
            const location = await wal.append({ ...rest, baseOffset, lastOffset })
            durable.set(key, lastOffset + 1n)
            return { baseOffset, lastOffset, location }
          } catch (error) {
            if (!isLivedThrough(error)) failure ??= error as Error
            throw error
          }
        },
        async close() {},
      }
    },
  }
}
