import { aborted, isKind, isMoulinError, withOutcome } from '@moulin/core'
import type { TierResult } from '@moulin/core'
import { deriveScan, doubled, withTopics } from './wrong-tier.ts'
import type { Attached, WrongTier } from './wrong-tier.ts'

const highest = (a: readonly bigint[], b: readonly bigint[]): bigint[] =>
  a.map((offset, at) => (offset > b[at]! ? offset : b[at]!))

/** Where the batches end that the offsets lie in. */
async function batchEnds({ context: { hot } }: Attached, upTo: readonly bigint[]): Promise<bigint[]> {
  const ends = [...upTo]
  for (const [partition, to] of upTo.entries()) {
    const from = hot.releasedOffsets()[partition]!
    for await (const { nextOffset } of hot.read({ partition, from, to }))
      if (nextOffset > ends[partition]!) ends[partition] = nextOffset
  }
  return ends
}

/** Tiers whose commits are wrong. */
export const wrongCommitters: readonly WrongTier[] = [
  {
    name: 'commit of whole batches',
    breaks: 'moves exactly what lies below upTo, within a batch too',
    wrap: withTopics((topic, attached) => ({
      tier: async (request) => topic.tier({ ...request, upTo: await batchEnds(attached, request.upTo) }),
    })),
  },
  {
    name: 'frontier as it was asked for',
    breaks: 'moves nothing that is not committed in the log, whatever upTo asks for',
    wrap: withTopics((topic) => ({
      async tier(request) {
        const result = await topic.tier(request)
        return { ...result, frontier: highest(result.frontier, request.upTo) }
      },
    })),
  },
  {
    name: 'commit of nothing',
    breaks: 'makes one commit of all partitions, and none where there is nothing to move',
    wrap: withTopics((topic) => ({
      async tier(request) {
        const result = await topic.tier(request)
        return result.rows > 0 ? result : { ...result, snapshotId: (result.snapshotId ?? 0n) + 1n }
      },
    })),
  },
  {
    name: 'frontier that only a refresh moves',
    breaks: 'moves its own frontier with the commit, never back',
    wrap: withTopics((topic) => {
      let known = topic.frontier()
      return {
        frontier: () => known,
        async refresh(options) {
          await topic.refresh(options)
          known = topic.frontier()
        },
      }
    }),
  },
  {
    name: 'frontier that goes back',
    breaks: 'moves its own frontier with the commit, never back',
    wrap: withTopics((topic) => {
      let asked: readonly bigint[] | undefined
      return {
        frontier: () => topic.frontier().map((offset, at) => ((asked?.[at] ?? offset) < offset ? asked![at]! : offset)),
        async tier(request) {
          const result = await topic.tier(request)
          if (request.upTo.some((offset) => offset > 0n)) asked = request.upTo
          return result
        },
      }
    }),
  },
  {
    name: 'commit that other processes come to see later',
    breaks: 'resolves when the next process sees the commit',
    wrap: withTopics((topic, { info, context }) => {
      let isSeen = context.access === 'read-write'
      return {
        frontier: () => (isSeen ? topic.frontier() : info.startOffsets),
        snapshotId: () => (isSeen ? topic.snapshotId() : null),
        async refresh(options) {
          await topic.refresh(options)
          isSeen = true
        },
      }
    }),
  },
  {
    name: 'calls that all get the answer of the first',
    breaks: 'commits once for calls at the same time, and resolves each when what it asked for is there',
    wrap: withTopics((topic) => {
      let running: Promise<TierResult> | undefined
      return {
        tier(request) {
          running ??= topic.tier(request).finally(() => {
            running = undefined
          })
          return running
        },
      }
    }),
  },
  {
    name: 'commit for a signal that has fired',
    breaks: 'begins no commit for a signal that has fired',
    wrap: withTopics((topic) => ({
      tier: ({ upTo, signal }) => topic.tier(signal?.aborted === false ? { upTo, signal } : { upTo }),
    })),
  },
  {
    name: 'signal that is told "not made" of a commit that is sent',
    breaks: 'tells whoever gives up what became of the commit',
    wrap: withTopics((topic) => ({
      tier(request) {
        const { signal } = request
        if (signal === undefined || signal.aborted) return topic.tier(request)
        const work = topic.tier({ upTo: request.upTo })
        return new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(aborted('ABORTED', 'It was not made.')), { once: true })
          work.then(resolve, reject)
        })
      },
    })),
  },
  {
    name: 'commit that is made again after a lost answer',
    breaks: 'settles a commit whose answer was lost by the next call: it was made, and is there once',
    wrap: withTopics((topic) => {
      let isDoubled = false
      return {
        async tier(request) {
          const before = topic.frontier()
          try {
            return await topic.tier(request)
          } catch (error) {
            if (!isUnknown(error)) throw error
            await topic.refresh()
            isDoubled = topic.frontier().some((offset, at) => offset > before[at]!)
            throw error
          }
        },
        scan: (options) => (isDoubled ? deriveScan(topic.scan(options), doubled) : topic.scan(options)),
      }
    }),
  },
  {
    name: 'lost answer that is told as a failure',
    breaks: 'says unknown of a commit that may have been made',
    wrap: withTopics((topic) => ({
      tier: (request) =>
        topic.tier(request).catch((error: unknown) => {
          throw isMoulinError(error) ? withOutcome(error, 'rejected') : error
        }),
    })),
  },
  {
    name: 'lost answer that is taken for a commit',
    breaks: 'settles a commit whose answer was lost by the next call: it was not made, and is made then',
    wrap: withTopics((topic) => {
      let taken: TierResult | undefined
      return {
        async tier(request) {
          const result = taken
          taken = undefined
          if (result !== undefined) return result
          try {
            return await topic.tier(request)
          } catch (error) {
            if (isUnknown(error)) taken = { snapshotId: topic.snapshotId(), rows: 0, frontier: request.upTo }
            throw error
          }
        },
      }
    }),
  },
  {
    name: 'frontier of a commit that was refused',
    breaks: 'stands where it was after a commit that was refused, and makes it at the next call',
    wrap: withTopics((topic) => {
      let refused: readonly bigint[] | undefined
      return {
        frontier: () => refused ?? topic.frontier(),
        async tier(request) {
          try {
            return await topic.tier(request)
          } catch (error) {
            if (isKind(error, 'unavailable') && !isUnknown(error)) refused = request.upTo
            throw error
          }
        },
      }
    }),
  },
  {
    name: 'next process that makes the last commit again',
    breaks: 'settles in the next process what the one before left unknown',
    wrap(tier) {
      let isAdopted = false
      const adopt: typeof tier.adopt = (...asked) => {
        isAdopted = true
        return tier.adopt(...asked)
      }
      return withTopics(
        (topic, { info, context }) => {
          const isNext = context.epoch > 1n && context.access === 'read-write' && info.incarnation === 1
          if (!isNext || isAdopted) return {}
          return { scan: (options) => deriveScan(topic.scan(options), doubled) }
        },
        { adopt },
      )(tier)
    },
  },
  {
    name: 'commit without its time',
    breaks: 'dates the commit that holds the frontier no earlier than it was made',
    wrap: withTopics((topic) => ({ committedAtMs: () => (topic.snapshotId() === null ? undefined : 0) })),
  },
  {
    name: 'reader that never looks again',
    breaks: 'shows after a refresh what another process has committed',
    wrap: withTopics((_, { context }) => (context.access === 'read-only' ? { async refresh() {} } : {})),
  },
]

const isUnknown = (error: unknown): boolean => isMoulinError(error) && error.outcome === 'unknown'
