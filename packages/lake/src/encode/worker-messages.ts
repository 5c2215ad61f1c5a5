import type { BatchRun } from '@moulin/core'
import type { DecodeCalls } from '@moulin/format'
import type { EncodedFile } from './partition-writers.ts'
import type { OffsetRange, RowTally } from './row-builder.ts'
import type { TierSetup } from './tier-task.ts'

export interface AddRequest {
  readonly run: BatchRun
  readonly range: OffsetRange
}

export interface FinishedTask {
  readonly files: readonly EncodedFile[]
  readonly tallies: ReadonlyMap<number, RowTally>
}

/** One {@link TierTask} at a time: `begin`, any number of `add`, `finish`. */
export type EncodeCalls = {
  readonly begin: { readonly request: TierSetup; readonly reply: undefined }
  readonly add: { readonly request: AddRequest; readonly reply: readonly EncodedFile[] }
  readonly finish: { readonly request: undefined; readonly reply: FinishedTask }
}

/** What a thread of the cold tier can be asked. */
export type WorkerCalls = EncodeCalls & DecodeCalls
