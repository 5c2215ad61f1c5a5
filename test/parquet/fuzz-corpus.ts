import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IcebergField } from '@moulin/core'
import { Dice } from './dice.ts'
import { mapFile } from './file-map.ts'
import { mutant, type Seed } from './mutations.ts'

/** A sound file to damage. */
export interface CorpusFile extends Seed {
  readonly fields: readonly IcebergField[]
}

export function storeCorpusFile(
  folder: string,
  name: string,
  bytes: Uint8Array,
  fields: readonly IcebergField[],
): void {
  writeFileSync(join(folder, `${name}.parquet`), bytes)
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(fields))
}

export function readCorpus(folder: string): CorpusFile[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.parquet'))
  return names.toSorted().map((file) => {
    const name = file.slice(0, -'.parquet'.length)
    const bytes = new Uint8Array(readFileSync(join(folder, file)))
    const fields = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as IcebergField[]
    return { name, bytes, map: mapFile(bytes), fields }
  })
}

/** Input `index` of the run with that seed: the same for the same corpus. */
export function inputOf(corpus: readonly Seed[], seed: number, index: number): ReturnType<typeof mutant> {
  return mutant(corpus, new Dice(Math.imul(seed, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)))
}
