import type { WrongTier } from './wrong-tier.ts'
import { wrongAttachers } from './wrong-tiers-attach.ts'
import { wrongCommitters } from './wrong-tiers-commit.ts'
import { wrongJudges } from './wrong-tiers-judge.ts'
import { wrongReaders } from './wrong-tiers-read.ts'
import { wrongReleasers } from './wrong-tiers-release.ts'
import { wrongRepairers } from './wrong-tiers-repair.ts'

/** Cold tiers that are wrong in one way each. A suite that does not reject every one, by the check that it names alone, is itself wrong. */
export const wrongTiers: readonly WrongTier[] = [
  ...wrongAttachers,
  ...wrongCommitters,
  ...wrongReaders,
  ...wrongReleasers,
  ...wrongRepairers,
  ...wrongJudges,
]
