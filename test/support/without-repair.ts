import type { ColdTier } from '@moulin/core'

/** Whoever has no way to put files back leaves the two calls out. */
export const withoutRepair = (tier: ColdTier): ColdTier => ({
  ...tier,
  async attach(info, context) {
    const { repair: _, repairDueMs: __, ...topic } = await tier.attach(info, context)
    return topic
  },
})
