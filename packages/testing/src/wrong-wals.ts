import type { WrongWal } from './wrong-wal.ts'
import { wrongAppends } from './wrong-wals-append.ts'
import { wrongFailures } from './wrong-wals-failure.ts'
import { wrongFences } from './wrong-wals-fence.ts'
import { wrongReaders } from './wrong-wals-reader.ts'
import { wrongRecoveries } from './wrong-wals-recovery.ts'
import { wrongReleases } from './wrong-wals-release.ts'

/**
 * Wals that are wrong in one way each. A suite that does not reject every one, in the check that it names and in no other, is
 * itself wrong.
 */
export const wrongWals: readonly WrongWal[] = [
  ...wrongAppends,
  ...wrongRecoveries,
  ...wrongFences,
  ...wrongReleases,
  ...wrongFailures,
  ...wrongReaders,
]
