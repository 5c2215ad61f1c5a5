/**
 * Reads damaged files: a lane of `test/support/fuzz-lane.ts`. Its folder holds NAME.parquet with NAME.json, the Iceberg fields of the
 * file.
 */
import { type IcebergField, isMoulinError } from '@moulin/core'
import { bytesRangeReader, openParquet } from '@moulin/format'
import { leaves } from './cases.ts'
import { Dice } from './dice.ts'
import { type CorpusFile, inputOf, readCorpus } from './fuzz-corpus.ts'
import { difference, fromColumn, type Plain } from './plain.ts'
import { mappingOf } from './readers.ts'
import { fuzzCaps, runFuzzLane } from '../support/fuzz-lane.ts'

interface Original extends CorpusFile {
  readonly table: readonly Plain[][]
}

/** All that a reader can be asked for. @returns what the whole file holds. */
async function readAll(bytes: Uint8Array, fields: readonly IcebergField[], dice: Dice): Promise<Plain[][]> {
  const file = await openParquet(bytesRangeReader(bytes, 'fuzz.parquet'), {
    caps: fuzzCaps,
    nameMapping: mappingOf(fields),
  })
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

const refusal = (error: unknown): string | undefined =>
  isMoulinError(error) && error.kind !== 'internal' ? `${error.kind} ${error.code}` : undefined

await runFuzzLane(async (folder, seed) => {
  const originals = new Map<string, Original>()
  for (const each of readCorpus(folder)) {
    // Twice: the first read warms up.
    await readAll(each.bytes, each.fields, new Dice(seed))
    originals.set(each.name, { ...each, table: await readAll(each.bytes, each.fields, new Dice(seed)) })
  }
  const seeds = [...originals.values()]
  return {
    inputOf: (index) => {
      const { seed: chosen, mutant } = inputOf(seeds, seed, index)
      return { ...mutant, file: chosen.name }
    },
    understand: ({ bytes, file }, index) => readAll(bytes, originals.get(file)!.fields, new Dice(index)),
    refusal,
    lie: ({ file }, result) => {
      const { fields, table } = originals.get(file)!
      const found = difference(fields, table, result)
      return found && `gave a wrong value: ${found}`
    },
  }
})
