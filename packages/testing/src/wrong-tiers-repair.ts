import { hasOutcome, notFound } from '@moulin/core'
import { withLog, withTopics } from './wrong-tier.ts'
import type { WrongTier } from './wrong-tier.ts'

/** Tiers that put files back wrongly. */
export const wrongRepairers: readonly WrongTier[] = [
  {
    name: 'repair that counts its rows once more',
    breaks: 'puts a missing file back out of what the log holds, and the ledger stays as it is',
    wrap: withTopics((topic) => {
      let hasRepaired = false
      return {
        async repair(options) {
          hasRepaired = await topic.repair!(options)
          return hasRepaired
        },
        async audit(options) {
          const report = await topic.audit(options)
          if (!hasRepaired) return report
          const more = report.partitions.map((one) => ({ ...one, ledgerRows: one.ledgerRows * 2n }))
          return { ...report, partitions: more }
        },
      }
    }),
  },
  {
    name: 'repair that says of a file that it is back, and only reads around it',
    breaks: 'puts a missing file back out of what the log holds, and the ledger stays as it is',
    wrap: withTopics((topic, { context }) => {
      let hasRepaired = false
      return {
        async repair(options) {
          hasRepaired = await topic.repair!(options)
          return hasRepaired
        },
        async *read(request) {
          const isGone = hasRepaired && context.hot.releasedOffsets()[request.partition]! > request.from
          if (isGone) throw notFound('FILE_VANISHED', 'A file is missing.')
          yield* topic.read(request)
        },
      }
    }),
  },
  {
    name: 'repair that is due for ever',
    breaks: 'is due for a repair while a file is missing, later where it cannot be put back, and then no more',
    wrap: withTopics((topic, { context }) => ({
      repairDueMs: () => (topic.repairDueMs!() === undefined ? undefined : context.runtime.clock.now()),
    })),
  },
  {
    name: 'repair that is never due',
    breaks: 'is due for a repair while a file is missing, later where it cannot be put back, and then no more',
    wrap: withTopics(() => ({ repairDueMs: () => undefined })),
  },
  {
    name: 'repair that tells nobody that its files are young',
    breaks: 'has the grace begin anew before it puts anything back, and puts nothing back where that fails',
    wrap: withLog(({ context: { renewGrace: _, ...context } }) => ({ context })),
  },
  {
    name: 'repair that goes on though the log cannot write it down',
    breaks: 'has the grace begin anew before it puts anything back, and puts nothing back where that fails',
    wrap: withLog(({ context }) => ({
      context: { ...context, renewGrace: async () => context.renewGrace?.().catch(() => undefined) },
    })),
  },
  {
    name: 'repair that forgets what it did once an answer was lost',
    breaks: 'says at the next call what a repair did whose answer was lost',
    wrap: withTopics((topic) => {
      let isForgotten = false
      return {
        async repair(options) {
          try {
            return (await topic.repair!(options)) && !isForgotten
          } catch (error) {
            isForgotten = hasOutcome(error, 'unknown')
            throw error
          }
        },
      }
    }),
  },
]
