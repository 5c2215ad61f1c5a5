/** What is left of a table beside files of deletes, under some limits. */
import { objectStoreCatalog } from '@moulin/catalog'
import { isMoulinError, tableFiles, tableIdentifier } from '@moulin/core'
import type { IcebergField, Limits, ObjectStore, Topic } from '@moulin/core'
import { currentSchema, planScan } from '@moulin/iceberg'
import { hookedStore } from '@moulin/testing'
import { expect } from 'vitest'
import { commitDeletes } from '../deletes/foreign-deletes.ts'
import type { NewDeletes } from '../deletes/foreign-deletes.ts'
import { machine } from '../log/machine.ts'
import { openLake } from './lake-trial.ts'

/** What files of deletes may be about. */
export interface DeletesOfTrial {
  readonly paths: readonly string[]
  readonly offset: IcebergField
}

/** How many rows of ten, in two data files, are left beside that file of deletes; or why nobody knows. Two scans of one log. */
export async function countOf(
  limits: Partial<Limits>,
  of: (folder: string, trial: DeletesOfTrial) => NewDeletes,
  store: ObjectStore = hookedStore(),
): Promise<number | string> {
  const on = machine()
  const log = await openLake(on, limits, { store })
  const topic = (await log.ensureTopic('t', { partitionBy: [] })) as Topic<Uint8Array>
  const catalog = objectStoreCatalog({ store, runtime: on.runtime() })
  try {
    for (let commit = 0; commit < 2; commit++) {
      const producer = topic.producer({ lingerMs: 60_000 })
      const acks = Array.from({ length: 5 }, () => producer.send({ value: new Uint8Array(1) }))
      await Promise.all([...acks, producer.close()])
      await topic.tier()
    }
    await log.releaseNow()
    const { metadata } = await catalog.loadTable(tableIdentifier('default.t'))
    const offset = currentSchema(metadata).fields.find(({ name }) => name === '_kafka_offset')!
    const paths: string[] = []
    for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata })) paths.push(file.filePath)
    await commitDeletes({ store, catalog, table: 'default.t' }, 'd', (folder) => [of(folder, { paths, offset })])
    const seen = new Set<number>()
    for (let tries = 0; tries < 2; tries++) seen.add((await topic.scan().toArray()).length)
    expect(seen.size).toBe(1)
    return [...seen][0]!
  } catch (error) {
    if (isMoulinError(error)) return error.code
    throw error
  } finally {
    await log.close()
  }
}
