/** What is live by a name of another scheme, while nobody says that both schemes are one place. */
import { keyOf, tableFiles } from '@moulin/core'
import type { ObjectStore, TableFiles, TableMetadata } from '@moulin/core'
import { planAppend, planScan } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { isReachable } from '../commit/reachable.ts'
import { putStaged } from '../commit/staged-commit.ts'
import { tableOf } from '../foreign.test-support.ts'
import { testLog, utf8 } from '../lake.test-support.ts'
import { mayMean } from '../table/may-mean.ts'
import { folderOf } from '../table/table-objects.ts'
import { deadFiles } from './dead-files.ts'
import type { DeadFiles } from './dead-files.ts'
import { afterTwoHours, keysBelow, tableAfter, untilForgotten } from './forgotten.test-support.ts'
import { ManifestLists } from './manifest-lists.ts'

/** A table whose only snapshot names the files of a forgotten one as they are called elsewhere. */
async function renamed(rename: (location: string) => string): Promise<{
  store: ObjectStore
  names: string[]
  dead: (files: TableFiles) => Promise<DeadFiles>
  metadata: TableMetadata
}> {
  const log = testLog()
  const { store } = log
  const topic = await log.attach()
  for (const value of ['one', 'two']) {
    log.hot.send(0, [{ value: utf8(value) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  const table = await tableOf(log)
  const files: DataFile[] = []
  for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata: table.metadata })) files.push(file)
  const forgotten = table.metadata.snapshots!.at(-1)!
  const { snapshots: _, refs: __, ...rest } = table.metadata
  const { objects, snapshot } = await planAppend({
    table: { ...table, metadata: { ...rest, 'current-snapshot-id': null, snapshots: [] } },
    tableFiles: tableFiles(store),
    files: files.map((file) => ({ ...file, filePath: rename(file.filePath) })),
    snapshotId: 77n,
    commitId: 'another',
    nowMs: Number(table.metadata['last-updated-ms']) + 5,
  })
  for (const { location, bytes } of objects) await store.put(keyOf(store, location), bytes)
  const metadata = { ...table.metadata, snapshots: [snapshot], 'current-snapshot-id': snapshot['snapshot-id'] }
  const snapshots = [
    { id: BigInt(forgotten['snapshot-id']), sequence: 1n, manifestList: forgotten['manifest-list'], statistics: [] },
  ]
  const dead = (files: TableFiles): Promise<DeadFiles> =>
    deadFiles({ tableFiles: files, metadata, forgotten: snapshots, later: [], lists: new ManifestLists() }, {})
  return { store, names: files.map(({ filePath }) => filePath), dead, metadata }
}

/** A store for each scheme, with a root of its own. */
const byScheme =
  (store: ObjectStore, root: string) =>
  (location: string): ObjectStore =>
    location.startsWith(root) ? { ...store, root } : store

describe('a file that something live names by another scheme', () => {
  it('is not dead, whether there is a store for that name or none, and whatever its folder is called', async () => {
    for (const other of ['s3x://bucket/', 's3x://bucket/deep/er/']) {
      const { store, names, dead, metadata } = await renamed((name) => {
        const key = name.slice(testLog().store.root.length)
        return `${other}${key.replace('/data/', '/d%61ta/')}`
      })
      for (const files of [tableFiles(store), tableFiles(byScheme(store, other))]) {
        expect((await dead(files)).files, other).toEqual([])
        // All of the rest is: nothing names it.
        expect((await dead(files)).manifests.length, other).toBeGreaterThan(0)
        const prefixes = names.map((name) => name.slice(0, -'0.parquet'.length))
        expect(await isReachable({ tableFiles: files, metadata, prefixes: [prefixes[0]!] }), other).toBe(true)
        const nobodys = prefixes.map((prefix) => prefix.replace(/[0-9a-f]{12}-$/, '000000000000-'))
        expect(await isReachable({ tableFiles: files, metadata, prefixes: nobodys }), other).toBe(false)
      }
    }
  })

  it('is dead where the live one has another name, or is of the same place and another folder', async () => {
    const renames = [
      (name: string) => name.replace('.parquet', '0.parquet').replace(/^[a-z]+:/, 's3x:'),
      (name: string) => name.replace('/data/', '/elsewhere/data/'),
    ]
    for (const rename of renames) {
      const { store, names, dead } = await renamed(rename)
      expect((await dead(tableFiles(store))).files.toSorted()).toEqual(names.toSorted())
    }
  })

  it('stays while a commit on its way names it so', async () => {
    for (const scheme of ['s3x://bucket/', undefined]) {
      const { log, topic } = await tableAfter(3)
      await untilForgotten(log, topic)
      const lists = (await tableOf(log)).metadata.snapshots!.map((snapshot) => snapshot['manifest-list'])
      const isNamed = (key: string): boolean => lists.includes(log.store.root + key)
      const below = 'tables/shop/orders/metadata/snap-'
      const forgotten = (await keysBelow(log.store, below)).filter((key) => !isNamed(key))
      expect(forgotten.length).toBeGreaterThan(0)
      const commit = '77777777-7777-4777-8777-777777777777'
      const staged = {
        commit,
        topic: log.info.id,
        table: log.info.table,
        tableUuid: (await tableOf(log)).metadata['table-uuid']!,
        epoch: 1n,
        parent: null,
        objectPrefixes: forgotten.map((key) => `${scheme ?? log.store.root}${/^.*snap-\d+-/.exec(key)![0]}`),
        ledger: undefined,
        ranges: [],
      }
      await putStaged(log.store, staged)
      await afterTwoHours(log, topic)
      const left = await keysBelow(log.store, below)
      expect(left, scheme).toEqual(expect.arrayContaining(forgotten))
    }
  })

  it('may be meant by what its name begins with', () => {
    const files = tableFiles(testLog().store)
    const folder = folderOf(files, `${testLog().store.root}t`)
    expect(mayMean(files, folder, 's3x://b/t/data/c1-')).toContain(`${folder}data/c1-`)
    expect(mayMean(files, folder, `${folder}data/c1-`)).toEqual([`${folder}data/c1-`])
    expect(mayMean(files, folder, `${folder}data/c%31-`)).toEqual([`${folder}data/c%31-`, `${folder}data/c1-`])
  })
})
