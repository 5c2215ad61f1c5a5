import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryCatalog, objectStoreCatalog } from '@moulin/catalog'
import { isKind, systemRuntime } from '@moulin/core'
import type { Catalog, LoadedTable, ObjectStore, TableCommit, TableIdentifier } from '@moulin/core'
import { currentSnapshot, toInt64 } from '@moulin/iceberg'
import { fileSystem, memory } from '@moulin/storage'
import { catalogConformance, virtualRuntime } from '@moulin/testing'
import { afterEach, describe, expect, it } from 'vitest'

const table: TableIdentifier = { namespace: ['shop'], name: 'orders' }
const WRITERS = 8
const COMMITS = 50
// Each attempt on a real disk waits for it several times.
const COMMITS_ON_DISK = process.env['MOULIN_LONG'] === '1' ? COMMITS : 20

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function realFolder(): Promise<ObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), 'moulin-races-'))
  folders.push(folder)
  return fileSystem({ root: folder })
}

/**
 * A snapshot on top of the one that was loaded, and one more entry in a property that every commit reads and writes, as
 * a marker is. The snapshot before the last is forgotten, so that the metadata stays small.
 */
function appendOf(writer: number, number: number, { metadata }: LoadedTable): TableCommit {
  const snapshotId = toInt64(2n ** 60n + BigInt(writer * 1_000 + number))
  const current = currentSnapshot(metadata)
  const parent = current?.['snapshot-id']
  const grandparent = current?.['parent-snapshot-id']
  const snapshot = {
    'snapshot-id': snapshotId,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': Number(metadata['last-sequence-number']) + 1,
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': `${metadata.location}/metadata/snap-${snapshotId}.avro`,
    summary: { operation: 'append' },
  }
  const done = `${metadata.properties?.['done'] ?? ''}${writer}/${number} `
  return {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent ?? null }],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId },
      { action: 'set-properties', updates: { done } },
      ...(grandparent === undefined ? [] : [{ action: 'remove-snapshots' as const, 'snapshot-ids': [grandparent] }]),
    ],
  }
}

/** Each writer has a catalog of its own, as a process would. */
async function write(catalog: Catalog, writer: number, count: number): Promise<{ conflicts: number }> {
  let conflicts = 0
  for (let number = 0; number < count;) {
    try {
      await catalog.commitTable(table, appendOf(writer, number, await catalog.loadTable(table)))
      number++
    } catch (error) {
      if (!isKind(error, 'conflict', 'REQUIREMENT_FAILED') || error.outcome !== 'rejected') throw error
      conflicts++
    }
  }
  return { conflicts }
}

async function raceIn(open: () => Catalog, commits: number = COMMITS): Promise<void> {
  await open().createTable(table, {
    schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] },
  })
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(open(), writer, commits))
  const conflicts = (await Promise.all(writers)).reduce((sum, writer) => sum + writer.conflicts, 0)
  const { metadata } = await open().loadTable(table)
  const done = metadata.properties!['done']!.trim().split(' ')
  const wanted = Array.from({ length: WRITERS * commits }, (_, i) => `${Math.floor(i / commits)}/${i % commits}`)
  expect(done.sort()).toEqual(wanted.sort())
  expect(metadata['last-sequence-number']).toBe(WRITERS * commits)
  // A race in which nobody ever lost would prove nothing.
  expect(conflicts).toBeGreaterThan(0)
}

describe('eight writers with fifty commits each', { timeout: 120_000 }, () => {
  it('each commit once, in memory', async () => {
    const [store, runtime] = [memory(), systemRuntime()]
    const catalog = memoryCatalog({ store, runtime })
    await raceIn(() => catalog)
  })

  it('each commit once, by objects in memory', async () => {
    const store = memory()
    await raceIn(() => objectStoreCatalog({ store, runtime: systemRuntime() }))
  })

  it('each commit once, by files of a simulated disk', async () => {
    const store = fileSystem({ root: '/srv/lake', runtime: virtualRuntime({ seed: 1 }) })
    await raceIn(() => objectStoreCatalog({ store, runtime: systemRuntime() }))
  })

  it('each commit once, by files of a folder, and the hint names the last', async () => {
    const store = await realFolder()
    await raceIn(() => objectStoreCatalog({ store, runtime: systemRuntime() }), COMMITS_ON_DISK)
    const last = WRITERS * COMMITS_ON_DISK + 1
    const metadata = join(folders[0]!, 'tables/shop/orders/metadata')
    expect(await readFile(join(metadata, 'version-hint.text'), 'utf8')).toBe(String(last))
    const versions = (await readdir(metadata)).filter((name) => name.endsWith('.metadata.json'))
    expect(versions).toContain(`v${last}.metadata.json`)
    expect(versions.length).toBeLessThan(120)
  })
})

catalogConformance(
  { describe, it },
  {
    name: 'objectStoreCatalog over files',
    async create() {
      const store = await realFolder()
      const open = async (): Promise<Catalog> => objectStoreCatalog({ store, runtime: systemRuntime() })
      return { catalog: await open(), open }
    },
  },
)
