import type { Scan } from '@moulin/core'

/** A scan of a table that is looked up at the first use. */
export function lazyScan<R>(open: () => Promise<Scan<R>>): Scan<R> {
  return {
    async *[Symbol.asyncIterator]() {
      yield* await open()
    },
    async *batches() {
      yield* (await open()).batches()
    },
    toArray: async () => (await open()).toArray(),
    count: async () => (await open()).count(),
    toArrow: async <Table>() => (await open()).toArrow<Table>(),
    async *arrowBatches<RecordBatch>() {
      yield* (await open()).arrowBatches<RecordBatch>()
    },
    toIpc: async () => (await open()).toIpc(),
  }
}
