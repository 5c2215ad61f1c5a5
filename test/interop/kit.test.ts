/**
 * Apache's own tests of a catalog against our server: the kit's table half, over a folder and (`MOULIN_LONG=1`) over memory; and the servers
 * with a planted fault that it must refuse. docs/gateway.md says what is left out of it, and why.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryCatalog, objectStoreCatalog } from '@moulin/catalog'
import { isKind } from '@moulin/core'
import type { Catalog, ObjectStore } from '@moulin/core'
import { serveCatalog } from '@moulin/gateway'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { runKit } from './kit/kit.ts'
import type { KitResult, KitRun } from './kit/kit.ts'

const INSTALLS_MS = 900_000

/** A folder's name is its table's. Those of names with dots or slashes the kit leaves out by itself. */
const ofRename = [
  'dropAfterRenameDoesntCorruptTable',
  'renameTableNamespaceMissing',
  'testRenameTable',
  'testRenameTableDestinationTableAlreadyExists',
  'testRenameTableMissingSourceTable',
]

async function kitOver(
  catalogOf: (store: ObjectStore) => Catalog,
  which: Omit<KitRun, 'uri'> = {},
): Promise<KitResult> {
  const root = await mkdtemp(join(tmpdir(), 'moulin-kit-lake-'))
  const store = fileSystem({ root })
  const listen = '127.0.0.1:0'
  const server = await serveCatalog({ catalog: catalogOf(store), stores: store, listen, overrideLocations: true })
  try {
    return await runKit({ uri: server.url, ...which })
  } finally {
    await server.close()
    await rm(root, { recursive: true })
  }
}

const memory = (store: ObjectStore): Catalog => memoryCatalog({ store })

describe("Iceberg's REST compatibility kit", { timeout: INSTALLS_MS }, () => {
  it('passes over a folder, but for new names', async () => {
    const { passed, failed } = await kitOver((store) => objectStoreCatalog({ store }), { without: ofRename })
    expect(failed).toEqual([])
    expect(passed.length).toBeGreaterThanOrEqual(90)
  })

  it.runIf(process.env['MOULIN_LONG'] === '1')('passes over memory', async () => {
    const { passed, failed } = await kitOver(memory, { hasDots: true })
    expect(failed).toEqual([])
    expect(passed.length).toBeGreaterThanOrEqual(97)
  })

  it('refuses a server that commits whatever was required', async () => {
    const { failed } = await kitOver(
      (store) => {
        const catalog = memory(store)
        const commitTable: Catalog['commitTable'] = (table, { requirements, updates }, call) => {
          const kept = requirements.filter(({ type }) => type !== 'assert-current-schema-id')
          return catalog.commitTable(table, { requirements: kept, updates }, call)
        }
        return { ...catalog, commitTable }
      },
      { only: ['testUpdateTableSchema', 'testUpdateTableSchemaConflict'] },
    )
    expect(failed.map(({ name }) => name)).toEqual(['testUpdateTableSchemaConflict()'])
  })

  it('refuses a server that makes a table that is there', async () => {
    const { failed } = await kitOver(
      (store) => {
        const catalog = memory(store)
        const createTable: Catalog['createTable'] = (table, request, call) =>
          catalog.createTable(table, request, call).catch((error: unknown) => {
            if (!isKind(error, 'exists')) throw error
            return catalog.loadTable(table)
          })
        return { ...catalog, createTable }
      },
      { only: ['testBasicCreateTable', 'testBasicCreateTableThatAlreadyExists'] },
    )
    expect(failed.map(({ name }) => name)).toEqual(['testBasicCreateTableThatAlreadyExists()'])
  })
})
