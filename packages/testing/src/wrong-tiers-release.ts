import { isKind, notFound } from '@moulin/core'
import { gapRun } from './cut-run.ts'
import { withLog, withTopics } from './wrong-tier.ts'
import type { WrongTier } from './wrong-tier.ts'

const lowest = (a: readonly bigint[], b: readonly bigint[]): bigint[] =>
  a.map((offset, at) => (offset < b[at]! ? offset : b[at]!))

/** Tiers that let go of what they should keep, or do not say what is wrong with them. */
export const wrongReleasers: readonly WrongTier[] = [
  {
    name: 'all that it holds, whatever was asked',
    breaks: 'lets go of what it holds, and of nothing above upTo or its frontier',
    wrap: withTopics((topic) => ({
      releasable: (request) => topic.releasable({ ...request, upTo: topic.frontier() }),
    })),
  },
  {
    name: 'all that was asked, held or not',
    breaks: 'lets go of what it holds, and of nothing above upTo or its frontier',
    wrap: withTopics((topic) => ({
      async releasable(request) {
        const ends = await topic.releasable(request)
        const isAbove = request.upTo.some((offset, at) => offset > topic.frontier()[at]!)
        return isAbove && topic.missingFiles?.().length === 0 ? request.upTo : ends
      },
    })),
  },
  {
    name: 'release by what was written, without a look',
    breaks: 'looks anew before it lets go: nothing beyond a missing file, until it is back',
    wrap: withTopics((topic) => ({
      async releasable({ upTo, ...call }) {
        await topic.refresh(call)
        return lowest(upTo, topic.frontier())
      },
    })),
  },
  {
    name: 'missing file that stays missing',
    breaks: 'looks anew before it lets go: nothing beyond a missing file, until it is back',
    wrap: withTopics((topic) => {
      let held: readonly bigint[] | undefined
      return {
        async releasable(request) {
          const ends = await topic.releasable(request)
          if ((topic.missingFiles?.().length ?? 0) > 0) held ??= ends
          return held === undefined ? ends : lowest(ends, held)
        },
      }
    }),
  },
  {
    name: 'read that fails on a missing file',
    breaks: 'takes from the log what a missing file had',
    wrap: withTopics((topic) => ({
      async *read(request) {
        if ((topic.missingFiles?.().length ?? 0) > 0) throw notFound('FILE_VANISHED', 'A file is missing.')
        yield* topic.read(request)
      },
    })),
  },
  {
    name: 'release from a history that was rolled back',
    breaks: 'calls a history broken that was rolled back, before anything is committed or let go',
    wrap: withTopics((topic) => ({
      releasable: (request) =>
        topic.releasable(request).catch((error: unknown) => {
          if (isKind(error, 'conflict', 'LINEAGE_BROKEN')) return lowest(request.upTo, topic.frontier())
          throw error
        }),
    })),
  },
  {
    name: 'history called broken by a writer that was fenced',
    breaks: 'asks whether a newer writer has come before it calls a history broken',
    wrap: withLog(({ context }) => ({ context: { ...context, async checkFence() {} } })),
  },
  {
    name: 'adoption that gives up what the log still holds',
    breaks: 'makes a broken history whole again from what the log still holds, when it is asked to',
    wrap: (tier) => ({
      ...tier,
      async adopt(info, context, request) {
        const adopted = await tier.adopt(info, context, request)
        const frontier = [...context.hot.committedOffsets()]
        return adopted.outcome === 'recounted' ? { ...adopted, frontier } : adopted
      },
    }),
  },
  {
    name: 'adoption that does not say what it gave up',
    breaks: 'gives up what neither it nor the log holds when it is asked to, and not before, and says what',
    wrap: (tier) => ({ ...tier, adopt: async (...asked) => ({ ...(await tier.adopt(...asked)), skipped: [] }) }),
  },
  {
    name: 'clean-up that is due for ever',
    breaks: 'cleans up when it is due, leaves all that it answers for, and is not due in the past for nothing',
    wrap: withTopics(() => ({ cleanUpDueMs: () => 0 })),
  },
  {
    name: 'clean-up of what is still answered for',
    breaks: 'cleans up when it is due, leaves all that it answers for, and is not due in the past for nothing',
    wrap: withTopics((topic) => {
      let isCleaned = false
      return {
        async cleanUp(options) {
          await topic.cleanUp?.(options)
          isCleaned = true
        },
        async *read(request) {
          if (isCleaned && request.from < request.to) yield gapRun(request)
          else yield* topic.read(request)
        },
      }
    }),
  },
]
