/** Whose table it is shows in rows that were deleted, too: their files have them still. */
import { keyOf, tableFiles, tableIdentifier } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { openParquet, storeRangeReader } from '@moulin/format'
import { planScan } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { allRows, change, replaceRows } from '../../packages/lake/src/foreign.test-support.ts'
import { readAll, testLog, utf8 } from '../../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'
import { commitDeletes, newVectors } from './foreign-deletes.ts'

async function rewritten(): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ info: { partitions: 1, partitionBy: [] } })
  const topic = await log.attach()
  log.hot.send(0, [{ value: utf8('a') }, { value: utf8('b') }, { value: utf8('c') }])
  await topic.tier({ upTo: log.hot.committedOffsets() })
  for (let turn = 0; turn < 2; turn++) await replaceRows(log, [await allRows(log)])
  return { log, topic }
}

/** Deletes these rows of every file, and forgets all but the newest snapshot. */
async function deleteAndExpire(log: TestLog, rows: readonly number[]): Promise<void> {
  const { store, catalog, info } = log
  const { metadata } = await catalog.loadTable(tableIdentifier(info.table))
  const deleted = new Map<string, readonly number[]>()
  for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata })) {
    const reader = storeRangeReader(store, keyOf(store, file.filePath), Number(file.fileSizeBytes))
    expect((await openParquet(reader)).rowCount).toBe(3)
    deleted.set(file.filePath, rows)
  }
  await commitDeletes({ store, catalog, table: info.table }, 'all', (folder) => [
    newVectors(`${folder}.puffin`, deleted),
  ])
  const now = (await catalog.loadTable(tableIdentifier(info.table))).metadata
  const old = now
    .snapshots!.map((snapshot) => snapshot['snapshot-id'])
    .filter((id) => id !== now['current-snapshot-id'])
  await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': old }])
}

describe('a table that was rewritten and whose snapshots up to our commit have expired', () => {
  it.each([
    ['some', [1], [0n, 2n]],
    ['all', [0, 1, 2], []],
  ] as const)('is plausible when %s of its rows were deleted after that', async (_what, rows, left) => {
    const { log, topic } = await rewritten()
    await deleteAndExpire(log, rows)
    await topic.refresh()
    expect(topic.lineage()).toMatchObject({
      verdict: 'plausible',
      evidence: expect.stringContaining('rows of the log'),
    })
    const next = await log.reopen().attach()
    expect((await readAll(next, 0)).map(({ offset }) => offset)).toEqual(left)
  })
})
