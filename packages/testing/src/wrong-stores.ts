import type { WrongStore } from './wrong-store.ts'
import { wrongAttempts } from './wrong-stores-attempts.ts'
import { wrongClaims } from './wrong-stores-claims.ts'
import { wrongListers } from './wrong-stores-list.ts'
import { wrongMany } from './wrong-stores-many.ts'
import { wrongReaders } from './wrong-stores-read.ts'
import { wrongStreams } from './wrong-stores-stream.ts'
import { wrongWriters } from './wrong-stores-write.ts'

/**
 * Stores that are wrong in one way each. A suite that does not reject every one, in the check that it names, is itself
 * wrong; so is a probe that lets a dangerous one pass.
 */
export const wrongStores: readonly WrongStore[] = [
  ...wrongWriters,
  ...wrongReaders,
  ...wrongListers,
  ...[...wrongMany, ...wrongStreams, ...wrongClaims, ...wrongAttempts].map((wrong) => ({
    ...wrong,
    alone: true as const,
  })),
]
