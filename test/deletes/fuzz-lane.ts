/**
 * Asks what damaged files of deletes delete, one after the other, in a process of its own, as `test/parquet/fuzz-lane.ts` does.
 *
 *     node --expose-gc --conditions=moulin-source fuzz-lane.ts FOLDER SEED FROM COUNT
 */
import { openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { defaultLimits, isMoulinError, tableFiles } from '@moulin/core'
import type { FileCaps, TableMetadata } from '@moulin/core'
import { bytesRangeReader, openParquet } from '@moulin/format'
import type { DataFile, DeleteFile, DeletesQuestion, RowMask } from '@moulin/iceberg'
import { memory } from '@moulin/storage'
import { noMetrics, parquetOf } from '../../packages/iceberg/src/deletes/deletes.test-support.ts'
import type { DataFiles } from '../../packages/lake/src/live/data-files.ts'
import { deleteRooms, fileDeletes } from '../../packages/lake/src/live/file-deletes.ts'
import { DATA_FILE, DATA_ROWS, dataFields, dataRows, inputOf, soundFiles } from './fuzz-corpus.ts'
import type { Input, Sound } from './fuzz-corpus.ts'

const KiB = 1024
const MiB = 1024 * KiB
const maxMillis = 250
const maxBytes = 64 * MiB

/** Sized for inputs of some ten kilobytes. */
const caps: Partial<FileCaps> = {
  maxParquetFooterBytes: MiB,
  maxParquetColumns: 1000,
  maxParquetRowGroups: 1000,
  maxParquetRowGroupRows: 20_000,
  maxParquetPageBytes: 2 * MiB,
}
const limits = { ...defaultLimits, positionDeleteBytes: 16 * MiB, equalityDeleteBytes: 16 * MiB }
const metadata = {
  schemas: [{ type: 'struct', 'schema-id': 0, fields: dataFields }],
} as unknown as TableMetadata
const data = await openParquet(bytesRangeReader(parquetOf(dataFields, dataRows), 'a.parquet'))

export interface Flaw {
  readonly index: number
  readonly file: string
  readonly how: string
  readonly what: string
}

export interface DeletesReport {
  readonly masks: number
  readonly errors: Readonly<Record<string, number>>
  /** Inputs that had to be what they were or refused, and were refused. */
  readonly refused: number
  readonly slowestMillis: number
  readonly flaws: readonly Flaw[]
}

/** What is deleted, as runs of rows. */
async function deletedBy(bytes: Uint8Array, of: Sound, blob: Sound['blob']): Promise<string> {
  const store = memory({ name: 'lake' })
  const name = of.content === 'vector' ? 'd.puffin' : 'd.parquet'
  await store.put(`data/${name}`, bytes)
  const files: DataFiles = {
    async open({ filePath, recordCount }) {
      const file = await openParquet(bytesRangeReader(bytes, filePath), { caps })
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
  const file = { ...noMetrics, filePath: DATA_FILE, recordCount } as unknown as DataFile
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

/** Ends in what is deleted, or in the error's kind and code. @throws what is no error of ours. */
async function outcome({ of, bytes, blob }: Pick<Input, 'of' | 'bytes' | 'blob'>): Promise<string> {
  try {
    return await deletedBy(bytes, of, blob)
  } catch (error) {
    if ((error as { isRowCount?: boolean }).isRowCount === true) return 'corrupt FILE_ROWS'
    if (!isMoulinError(error) || error.kind === 'internal' || error.kind === 'invalid') throw error
    return `${error.kind} ${error.code}`
  }
}

const isRefusal = (text: string): boolean => /^[a-z]+(-[a-z]+)? [A-Z]/.test(text)

async function main(folder: string, seed: number, from: number, count: number): Promise<void> {
  const sound = soundFiles()
  const rightly = new Map<string, string>()
  for (const of of sound) {
    // Twice: the first one warms up.
    for (let again = 0; again < 2; again++) rightly.set(of.name, await outcome({ ...of, of }))
    if (isRefusal(rightly.get(of.name)!)) throw new Error(`The sound ${of.name} is refused: ${rightly.get(of.name)}`)
  }
  const position = openSync(join(folder, `position-${from}`), 'w')
  const errors: Record<string, number> = {}
  const flaws: Flaw[] = []
  let [masks, refused, slowestMillis] = [0, 0, 0]
  globalThis.gc?.()
  let peak = process.resourceUsage().maxRSS * KiB
  for (let index = from; index < from + count && flaws.length < 20; index++) {
    writeSync(position, String(index).padEnd(12), 0)
    const input = inputOf(sound, seed, index)
    const flaw = (what: string): void => {
      flaws.push({ index, file: input.of.name, how: input.how, what })
      writeFileSync(join(folder, `flaw-${seed}-${index}.bin`), input.bytes)
    }
    const before = process.memoryUsage()
    const attempt = async (): Promise<{ result: string; millis: number }> => {
      const began = performance.now()
      const cpu = process.cpuUsage()
      const result = await outcome(input)
      const { user, system } = process.cpuUsage(cpu)
      // Other processes may have had the core meanwhile, and other threads of this one theirs.
      return { result, millis: Math.min(performance.now() - began, (user + system) / 1000) }
    }
    try {
      const { result, millis: first } = await attempt()
      let millis = first
      // It may have been a collection.
      for (let again = 0; again < 2 && millis > maxMillis; again++) millis = Math.min(millis, (await attempt()).millis)
      if (millis > maxMillis) flaw(`took ${Math.round(millis)} ms`)
      slowestMillis = Math.max(slowestMillis, Math.round(millis))
      if (isRefusal(result)) {
        errors[result] = (errors[result] ?? 0) + 1
        if (input.mustNotLie) refused++
      } else {
        masks++
        if (input.mustNotLie && result !== rightly.get(input.of.name))
          flaw(`deleted ${result} in place of ${rightly.get(input.of.name)}`)
      }
    } catch (error) {
      flaw(`threw ${(error as Error).stack ?? String(error)}`)
    }
    const after = process.memoryUsage()
    const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
    const top = process.resourceUsage().maxRSS * KiB
    if (grown > maxBytes) flaw(`took ${Math.round(grown / MiB)} MiB of memory`)
    else if (top - peak > maxBytes) flaw(`raised the peak by ${Math.round((top - peak) / MiB)} MiB`)
    peak = Math.max(peak, top)
    if (index % 16 === 0) globalThis.gc?.()
  }
  const report: DeletesReport = { masks, errors, refused, slowestMillis, flaws }
  console.log(JSON.stringify(report))
}

const [folder, seed, from, count] = process.argv.slice(2)
await main(folder!, Number(seed), Number(from), Number(count))
