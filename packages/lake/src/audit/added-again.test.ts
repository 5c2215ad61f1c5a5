/** Files of the log that others took out of its table and added again, which no audit saw meanwhile. */
import { tableFiles } from '@moulin/core'
import type { AuditReport, ColdTopic } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import {
  allRows,
  change,
  commitFiles,
  foreignAppend,
  numbersOf,
  pick,
  replaceFiles,
  replaceRows,
  tableOf,
} from '../foreign.test-support.ts'
import { testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'
import { loadAuditMemory } from './audit-memory.ts'

const ROWS = 10

const range = (partition: number, from: number, to: number): object => ({
  incarnation: 1,
  partition,
  from: BigInt(from),
  to: BigInt(to),
})

interface Tiered {
  readonly log: TestLog
  readonly topic: ColdTopic
  readonly file: DataFile
}

/** One file of ours with ten records of each of two partitions. */
async function tiered(options: TestLogOptions = {}): Promise<Tiered> {
  const log = testLog({ ...options, info: { partitionBy: [], ...options.info } })
  const topic = await log.attach()
  for (const partition of [0, 1])
    log.hot.send(
      partition,
      Array.from({ length: ROWS }, (_, at) => ({ value: utf8(`${at}`) })),
    )
  await topic.tier({ upTo: log.hot.committedOffsets() })
  const { metadata } = await tableOf(log)
  const files: DataFile[] = []
  for await (const task of planScan({ tableFiles: tableFiles(log.store), metadata })) files.push(task.file)
  expect(files).toHaveLength(1)
  return { log, topic, file: files[0]! }
}

const addAgain = async ({ log, file }: Tiered): Promise<void> =>
  commitFiles(log, await tableOf(log), [file], log.runtime.random.uuid())

/** Rewrites the table without one row of partition 0. */
async function rewriteWithout(log: TestLog, offset: bigint): Promise<void> {
  const rows = await allRows(log)
  const partitions = numbersOf(rows, '_kafka_partition')
  const left = numbersOf(rows, '_kafka_offset').flatMap((one, row) =>
    partitions[row] === 0 && one === offset ? [] : [row],
  )
  await replaceRows(log, [pick(rows, left)])
}

const returnedIn = ({ deep, clean }: AuditReport): object => ({
  clean,
  returnedRows: deep!.returnedRows,
  returned: deep!.returned,
})
const nothing = { clean: true, returnedRows: 0n, returned: [] }
const all = { clean: false, returnedRows: 20n, returned: [range(0, 0, 10), range(1, 0, 10)] }

describe('rows of a file of the log that others have added again', () => {
  it('are named as returned though no audit saw them gone: by readers, and once by the writer', async () => {
    const made = await tiered()
    const { log, topic } = made
    expect(returnedIn(await topic.audit({ deep: true }))).toEqual(nothing)
    await replaceRows(log, [])
    await addAgain(made)
    const reader = await log.reopen({ access: 'read-only' }).attach()
    for (let time = 0; time < 2; time++) expect(returnedIn(await reader.audit({ deep: true }))).toEqual(all)
    const found = await topic.audit({ deep: true })
    expect(returnedIn(found)).toEqual(all)
    expect(found.partitions.every(({ rows, ledgerRows, unseen }) => rows === ledgerRows && unseen === 0n)).toBe(true)
    expect((await loadAuditMemory(log.store, log.info.id, {}))?.addedBy).toHaveLength(1)
    expect(returnedIn(await topic.audit({ deep: true }))).toEqual(nothing)
    expect(returnedIn(await reader.audit({ deep: true }))).toEqual(nothing)
    // Each time anew.
    await replaceRows(log, [])
    await addAgain(made)
    expect(returnedIn(await topic.audit({ deep: true }))).toEqual(all)
    expect((await topic.audit()).deep).toBeNull()
  })

  it('are not those that another file had all the time', async () => {
    const made = await tiered()
    const { log, topic } = made
    await rewriteWithout(log, 3n)
    await addAgain(made)
    const found = await topic.audit({ deep: true })
    expect(returnedIn(found)).toEqual({ clean: false, returnedRows: 1n, returned: [range(0, 3, 4)] })
    expect(found.deep!.doubledRows).toBe(19n)
  })

  it('are named once where an audit had seen them gone as well', async () => {
    const made = await tiered()
    const { log, topic } = made
    await replaceRows(log, [])
    expect((await topic.audit({ deep: true })).deep).toMatchObject({ deletedRows: 20n })
    await addAgain(made)
    expect(returnedIn(await topic.audit({ deep: true }))).toEqual(all)
  })

  it('have not been away where the snapshot before had them', async () => {
    const made = await tiered()
    await addAgain(made)
    expect((await made.topic.audit({ deep: true })).deep).toMatchObject({ returnedRows: 0n, doubledRows: 20n })
  })

  it('have not been away where one snapshot took the file out and put it back', async () => {
    const made = await tiered()
    const { log, topic, file } = made
    await replaceFiles(log, [file])
    expect(returnedIn(await topic.audit({ deep: true }))).toEqual(nothing)
  })

  it.each([1, 2])('are not told apart once a snapshot that tells has expired: number %i', async (at) => {
    const made = await tiered()
    const { log, topic } = made
    await replaceRows(log, [])
    await addAgain(made)
    await foreignAppend(log)
    const { metadata } = await tableOf(log)
    const expired = metadata.snapshots![at]!['snapshot-id']
    await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': [expired] }])
    expect(returnedIn(await topic.audit({ deep: true }))).toEqual(nothing)
  })
})
