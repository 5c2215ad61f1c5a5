import { heeding, throwIfAborted, waitFor } from '@moulin/core'
import type { CallOptions, Field, Scan } from '@moulin/core'
import { arrowOutput } from './arrow/arrow-batches.ts'
import type { ArrowOutput } from './arrow/arrow-batches.ts'
import { loadArrow } from './arrow/arrow-package.ts'
import { objectReader, valueReader } from './column-values.ts'
import type { PassingRows } from './passing-rows.ts'

export interface ScanOutputParts {
  /** What is shown, in order. A batch that lacks one has null in it. */
  readonly columns: readonly Field[]
  /** Begins to scan: a scan of its own at each call. */
  readonly passing: () => AsyncIterable<PassingRows>
  readonly count: () => Promise<number>
  readonly call: CallOptions
}

export type Row = Record<string, unknown>

/** Rows that pass, in all the forms that a scan has. The signal ends each of them at once, whatever it waits for. */
export function scanOutput({ columns, passing: begin, count, call }: ScanOutputParts): Scan<Row> {
  const passing = (): AsyncIterable<PassingRows> => heeding(begin(), call.signal)
  async function* batches(): AsyncGenerator<Row[]> {
    for await (const { batch, rows } of passing()) {
      const readers = columns.map(({ name, type }) => {
        const column = batch.columns.find((entry) => entry.name === name)?.column
        return [name, column === undefined ? () => null : valueReader(type, column)] as const
      })
      const objectOf = objectReader(readers)
      yield Array.from({ length: rows?.length ?? batch.length }, (_, at) =>
        objectOf(rows === undefined ? at : rows[at]!),
      )
    }
  }
  async function* rows(): AsyncGenerator<Row> {
    for await (const batch of batches()) {
      for (const row of batch) {
        throwIfAborted(call.signal)
        yield row
      }
    }
  }
  const arrow = async (): Promise<ArrowOutput> => arrowOutput(await loadArrow(), columns)

  return {
    [Symbol.asyncIterator]: rows,
    batches,
    async toArray() {
      const found: Row[] = []
      for await (const batch of batches()) for (const row of batch) found.push(row)
      return found
    },
    count: () => waitFor(count(), call.signal),
    // Whose `Table` and `RecordBatch` they are is the caller's word: core does not know the package.
    toArrow: async <Table>() => (await (await arrow()).table(passing())) as Table,
    async *arrowBatches<RecordBatch>() {
      yield* (await arrow()).batches(passing()) as AsyncIterable<unknown> as AsyncIterable<RecordBatch>
    },
    toIpc: async () => (await arrow()).ipc(passing()),
  }
}
