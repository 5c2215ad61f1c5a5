import type { ColdTier, TableVerdict } from '@moulin/core'
import type { WrongTier } from './wrong-tier.ts'

type Judge = NonNullable<ColdTier['judge']>

/** A tier that says something else of a history. */
const judging =
  (change: (verdict: TableVerdict, ...asked: Parameters<Judge>) => Partial<TableVerdict>) =>
  (tier: ColdTier): ColdTier => ({
    ...tier,
    async judge(...asked) {
      const verdict = await tier.judge!(...asked)
      return { ...verdict, ...change(verdict, ...asked) }
    },
  })

/** Tiers that judge wrongly. */
export const wrongJudges: readonly WrongTier[] = [
  {
    name: 'verdict without the snapshot that it is about',
    breaks: 'judges a history that is fine as intact, without anything in doubt or to be adopted',
    wrap: judging(() => ({ snapshotId: null })),
  },
  {
    name: 'verdict on a broken history that has nothing in doubt',
    breaks: 'judges a history broken that was rolled back, with what is in doubt, and leaves it so',
    wrap: judging(({ adoption, fault }) => (adoption === null && fault !== 'missing-files' ? { inDoubt: [] } : {})),
  },
  {
    name: 'plan that is what was there',
    breaks: 'plans just what an adoption does then, and does none of it',
    wrap: judging(({ adoption }, { startOffsets }) =>
      adoption === null ? {} : { adoption: { ...adoption, frontier: startOffsets } },
    ),
  },
  {
    name: 'plan that is carried out at once',
    breaks: 'plans just what an adoption does then, and does none of it',
    wrap: (tier) => ({
      ...tier,
      async judge(info, context, options) {
        const verdict = await tier.judge!(info, context, options)
        if (options?.plan === true && verdict.verdict === 'broken')
          await tier.adopt(info, { ...context, access: 'read-write' }, { how: 'by-hand' })
        return verdict
      },
    }),
  },
  {
    name: 'verdict for a reader that never compares the log with its history',
    breaks: 'judges a log that is older than its history, also one that only reads, by what it lacks',
    wrap: judging(({ ahead }, _, { access }) =>
      ahead.length > 0 && access === 'read-only' ? { verdict: 'intact', fault: null, ahead: [] } : {},
    ),
  },
  {
    name: 'verdict on the history alone, whatever is missing of it',
    breaks: 'names in a verdict what is lost with a missing file, and calls whole what the log still has',
    wrap: judging(({ fault }) => (fault === 'missing-files' ? { verdict: 'intact', fault: null, inDoubt: [] } : {})),
  },
  {
    name: 'verdict that calls lost what the log still has',
    breaks: 'names in a verdict what is lost with a missing file, and calls whole what the log still has',
    wrap: judging(({ files }) =>
      files !== null && files.missingCount > 0
        ? { verdict: 'broken', fault: 'missing-files', inDoubt: files.held }
        : {},
    ),
  },
]
