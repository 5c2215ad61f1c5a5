/** What a verdict says of a table's files: which are missing, and what was in them. */
import { tableFiles } from '@moulin/core'
import type { TableVerdict } from '@moulin/core'
import { readManifestList } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import {
  allRows,
  change,
  commitFiles,
  foreignAppend,
  foreignDeletes,
  foreignFile,
  replaceRows,
  tableOf,
} from '../foreign.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { commit, keysBelow, sendTo, world } from '../look/missing-files.test-support.ts'
import type { World } from '../look/missing-files.test-support.ts'

const range = (partition: number, from: number, to: number): object => ({
  incarnation: 1,
  partition,
  from: BigInt(from),
  to: BigInt(to),
})

/** Four commits: 5 records of partition 0, 4 of partition 1, 3 more of partition 0, 2 of partition 2. */
async function committed(): Promise<World & { readonly files: readonly string[] }> {
  const made = await world()
  const files: string[] = []
  for (const [partition, count] of [
    [0, 5],
    [1, 4],
    [0, 3],
    [2, 2],
  ] as const) {
    sendTo(made.log, partition, count)
    files.push(...(await commit(made)))
  }
  expect(files).toHaveLength(4)
  return { ...made, files }
}

const judge = (log: TestLog, files?: boolean): Promise<TableVerdict> =>
  log.reopen({ access: 'read-only' }).judge(files === undefined ? {} : { files })

const whole = (named: number): object => ({ named, looked: named, missing: [], missingCount: 0, held: [] })

describe('the files of a table that is judged', () => {
  it('are looked for by one list, and nothing is opened or asked for twice', async () => {
    const { log, store } = await committed()
    const asked: string[] = []
    store.hooks.before = ({ op, key }) => void (key.startsWith('tables/shop/orders/data/') && asked.push(op))
    expect(await judge(log)).toMatchObject({ verdict: 'intact', remedy: 'Nothing.', files: whole(9) })
    expect(asked).toEqual(['list'])
    expect(await judge(log, false)).toMatchObject({ verdict: 'intact', files: null })
    expect(asked).toEqual(['list'])
  })

  it('that are missing: what was in them is lost as far as the write-ahead tier has let go of it', async () => {
    const { log, store, files } = await committed()
    log.hot.release([6n, 4n, 0n])
    for (const at of [1, 2]) await store.delete(files[at]!)
    const found = await judge(log)
    expect(found).toMatchObject({
      verdict: 'broken',
      fault: 'missing-files',
      inDoubt: [range(0, 5, 6), range(1, 0, 4)],
      ahead: [],
      adoption: null,
      evidence: expect.stringMatching(/^of 9 files .* 2 cannot be read: .*, and 1 more$/),
      remedy: expect.stringMatching(/backup.*gap/),
      files: { named: 9, looked: 9, missingCount: 2, held: [range(0, 6, 8)] },
    })
    expect(found.files!.missing).toEqual(
      [files[1]!, files[2]!].map((key) => ({ location: log.store.root + key, reason: 'it is not there' })).reverse(),
    )
    expect(await log.reopen().judge({ plan: true })).toEqual({ ...found, adoption: null })
    await expect(log.reopen().adopt('by-hand')).resolves.toMatchObject({ outcome: 'none' })
  })

  it('that are missing while the write-ahead tier has it all are no fault of the history', async () => {
    const { log, store, files } = await committed()
    log.hot.release([5n, 4n, 0n])
    for (const at of [2, 3]) await store.delete(files[at]!)
    expect(await judge(log)).toMatchObject({
      verdict: 'intact',
      fault: null,
      inDoubt: [],
      remedy: expect.stringMatching(/^Open the log for writing/),
      files: { missingCount: 2, held: [range(0, 5, 8), range(2, 0, 2)] },
    })
  })

  it('that are cut short are missing, too', async () => {
    const { log, store, files } = await committed()
    log.hot.release([8n, 4n, 2n])
    const { bytes } = await store.get(files[3]!)
    await store.put(files[3]!, bytes.subarray(1))
    const { inDoubt, files: seen } = await judge(log)
    expect(inDoubt).toEqual([range(2, 0, 2)])
    expect(seen!.missing[0]!.reason).toMatch(/^it has \d+ bytes; its manifest says \d+$/)
  })

  it.each(['manifest', 'manifest list'])(
    'are unknown without their %s: all that was let go of is in doubt',
    async (what) => {
      const { log, store } = await committed()
      log.hot.release([8n, 3n, 0n])
      const { metadata } = await tableOf(log)
      const list = metadata.snapshots!.at(-1)!['manifest-list']
      const { bytes } = await tableFiles(log.store).get(list)
      const gone = what === 'manifest' ? readManifestList(bytes, { path: list })[0]!.path : list
      await store.delete(gone.slice(log.store.root.length))
      const found = await judge(log)
      expect(found).toMatchObject({
        fault: 'missing-files',
        inDoubt: [range(0, 0, 8), range(1, 0, 3)],
        files: { missingCount: 1, missing: [{ location: gone }], held: [range(1, 3, 4), range(2, 0, 2)] },
      })
    },
  )

  it('are delete files as well, without which nobody knows which rows are left', async () => {
    const { log, store } = await committed()
    log.hot.release([8n, 4n, 2n])
    const before = new Set(await keysBelow(log, ''))
    await foreignDeletes(log, ['key 0'])
    expect(await judge(log)).toMatchObject({ verdict: 'intact', files: { missingCount: 0 } })
    const [deletes] = (await keysBelow(log, '')).filter((key) => !before.has(key) && key.endsWith('.parquet'))
    await store.delete(deletes!)
    expect(await judge(log)).toMatchObject({
      fault: 'missing-files',
      inDoubt: [range(0, 0, 8), range(1, 0, 4), range(2, 0, 2)],
      files: { missing: [{ location: log.store.root + deletes, reason: 'it is not there' }] },
    })
  })

  it('that others wrote are missing without an offset that was in them', async () => {
    const { log, store } = await committed()
    const before = new Set(await keysBelow(log, ''))
    await foreignAppend(log, [{ partition: null, offset: null }])
    const [theirs] = (await keysBelow(log, '')).filter((key) => !before.has(key) && key.endsWith('.parquet'))
    await store.delete(theirs!)
    expect(await judge(log)).toMatchObject({
      fault: 'missing-files',
      inDoubt: [],
      files: { missingCount: 1, held: [] },
    })
  })

  it('that lie elsewhere are asked for one by one, a thousand of them, and it is said how many were not', async () => {
    const { log, store, files } = await committed()
    const { bytes } = await store.get(files[0]!)
    const elsewhere = (uri: string): string => uri.replace('/data/', '/elsewhere/')
    await replaceRows(log, [await allRows(log)], undefined, { stored: elsewhere, named: elsewhere })
    expect(await judge(log)).toMatchObject({ files: { missingCount: 0 } })
    const table = await tableOf(log)
    const { location } = table.metadata
    const file = await foreignFile(log, table, await allRows(log), 'theirs')
    const many = Array.from({ length: 1_002 }, (_, at) => ({
      ...file,
      filePath: `${location}/else/${at}.parquet`,
      fileSizeBytes: BigInt(bytes.length),
    }))
    await commitFiles(log, table, many, log.runtime.random.uuid())
    await store.put(`tables/shop/orders/else/0.parquet`, bytes)
    const { remedy, files: seen } = await judge(log)
    const { named, looked, missing, missingCount } = seen!
    // The file that holds the rows lies elsewhere, too, and is older than these.
    expect([named - looked, missingCount, missing.length]).toEqual([3, 999, 100])
    expect(remedy).toMatch(/puts its own files back/)
  })

  it('are those of the snapshot that is current when they were looked for', async () => {
    const { log, store, files } = await committed()
    log.hot.release([8n, 4n, 2n])
    let isReplaced = false
    store.hooks.before = async ({ op, key }) => {
      if (op !== 'list' || !key.endsWith('/data/') || isReplaced) return
      isReplaced = true
      await replaceRows(log, [await allRows(log)])
      const { metadata } = await tableOf(log)
      const ids = metadata.snapshots!.slice(0, -1).map((snapshot) => snapshot['snapshot-id'])
      await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': ids }])
      for (const file of files) await store.delete(file)
    }
    expect(await judge(log)).toMatchObject({ verdict: 'intact', fault: null, files: { missingCount: 0 } })
    expect(isReplaced).toBe(true)
  })
})
