import { keyOf, tableFiles } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { allRows, change, foreignAppend, pick, replaceRows, tableOf } from '../foreign.test-support.ts'
import { checkTable, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

async function tieredLog(): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ info: { partitionBy: [] } })
  const topic = await log.attach()
  for (const text of ['a', 'b', 'c']) {
    for (const partition of [0, 1]) log.hot.send(partition, [{ value: utf8(text) }, { value: utf8(text) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  return { log, topic }
}

async function expireToMain(log: TestLog): Promise<void> {
  const { metadata } = await tableOf(log)
  const main = String(metadata['current-snapshot-id'])
  const old = metadata.snapshots!.map((snapshot) => snapshot['snapshot-id']).filter((id) => String(id) !== main)
  await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': old }])
}

describe('a table whose snapshots up to our last commit have expired', () => {
  it('is intact while what is left names our snapshot as its parent', async () => {
    const { log, topic } = await tieredLog()
    await replaceRows(log, [await allRows(log)])
    await expireToMain(log)
    await topic.refresh()
    expect(topic.lineage()).toEqual({ verdict: 'intact', evidence: null })
    await checkTable(topic, log)
  })

  it('is plausible after several rewrites: it is read, tiered, and attached by the next process', async () => {
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    await replaceRows(log, [pick(rows, [0, 1, 2]), pick(rows, [3, 4, 5, 6, 7, 8, 9, 10, 11])])
    await replaceRows(log, [await allRows(log)])
    await expireToMain(log)
    await topic.refresh()
    expect(topic.lineage()).toMatchObject({
      verdict: 'plausible',
      evidence: expect.stringContaining('rows of the log'),
    })
    const next = log.reopen()
    const again = await next.attach()
    log.hot.send(1, [{ value: utf8('d') }])
    await again.tier({ upTo: log.hot.committedOffsets() })
    expect(again.lineage().verdict).toBe('intact')
    await checkTable(again, log)
  })

  it('is plausible by the files that are there, and nothing is known where none of them tells', async () => {
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    await replaceRows(log, [pick(rows, [0, 1, 2]), pick(rows, [3, 4, 5, 6, 7, 8, 9, 10, 11])])
    await replaceRows(log, [pick(rows, [0, 1, 2]), pick(rows, [3, 4, 5, 6, 7, 8, 9, 10, 11])])
    await expireToMain(log)
    const live: string[] = []
    const { metadata } = await tableOf(log)
    for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata }))
      live.push(keyOf(log.store, file.filePath))
    await log.store.delete(live[0]!)
    await topic.refresh()
    expect(topic.lineage()).toMatchObject({ verdict: 'plausible', evidence: expect.stringContaining(live[1]!) })
    await log.store.delete(live[1]!)
    await expect(log.reopen().attach()).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('is plausible while files of our commit are live, whatever was appended since', async () => {
    const { log, topic } = await tieredLog()
    await foreignAppend(log)
    await foreignAppend(log, [{ partition: null, offset: null }])
    await expireToMain(log)
    await topic.refresh()
    expect(topic.lineage()).toMatchObject({ verdict: 'plausible', evidence: expect.stringContaining('last commit') })
    await checkTable(topic, log)
  })

  it('is plausible when it was emptied by SQL', async () => {
    const { log, topic } = await tieredLog()
    await replaceRows(log, [])
    await replaceRows(log, [])
    await expireToMain(log)
    expect((await topic.audit()).partitions.map(({ deleted }) => deleted)).toEqual([6n, 6n])
    expect(topic.lineage()).toMatchObject({
      verdict: 'plausible',
      evidence: expect.stringContaining('no file is live'),
    })
  })

  it('is broken after a rollback below our commit, whose sequence number appends of others have passed', async () => {
    const { log, topic } = await tieredLog()
    const [first] = (await tableOf(log)).metadata.snapshots!
    const ref = { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch' } as const
    await change(log, [{ ...ref, 'snapshot-id': first!['snapshot-id'] }])
    for (let at = 0; at < 3; at++) await foreignAppend(log, [{ partition: null, offset: 5n }])
    await expireToMain(log)
    const broken = { code: 'LINEAGE_BROKEN', context: { fault: 'cut-chain' } }
    await expect(topic.refresh()).rejects.toMatchObject(broken)
    await expect(log.reopen().attach()).rejects.toMatchObject(broken)
  })
})
