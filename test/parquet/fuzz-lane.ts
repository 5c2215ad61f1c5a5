/**
 * Reads damaged files, one after the other, in a process of its own: what it may not do is hang, crash or take memory,
 * and a parent that watches can tell. Where it is, it writes into `position`; what it found, to its standard output.
 *
 *     node --expose-gc --conditions=moulin-source fuzz-lane.ts FOLDER SEED FROM COUNT
 *
 * FOLDER holds NAME.parquet with NAME.json, the Iceberg fields of the file.
 */
import { openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type FileCaps, type IcebergField, isMoulinError } from '@moulin/core'
import { bytesRangeReader, openParquet } from '@moulin/format'
import { leaves } from './cases.ts'
import { Dice } from './dice.ts'
import { type CorpusFile, inputOf, readCorpus } from './fuzz-corpus.ts'
import { difference, fromColumn, type Plain } from './plain.ts'
import { mappingOf } from './readers.ts'

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

interface Original extends CorpusFile {
  readonly table: readonly Plain[][]
}

export interface Flaw {
  readonly index: number
  readonly file: string
  readonly how: string
  readonly what: string
}

export interface LaneReport {
  readonly inputs: number
  readonly values: number
  readonly errors: Readonly<Record<string, number>>
  /** Inputs whose values had to be right or refused, and were refused. */
  readonly refused: number
  readonly slowestMillis: number
  readonly slowest: string
  readonly flaws: readonly Flaw[]
}

/** All that a reader can be asked for. @returns what the whole file holds. */
async function readAll(bytes: Uint8Array, fields: readonly IcebergField[], dice: Dice): Promise<Plain[][]> {
  const file = await openParquet(bytesRangeReader(bytes, 'fuzz.parquet'), { caps, nameMapping: mappingOf(fields) })
  const table: Plain[][] = fields.map(() => [])
  const ids = leaves({ type: 'struct', fields })
  for (const [rowGroup, { rowCount, bounds }] of file.rowGroups.entries()) {
    const batch = await file.read({ rowGroup, types: fields })
    for (const [index, { type }] of fields.entries())
      for (const value of fromColumn(type, batch.columns[index]!.column)) table[index]!.push(value)
    for (const { id, type } of ids) {
      bounds(id, type)
      await file.pageBounds({ rowGroup, fieldId: id, type })
    }
    for (const field of fields) {
      await file.dictionary({ rowGroup, field })
      if (field.type === 'string') {
        const value = Buffer.from('n0')
        await file.mightContain({ rowGroup, fieldId: field.id, value })
      }
    }
    const start = dice.below(rowCount + 1)
    await file.read({ rowGroup, types: fields, rows: { start, end: dice.between(start, rowCount) } })
  }
  return table
}

/** Ends in what the file holds, or in the error's kind and code. @throws what is no error of ours. */
async function outcome(bytes: Uint8Array, original: Original, dice: Dice): Promise<Plain[][] | string> {
  try {
    return await readAll(bytes, original.fields, dice)
  } catch (error) {
    if (!isMoulinError(error) || error.kind === 'internal') throw error
    return `${error.kind} ${error.code}`
  }
}

async function main(folder: string, seed: number, from: number, count: number): Promise<void> {
  const originals: Original[] = []
  for (const each of readCorpus(folder)) {
    // Twice: the first read warms up.
    const bare = { ...each, table: [] }
    await readAll(each.bytes, each.fields, new Dice(seed))
    const table = await outcome(each.bytes, bare, new Dice(seed))
    if (typeof table === 'string') throw new Error(`The sound file ${each.name} is refused: ${table}`)
    originals.push({ ...each, table })
  }
  const position = openSync(join(folder, `position-${from}`), 'w')
  const errors: Record<string, number> = {}
  const flaws: Flaw[] = []
  let [values, refused, slowestMillis, slowest] = [0, 0, 0, '']
  globalThis.gc?.()
  let peak = process.resourceUsage().maxRSS * KiB
  for (let index = from; index < from + count && flaws.length < 20; index++) {
    writeSync(position, String(index).padEnd(12), 0)
    const { seed: chosen, mutant: input } = inputOf(originals, seed, index)
    const original = originals.find(({ name }) => name === chosen.name)!
    const flaw = (what: string): void => {
      flaws.push({ index, file: original.name, how: input.how, what })
      writeFileSync(join(folder, `flaw-${seed}-${index}.bin`), input.bytes)
    }
    const before = process.memoryUsage()
    const attempt = async (): Promise<{ result: Plain[][] | string; millis: number }> => {
      const began = performance.now()
      const cpu = process.cpuUsage()
      const result = await outcome(input.bytes, original, new Dice(index))
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
      if (millis > slowestMillis) {
        slowestMillis = millis
        slowest = `input ${index}: ${original.name}, ${input.how}`
      }
      if (typeof result === 'string') {
        errors[result] = (errors[result] ?? 0) + 1
        if (input.mustNotLie) refused++
      } else {
        values++
        const lie = input.mustNotLie ? difference(original.fields, original.table, result) : undefined
        if (lie !== undefined) flaw(`gave a wrong value: ${lie}`)
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
  const report: LaneReport = {
    inputs: count,
    values,
    errors,
    refused,
    slowestMillis: Math.round(slowestMillis),
    slowest,
    flaws,
  }
  console.log(JSON.stringify(report))
}

const [folder, seed, from, count] = process.argv.slice(2)
await main(folder!, Number(seed), Number(from), Number(count))
