import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryCatalog, objectStoreCatalog } from '@moulin/catalog'
import { isKind, systemRuntime } from '@moulin/core'
import type { Catalog, ObjectStore } from '@moulin/core'
import { fileSystem, memory } from '@moulin/storage'
import { catalogConformance, virtualRuntime } from '@moulin/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { appendOf, doneIn, racedRequest, racedTable as table, wantedOf } from './support/raced-table.ts'

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
  await open().createTable(table, racedRequest)
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(open(), writer, commits))
  const conflicts = (await Promise.all(writers)).reduce((sum, writer) => sum + writer.conflicts, 0)
  const loaded = await open().loadTable(table)
  expect(doneIn(loaded).sort()).toEqual(wantedOf(WRITERS, commits))
  expect(loaded.metadata['last-sequence-number']).toBe(WRITERS * commits)
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

const why = 'a name is a folder of a-z A-Z 0-9 _ -'

catalogConformance(
  { describe, it },
  {
    name: 'objectStoreCatalog over files',
    names: { dot: why, slash: why, blank: why, percent: why, quotes: why, url: why, unicode: why },
    async create() {
      const store = await realFolder()
      const open = async (): Promise<Catalog> => objectStoreCatalog({ store, runtime: systemRuntime() })
      return { catalog: await open(), open }
    },
  },
)
