/** Asks what damaged files of deletes delete: a lane of `test/support/fuzz-lane.ts`. */
import { defaultLimits, isMoulinError, tableFiles } from '@moulin/core'
import type { TableMetadata } from '@moulin/core'
import { bytesRangeReader, openParquet } from '@moulin/format'
import type { DataFile, DeleteFile, DeletesQuestion, RowMask } from '@moulin/iceberg'
import { memory } from '@moulin/storage'
import { noMetrics, parquetOf } from '../../packages/iceberg/src/deletes/deletes.test-support.ts'
import type { DataFiles } from '../../packages/lake/src/live/data-files.ts'
import { deleteRooms, fileDeletes } from '../../packages/lake/src/live/file-deletes.ts'
import { DATA_FILE, DATA_ROWS, dataFields, dataRows, inputOf, soundFiles } from './fuzz-corpus.ts'
import type { Sound } from './fuzz-corpus.ts'
import { fuzzCaps, runFuzzLane } from '../support/fuzz-lane.ts'

const MiB = 1024 * 1024
const limits = { ...defaultLimits, positionDeleteBytes: 16 * MiB, equalityDeleteBytes: 16 * MiB }
const metadata = {
  'current-schema-id': 0,
  schemas: [{ type: 'struct', 'schema-id': 0, fields: dataFields }],
} as unknown as TableMetadata
const data = await openParquet(bytesRangeReader(parquetOf(dataFields, dataRows), 'a.parquet'))

/** What is deleted, as runs of rows. */
async function deletedBy(bytes: Uint8Array, of: Sound, blob: Sound['blob']): Promise<string> {
  const store = memory({ name: 'lake' })
  const name = of.content === 'vector' ? 'd.puffin' : 'd.parquet'
  await store.put(`data/${name}`, bytes)
  const files: DataFiles = {
    async open({ filePath, recordCount }) {
      const file = await openParquet(bytesRangeReader(bytes, filePath), { caps: fuzzCaps })
      if (BigInt(file.rowCount) === recordCount) return file
      throw Object.assign(new Error('rows'), { isRowCount: true })
    },
  }
  const deletesOf = fileDeletes({ tableFiles: tableFiles(store), files, rooms: deleteRooms(limits), limits })
  const deletes = {
    content: of.content,
    // Nothing is stated: it must be read.
    ...noMetrics,
    filePath: `memory://lake/data/${name}`,
    fileSizeBytes: BigInt(bytes.length),
    recordCount: BigInt(of.rows),
    sequenceNumber: 2n,
    equalityIds: of.equalityIds,
    referencedDataFile: of.content === 'vector' ? DATA_FILE : undefined,
    blob: blob && { offset: BigInt(blob.offset), sizeBytes: BigInt(blob.sizeBytes) },
  } as unknown as DeleteFile
  const recordCount = of.content === 'equality' ? BigInt(dataRows.length) : DATA_ROWS
  const file = { ...noMetrics, filePath: DATA_FILE, partition: [], recordCount } as unknown as DataFile
  const spec = { specId: 0, fields: [] }
  const listed = { file, spec, sequenceNumber: 1n, deletes: [deletes] } as unknown as DeletesQuestion['listed']
  return textOf(await deletesOf({ metadata, listed, whole: () => Promise.resolve(data) }, {}), Number(recordCount))
}

function textOf(mask: RowMask | undefined, rows: number): string {
  if (mask === undefined) return 'none'
  // What is said in parts is what is said at once.
  let counted = 0
  let hash = 0
  for (let start = 0; start < rows; start += 50_000) {
    const end = Math.min(rows, start + 50_000)
    const left = mask.leftIn(start, end)
    const count = mask.countIn(start, end)
    if (count !== end - start - (left?.length ?? end - start)) throw new Error('counts do not agree')
    counted += count
    for (const row of left ?? []) hash = (Math.imul(hash, 31) + row) | 0
  }
  if (counted !== mask.size) throw new Error('the size is not the sum')
  return `${mask.size} ${hash}`
}

function refusal(error: unknown): string | undefined {
  if ((error as { isRowCount?: boolean }).isRowCount === true) return 'corrupt FILE_ROWS'
  if (!isMoulinError(error) || error.kind === 'internal' || error.kind === 'invalid') return undefined
  return `${error.kind} ${error.code}`
}

await runFuzzLane(async (_folder, seed) => {
  const sound = soundFiles()
  const rightly = new Map<string, string>()
  for (const of of sound) {
    // Twice: the first one warms up.
    for (let again = 0; again < 2; again++) rightly.set(of.name, await deletedBy(of.bytes, of, of.blob))
  }
  return {
    inputOf: (index) => {
      const input = inputOf(sound, seed, index)
      return { ...input, file: input.of.name }
    },
    understand: ({ bytes, of, blob }) => deletedBy(bytes, of, blob),
    refusal,
    lie: ({ file }, result) =>
      result === rightly.get(file) ? undefined : `deleted ${result} in place of ${rightly.get(file)}`,
  }
})
