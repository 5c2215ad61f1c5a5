import type { BatchRun, ErrorData } from '@moulin/core'
import type { EncodedFile } from './partition-writers.ts'
import type { OffsetRange, RowTally } from './row-builder.ts'
import type { TierSetup } from './tier-task.ts'

/** One task at a time: `begin`, any number of `add`, `finish`. Each is answered once, in order. */
export type WorkerRequest =
  | { readonly kind: 'begin'; readonly setup: TierSetup }
  | { readonly kind: 'add'; readonly run: BatchRun; readonly range: OffsetRange }
  | { readonly kind: 'finish' }

export type WorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'added'; readonly files: readonly EncodedFile[] }
  | {
      readonly kind: 'finished'
      readonly files: readonly EncodedFile[]
      readonly tallies: ReadonlyMap<number, RowTally>
    }
  | { readonly kind: 'failed'; readonly error: ErrorData }

/** Memory of file bytes that goes over instead of being copied: only a buffer that nothing else looks into. */
export function transferables(reply: WorkerReply): ArrayBuffer[] {
  if (!('files' in reply)) return []
  return reply.files.flatMap(({ bytes }) =>
    bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength ? [bytes.buffer] : [],
  )
}
