import type { ColdContext, ColdTier, HotSource, Wal } from '@moulin/core'
import { notFound, unsupported } from '@moulin/core'

/** No offset is above it. */
const LAST_OFFSET = 2n ** 63n - 1n

/**
 * A Wal for readers that have no write-ahead data at hand: it holds nothing, waits for nothing and opens no writer. What a log shows then is
 * what its tables hold; that there is nothing above, it does not say.
 */
export const unseenWal: Wal = {
  name: 'no write-ahead data',
  durability: 'memory',
  offsets: 'given',
  openWriter: () =>
    Promise.reject(unsupported('UNSEEN_WAL', 'Without its write-ahead data a log can only be read: name its Wal.')),
  async openReader({ beforeRecovery }) {
    await beforeRecovery()
    return {
      epoch: 0n,
      read: () => Promise.reject(notFound('RELEASED', 'The write-ahead data is not at hand.')),
      release: async () => {},
      usage: () => ({ liveBytes: 0, heldBytes: 0, segments: 0, liveSegments: 0, bufferBytes: 0 }),
      follow() {},
      refresh: beforeRecovery,
      close: async () => {},
    }
  },
}

/**
 * The same tier, of a log whose write-ahead data is {@link unseenWal}: what the table holds is all that there is to be had, and what
 * the log has beyond it is unknown. So no table is ahead of such a log, and one that cannot be read is not taken for an empty one.
 */
export function unseenTier(tier: ColdTier): ColdTier {
  const { judge } = tier
  return {
    name: tier.name,
    async attach(topic, context) {
      let frontier = (): readonly bigint[] => []
      const ends = (): readonly bigint[] => {
        const ofTable = frontier()
        return context.hot.releasedOffsets().map((offset, at) => higher(offset, ofTable[at] ?? 0n))
      }
      const cold = await tier.attach(topic, withHot(context, { committedOffsets: ends, releasedOffsets: ends }))
      frontier = () => cold.frontier()
      return cold
    },
    adopt: () =>
      Promise.reject(unsupported('UNSEEN_WAL', 'A table is adopted by a log with its write-ahead data: name its Wal.')),
    ...(judge === undefined
      ? {}
      : {
          judge: (topic, context, options = {}) => {
            const committedOffsets = (): readonly bigint[] => context.hot.committedOffsets().map(() => LAST_OFFSET)
            // Which records a plan would give up nobody can say.
            return judge(topic, withHot(context, { committedOffsets }), { ...options, plan: false })
          },
        }),
    ...(tier.fieldIds === undefined ? {} : { fieldIds: (codec) => tier.fieldIds!(codec) }),
    ...(tier.failing === undefined ? {} : { failing: () => tier.failing!() }),
    close: () => tier.close(),
  }
}

const higher = (a: bigint, b: bigint): bigint => (a > b ? a : b)

function withHot(context: ColdContext, changed: Partial<HotSource>): ColdContext {
  return { ...context, hot: { ...context.hot, ...changed } }
}
