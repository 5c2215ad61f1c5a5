/** Writers of one table, each with a file of one row a commit, as engines beside each other are. */
import { objectStoreCatalog } from '@moulin/catalog'
import {
  Int64Builder,
  isKind,
  isMoulinError,
  keyOf,
  listInOrder,
  sameInt64,
  systemRuntime,
  tableFiles,
} from '@moulin/core'
import type { Catalog, CreateTableRequest, Int64, LoadedTable, ObjectStore, TableIdentifier } from '@moulin/core'
import { currentSnapshot, planAppend, planScan } from '@moulin/iceberg'
import type { CommitPlan, DataFile } from '@moulin/iceberg'
import { openTable } from '@moulin/lake'
import { seededRandom } from '@moulin/testing'
import { expect } from 'vitest'
import { foreignFile } from '../../packages/lake/src/foreign.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'

const runtime = systemRuntime()
const table: TableIdentifier = { namespace: ['shop'], name: 'orders' }
const request: CreateTableRequest = {
  schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] },
}
/** Commits of one writer, at most. */
const ID_RANGE = 1_000

/** What came of a race, for tests to see that it was one. */
export interface RowRace {
  /** Attempts that were told no. */
  conflicts: number
  /** Attempts that were told nothing. */
  unknown: number
  /** Of those, how many had happened. */
  landed: number
}

interface Writer {
  readonly number: number
  readonly store: ObjectStore
  readonly catalog: Catalog
  readonly race: RowRace
  readonly backOff: (tries: number) => Promise<void>
}

/**
 * So many writers with so many commits each, every one on a `store()` and a catalog of its own. What an attempt has stored is removed when
 * it is known not to have happened, and not before. In the end, by what is read on `direct`: every row is there once, in one file, and no
 * object is there but those of the commits.
 */
export async function checkRowRace(
  store: () => ObjectStore,
  direct: ObjectStore,
  { writers, commits }: { readonly writers: number; readonly commits: number },
): Promise<RowRace> {
  await objectStoreCatalog({ store: store(), runtime }).createTable(table, request)
  const race: RowRace = { conflicts: 0, unknown: 0, landed: 0 }
  const committed = await Promise.all(
    Array.from({ length: writers }, async (_, number) => {
      const own = store()
      const random = seededRandom(number + 1)
      // Who comes back at once, with all the others, loses again; the more there are, the longer each try takes.
      const backOff = (tries: number): Promise<void> =>
        runtime.timers.sleep(random.below(Math.min(tries, 8) * writers * 40))
      const writer = { number, store: own, catalog: objectStoreCatalog({ store: own, runtime }), race, backOff }
      const names: string[] = []
      for (let n = 0; n < commits; n++) names.push(...(await appendRow(writer, n)))
      return names
    }),
  )
  const catalog = objectStoreCatalog({ store: direct, runtime, access: 'read-only' })
  const ids = Array.from({ length: writers * commits }, (_, i) => Math.floor(i / commits) * ID_RANGE + (i % commits))
  const opened = await openTable({ catalog, table: 'shop.orders', stores: direct, threads: 0 })
  const rows = (await opened.scan().toArray()) as { readonly id: bigint }[]
  expect(rows.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(ids)
  await opened.close()
  const { metadata } = await catalog.loadTable(table)
  expect(metadata['last-sequence-number']).toBe(writers * commits)
  await checkObjects(direct, new Set(committed.flat()), metadata.location)
  return race
}

/** One row, committed once: the keys of its objects. */
async function appendRow(writer: Writer, n: number): Promise<string[]> {
  const { store, catalog, race, backOff } = writer
  const id = runtime.random.uuid()
  const file = await rowFile(writer, id, writer.number * ID_RANGE + n)
  for (let attempt = 0; ; attempt++) {
    const loaded = await catalog.loadTable(table)
    const plan = await planAppend({
      table: loaded,
      tableFiles: tableFiles(store),
      files: [file],
      snapshotId: runtime.random.int63(),
      commitId: id,
      attempt,
      nowMs: runtime.clock.now(),
      // So that the metadata stays small.
      expire: { keepSnapshots: 20 },
    })
    const keys = plan.objects.map(({ location }) => keyOf(store, location))
    for (const [at, { bytes }] of plan.objects.entries()) await store.put(keys[at]!, bytes)
    if (await isCommitted(writer, loaded, plan, file)) return [...keys, keyOf(store, file.filePath)]
    const { failed } = await store.deleteMany(keys)
    expect(failed).toEqual([])
    race.conflicts++
    await backOff(attempt + 1)
  }
}

async function rowFile({ store, catalog }: Writer, id: string, row: number): Promise<DataFile> {
  const ids = new Int64Builder()
  ids.append(BigInt(row))
  const batch = { length: 1, columns: [{ name: 'id', column: ids.finish() }] }
  // All that it takes of one.
  const log = { store, catalog, runtime } as unknown as TestLog
  return await foreignFile(log, await catalog.loadTable(table), batch, id)
}

/** Sends it until somebody tells what became of it, as a commit of the tier is (`CommitAttempt`). */
async function isCommitted(writer: Writer, base: LoadedTable, plan: CommitPlan, file: DataFile): Promise<boolean> {
  const { store, catalog, race } = writer
  for (let isOpen = false; ; isOpen = true) {
    try {
      await catalog.commitTable(table, plan.commit)
      return true
    } catch (error) {
      if (!isMoulinError(error)) throw error
      if (error.outcome === 'rejected' && !isOpen) {
        if (isKind(error, 'conflict') || isKind(error, 'unavailable')) return false
        throw error
      }
      race.unknown += isOpen ? 0 : 1
    }
    const loaded = await catalog.loadTable(table)
    if (await holds(store, loaded, plan, file)) {
      race.landed++
      return true
    }
    if (!sameInt64(mainOf(loaded), mainOf(base))) return false
  }
}

/** By its snapshot, or where that is forgotten by its file. */
async function holds(store: ObjectStore, loaded: LoadedTable, plan: CommitPlan, file: DataFile): Promise<boolean> {
  const { metadata } = loaded
  const own = plan.snapshot['snapshot-id']
  if ((metadata.snapshots ?? []).some((snapshot) => sameInt64(snapshot['snapshot-id'], own))) return true
  for await (const scanned of planScan({ tableFiles: tableFiles(store), metadata }))
    if (scanned.file.filePath === file.filePath) return true
  return false
}

function mainOf({ metadata }: LoadedTable): Int64 | null {
  return currentSnapshot(metadata)?.['snapshot-id'] ?? null
}

/** What was refused has left nothing: all that is there is metadata versions, the hint, and what commits have stored. */
async function checkObjects(store: ObjectStore, committed: ReadonlySet<string>, location: string): Promise<void> {
  const keys: string[] = []
  for await (const { key } of listInOrder(store, { prefix: `${keyOf(store, location)}/` })) keys.push(key)
  const isCatalogs = (key: string): boolean => /\/metadata\/(v\d+\.metadata\.json|version-hint\.text)$/.test(key)
  expect(keys.filter((key) => !committed.has(key) && !isCatalogs(key))).toEqual([])
  expect([...committed].filter((key) => !keys.includes(key))).toEqual([])
}
