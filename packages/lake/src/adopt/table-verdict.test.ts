import type { ColdTopic, TableUpdate, TableVerdict } from '@moulin/core'
import { keyOf, tableFiles, tableIdentifier } from '@moulin/core'
import { currentSchema, planScan, readManifestList } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { allRows, change, foreignAppend, pick, replaceRows, tableOf } from '../foreign.test-support.ts'
import { testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'
import { markerKey } from '../table/marker.ts'

/** Three commits of three records in each of two partitions. */
async function tieredLog(options: TestLogOptions = {}): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog(options)
  const topic = await log.attach()
  for (const text of ['a', 'b', 'c']) {
    for (const partition of [0, 1])
      log.hot.send(
        partition,
        [0, 1, 2].map((at) => ({ value: utf8(`${text}${at}`) })),
      )
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  return { log, topic }
}

const judge = (log: TestLog, plan = false): Promise<TableVerdict> => log.judge({ plan })

async function snapshotId(log: TestLog, at: number): Promise<bigint> {
  const { metadata } = await tableOf(log)
  return BigInt(metadata.snapshots!.at(at)!['snapshot-id'])
}

async function mainTo(log: TestLog, at: number): Promise<void> {
  const { metadata } = await tableOf(log)
  const id = metadata.snapshots!.at(at)!['snapshot-id']
  await change(log, [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id }])
}

const removeMarker = (log: TestLog): Promise<void> =>
  change(log, [{ action: 'remove-properties', removals: [markerKey(log.info.id)] }])

/** All but the newest snapshot. */
async function expireOld(log: TestLog): Promise<void> {
  const { metadata } = await tableOf(log)
  const ids = metadata.snapshots!.slice(0, -1).map((snapshot) => snapshot['snapshot-id'])
  await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': ids } as TableUpdate])
}

const range = (partition: number, from: number, to: number, incarnation = 1): object => ({
  incarnation,
  partition,
  from: BigInt(from),
  to: BigInt(to),
})

const sound = { fault: null, inDoubt: [], ahead: [], remedy: 'Nothing.', adoption: null }
const whole = (named: number): object => ({ named, looked: named, missing: [], missingCount: 0, held: [] })

describe.each(['read-write', 'read-only'] as const)('the verdict on a table, of a log that is open %s', (access) => {
  const judged = async (log: TestLog, plan = false): Promise<TableVerdict> => judge(log.reopen({ access }), plan)

  it('is intact where the last commit is the current snapshot, or below those of others', async () => {
    const { log } = await tieredLog()
    log.hot.release([9n, 9n])
    const id = await snapshotId(log, -1)
    expect(await judged(log, true)).toEqual({
      ...sound,
      verdict: 'intact',
      snapshotId: id,
      files: whole(7),
      evidence: `snapshot ${id} of the last commit is the current one`,
    })
    await foreignAppend(log)
    await replaceRows(log, [await allRows(log)])
    const { verdict, evidence } = await judged(log)
    expect(verdict).toBe('intact')
    expect(evidence).toBe(`snapshot ${id} of the last commit is an ancestor of the current one, below 2 of others`)
  })

  it.each(['a data file', 'a data file that was cut short', 'the manifest list', 'a manifest'])(
    'is broken where %s is gone of what was let go of',
    async (what) => {
      const { log } = await tieredLog()
      log.hot.release([9n, 9n])
      const { metadata } = await tableOf(log)
      const list = metadata.snapshots!.at(-1)!['manifest-list']
      let second = ''
      for await (const { file, sequenceNumber } of planScan({ tableFiles: tableFiles(log.store), metadata }))
        if (sequenceNumber === 2n) second = file.filePath
      const manifests = readManifestList((await log.store.get(keyOf(log.store, list))).bytes, { path: list })
      const named = { 'a manifest': manifests[0]!.path, 'the manifest list': list }[what] ?? second
      const key = keyOf(log.store, named)
      if (what.endsWith('short')) await log.store.put(key, (await log.store.get(key)).bytes.subarray(9))
      else await log.store.delete(key)
      const verdict = await judged(log, true)
      expect(verdict).toMatchObject({ verdict: 'broken', fault: 'missing-files', ahead: [], adoption: null })
      const [from, to] = named === second ? [3, 6] : [0, 9]
      expect(verdict.inDoubt).toEqual([range(0, from, to), range(1, from, to)])
      expect(verdict.remedy).toContain('backup')
      expect(verdict.evidence).toContain(named)
    },
  )

  it('is intact where a data file is gone of which the write-ahead tier has all', async () => {
    const { log } = await tieredLog()
    log.hot.release([6n, 6n])
    const { metadata } = await tableOf(log)
    for await (const { file, sequenceNumber } of planScan({ tableFiles: tableFiles(log.store), metadata }))
      if (sequenceNumber === 3n) await log.store.delete(keyOf(log.store, file.filePath))
    expect(await judged(log)).toMatchObject({ verdict: 'intact', fault: null, inDoubt: [] })
  })

  it('is intact without a table that held anything', async () => {
    const log = testLog()
    expect(await judged(log)).toMatchObject({ ...sound, verdict: 'intact', snapshotId: null })
    await log.attach()
    expect(await judged(log)).toMatchObject({ verdict: 'intact', evidence: expect.stringMatching(/nothing .* marker/) })
    // Nothing of it was made by the look.
    await log.catalog.dropTable(tableIdentifier(log.info.table))
    await judged(log, true)
    await expect(tableOf(log)).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('is plausible where expiry took the last commit and files speak for it', async () => {
    const { log } = await tieredLog()
    await replaceRows(log, [await allRows(log)])
    await foreignAppend(log)
    await expireOld(log)
    const { verdict, evidence, fault } = await judged(log)
    expect([verdict, fault]).toEqual(['plausible', null])
    expect(evidence).toMatch(/^expiry took .*foreign-.* has rows of the log and sequence number 4, not below 3$/)
  })

  it('is broken for a table that went back, with what it alone held, and what adopting it would do', async () => {
    const { log } = await tieredLog()
    log.hot.release([7n, 2n])
    await mainTo(log, 0)
    const before = (await tableOf(log)).metadataLocation
    const found = await judged(log, true)
    expect(found).toMatchObject({
      verdict: 'broken',
      fault: 'left-main',
      evidence: expect.stringMatching(/not on main/),
      snapshotId: await snapshotId(log, 0),
      inDoubt: [range(0, 0, 7), range(1, 0, 2)],
      ahead: [],
      remedy: expect.stringMatching(/main branch back.*adopt/),
    })
    expect((await judged(log)).adoption).toBeNull()
    expect((await tableOf(log)).metadataLocation).toBe(before)
    expect(found.adoption).toMatchObject({ frontier: [7n, 3n], rows: 6n, skipped: [range(0, 3, 7)] })
    const { snapshotId: _, ...done } = await log.reopen().adopt('by-hand')
    expect(found.adoption).toMatchObject(done)
    expect(await judged(log, true)).toMatchObject({ ...sound, verdict: 'intact' })
  })

  it('is broken for one that is gone, whose place adopting would give to an empty one', async () => {
    const { log } = await tieredLog()
    log.hot.release([7n, 0n])
    await log.catalog.dropTable(tableIdentifier(log.info.table))
    const found = await judged(log, true)
    expect(found).toMatchObject({
      verdict: 'broken',
      fault: 'replaced-table',
      snapshotId: null,
      inDoubt: [range(0, 0, 7)],
    })
    await expect(tableOf(log)).rejects.toMatchObject({ kind: 'not-found' })
    const { snapshotId: _, ...done } = await log.reopen().adopt('by-hand')
    expect(found.adoption).toMatchObject(done)
    expect(done).toMatchObject({ outcome: 'recounted', frontier: [7n, 0n], skipped: [range(0, 0, 7)] })
  })

  it('is broken where the log is the older one, and says what it lacks', async () => {
    const { log } = await tieredLog()
    log.hot.forget(0, 6n)
    const found = await judged(log, true)
    expect(found).toMatchObject({
      verdict: 'broken',
      fault: 'log-behind-table',
      inDoubt: [],
      ahead: [range(0, 6, 9)],
      remedy: expect.stringMatching(/right copy.*next incarnation/),
    })
    const { snapshotId: _, ...done } = await log.reopen().adopt('by-hand')
    expect(found.adoption).toMatchObject(done)
    expect(done).toMatchObject({
      outcome: 'next-incarnation',
      incarnation: 2,
      frontier: [9n + 2n ** 20n, 9n + 2n ** 20n],
    })
    // That copy of the log does not know of the incarnation.
    expect(await judged(log)).toMatchObject({ fault: 'log-behind-table', ahead: [range(0, 9, 9 + 2 ** 20, 2), {}] })
  })

  it('is broken beside rows that a commit would double, which nobody adopts', async () => {
    const { log } = await tieredLog()
    await foreignAppend(log, [{ partition: 0, offset: 12n }])
    const found = await judged(log, true)
    expect(found).toMatchObject({
      verdict: 'broken',
      fault: 'foreign-rows',
      evidence: expect.stringMatching(/partition 0 offset 12, at or above the frontier 9$/),
      remedy: expect.stringMatching(/^Delete these rows/),
      adoption: null,
    })
    await removeMarker(log)
    expect(await judged(log, true)).toMatchObject({
      fault: 'no-marker',
      remedy: expect.stringMatching(/delete such rows first/),
      adoption: null,
    })
  })

  it('is broken for the table of somebody else, which is never adopted', async () => {
    const { log } = await tieredLog()
    const other = testLog({ store: log.store, catalog: log.catalog, runtime: log.runtime, info: { id: TOPIC } })
    for (const each of [log, other]) each.hot.release([1n, 1n])
    expect(await judged(other.reopen({ access }), true)).toMatchObject({
      fault: 'other-topic',
      remedy: expect.stringMatching(/another table/),
      adoption: null,
    })
  })

  it('is broken without a column that says who rows are, of which nothing can be counted', async () => {
    const { log } = await tieredLog()
    log.hot.release([9n, 0n])
    const { metadata } = await tableOf(log)
    const fields = currentSchema(metadata).fields.filter(({ name }) => name !== '_kafka_offset')
    await change(log, [
      { action: 'add-schema', schema: { type: 'struct', fields }, 'last-column-id': metadata['last-column-id'] },
      { action: 'set-current-schema', 'schema-id': -1 },
    ])
    expect(await judged(log, true)).toMatchObject({
      verdict: 'broken',
      fault: 'lost-identity',
      evidence: expect.stringMatching(/_kafka_offset is gone/),
      inDoubt: [range(0, 0, 9)],
      remedy: expect.stringMatching(/earlier schema/),
      adoption: null,
    })
  })

  it('is broken where the newest metadata was cut short, which no adoption mends', async () => {
    const { log } = await tieredLog()
    log.hot.release([9n, 0n])
    const { metadataLocation } = await log.catalog.loadTable(tableIdentifier(log.info.table))
    const key = keyOf(log.store, metadataLocation)
    const { bytes } = await log.store.get(key)
    await log.store.put(key, bytes.subarray(0, bytes.length - 10))
    expect(await judged(log, true)).toEqual({
      ...sound,
      verdict: 'broken',
      fault: 'unreadable-metadata',
      evidence: expect.stringContaining(key),
      snapshotId: null,
      files: null,
      inDoubt: [range(0, 0, 9)],
      remedy: expect.stringMatching(/metadata back.*backup/),
    })
    await log.store.put(key, bytes)
    expect(await judged(log)).toMatchObject({ verdict: 'intact', inDoubt: [] })
  })

  it('is found of a table without a marker', async () => {
    const { log } = await tieredLog()
    log.hot.release([9n, 9n])
    const rows = await allRows(log)
    await replaceRows(log, [
      pick(
        rows,
        Array.from({ length: rows.length - 1 }, (_, row) => row),
      ),
    ])
    await removeMarker(log)
    const found = await judged(log, true)
    expect(found).toMatchObject({ verdict: 'broken', fault: 'no-marker', inDoubt: [range(0, 0, 9), range(1, 0, 9)] })
    expect(found.adoption).toMatchObject({ rows: 17n, skippedOffsets: 1n })
  })
})

const TOPIC = '33333333-3333-4333-8333-333333333333'
