import type { BatchObserver, OutgoingBatch } from '../produce/producer-batch.ts'
import type { BuiltBatch } from './feed-run.ts'

/** A batch that a thread has built, on its way out. */
export function feedBatch(built: BuiltBatch, observer: BatchObserver): OutgoingBatch {
  const { partition, recordCount, bytes, batches, firstMs } = built
  return {
    partition,
    recordCount,
    bytes,
    isOfThisThread: false,
    finish: () => batches,
    settle(_, lastOffset, nowMs) {
      observer.acked({ records: recordCount, partition, lastOffset, ms: nowMs - firstMs })
      built.durable()
    },
    fail: (error) => observer.failed(error),
  }
}
