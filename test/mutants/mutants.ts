import { catalogMutants } from './catalog.ts'
import { restCatalogMutants } from './catalog-rest.ts'
import { coreMutants } from './core.ts'
import { formatMutants } from './format.ts'
import { gatewayMutants } from './gateway.ts'
import { icebergMutants } from './iceberg.ts'
import { lakeMutants } from './lake.ts'
import { lakeAdoptMutants } from './lake-adopt.ts'
import { lakeCommitMutants } from './lake-commit.ts'
import { lakeLiveMutants } from './lake-live.ts'
import { lakeReplayMutants } from './lake-replay.ts'
import { lakeTableMutants } from './lake-table.ts'
import { logMutants } from './log.ts'
import { logFeedMutants } from './log-feed.ts'
import { logWalMutants } from './log-wal.ts'
import { moulinMutants } from './moulin.ts'
import { storageMutants } from './storage.ts'
import { storageAzureMutants } from './storage-azure.ts'
import { storageGcsMutants } from './storage-gcs.ts'
import { storageS3Mutants } from './storage-s3.ts'
import { testingMutants } from './testing.ts'

/** A planted bug: a small change of one source file, and the tests that must notice it. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands exactly once in the file. */
  readonly original: string
  readonly planted: string
  readonly caughtBy: readonly string[]
}

export const mutants: readonly Mutant[] = [
  ...catalogMutants,
  ...restCatalogMutants,
  ...coreMutants,
  ...formatMutants,
  ...gatewayMutants,
  ...icebergMutants,
  ...lakeMutants,
  ...lakeAdoptMutants,
  ...lakeCommitMutants,
  ...lakeLiveMutants,
  ...lakeReplayMutants,
  ...lakeTableMutants,
  ...logMutants,
  ...logFeedMutants,
  ...logWalMutants,
  ...moulinMutants,
  ...storageMutants,
  ...storageAzureMutants,
  ...storageGcsMutants,
  ...storageS3Mutants,
  ...testingMutants,
]
