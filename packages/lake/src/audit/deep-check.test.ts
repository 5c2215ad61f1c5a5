import { Arena, BytesBuilder, schema, t } from '@moulin/core'
import type { AuditPlace, AuditProgress, AuditReport, Codec, ColdTopic, Column, ColumnBatch } from '@moulin/core'
import { avro } from '@moulin/format'
import { currentSchema } from '@moulin/iceberg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  allRows,
  change,
  columnOf,
  foreignAppend,
  foreignFile,
  commitFiles,
  numbersOf,
  pick,
  replaceRows,
  tableOf,
  withColumn,
  withNumbers,
} from '../foreign.test-support.ts'
import { testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'

const Visit = schema({ page: t.string, visitor: t.int53 })
const codec = avro(Visit) as Codec
const ROWS = 10

async function tieredLog(options: TestLogOptions = {}): Promise<{ log: TestLog; topic: ColdTopic; rows: ColumnBatch }> {
  const log = testLog({ codec, ...options, info: { partitionBy: [], ...options.info } })
  const topic = await log.attach()
  for (const partition of [0, 1]) {
    const records = Array.from({ length: ROWS }, (_, at) => ({
      key: utf8(`${at % 3}`),
      value: codec.encode({ page: `/page/${at}`, visitor: at * 100 + partition }),
      timestamp: 1_650_000_000_000n + BigInt(at % 4),
    }))
    log.hot.send(partition, records)
  }
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return { log, topic, rows: await allRows(log) }
}

const place = (partition: number, offset: number | bigint, incarnation = 1): AuditPlace => ({
  incarnation,
  partition,
  offset: BigInt(offset),
})
const move = (from: AuditPlace, to: AuditPlace): object => ({ ...to, origin: from })
const range = (partition: number, from: number, to: number): object => ({
  incarnation: 1,
  partition,
  from: BigInt(from),
  to: BigInt(to),
})

// Rows are in (partition, offset) order.
const at = (partition: number, offset: number): number => partition * ROWS + offset
const allBut = (...gone: number[]): number[] =>
  Array.from({ length: 2 * ROWS }, (_, row) => row).filter((row) => !gone.includes(row))

/** The same rows, some members of some of them changed. */
function updated(
  rows: ColumnBatch,
  name: string,
  changes: Readonly<Record<number, number | bigint | null>>,
): ColumnBatch {
  return withNumbers(
    rows,
    name,
    numbersOf(rows, name).map((value, row) => (row in changes ? changes[row]! : value)),
  )
}

function deepOf({ deep }: AuditReport): object {
  const { mismatched, doubledRows, altered, moved, doubled } = deep!
  return { mismatched, doubledRows, altered, moved, doubled }
}
const nothing = { mismatched: 0n, doubledRows: 0n, altered: [], moved: [], doubled: [] }

describe('a deep audit', () => {
  it('finds nothing in the log’s own files and reads none of them, nor in a rewrite that changes nothing', async () => {
    const { log, topic, rows } = await tieredLog()
    const own = await topic.audit({ deep: true })
    expect(own).toMatchObject({ clean: true, deep: { ...nothing, files: 0, rows: 0n } })
    await replaceRows(log, [pick(rows, allBut().reverse().slice(0, -3)), pick(rows, [2, 1, 0])])
    const report = await topic.audit({ deep: true })
    expect(report).toMatchObject({ clean: true, deep: { ...nothing, files: 2, rows: 20n, unproven: 0n } })
    expect((await topic.audit()).deep).toBe(null)
  })

  it('sees an UPDATE, which leaves count and sum as they were', async () => {
    const { log, topic, rows } = await tieredLog()
    const times = { [at(0, 9)]: 77_000n, [at(1, 4)]: 1_650_000_000_000_001n }
    await replaceRows(log, [updated(updated(rows, 'visitor', { 3: 1n, 4: 2n, 5: 3n }), '_kafka_timestamp', times)])
    expect((await topic.audit()).clean).toBe(true)
    const report = await topic.audit({ deep: true })
    expect(report.clean).toBe(false)
    const altered = [range(0, 3, 6), range(0, 9, 10), range(1, 4, 5)]
    expect(deepOf(report)).toEqual({ ...nothing, mismatched: 5n, altered })
  })

  it('tells where rows were moved from: to another offset, partition, or out of the ledger', async () => {
    const { log, topic, rows } = await tieredLog()
    const rest = pick(rows, allBut(at(1, 8)))
    // In place of a row that is gone; beside one; to a life of the topic that the ledger does not know.
    const offsets = updated(rest, '_kafka_offset', { [at(0, 2)]: 8n, [at(0, 6)]: 7n })
    const partitions = updated(offsets, '_kafka_partition', { [at(0, 2)]: 1 })
    await replaceRows(log, [updated(partitions, '_kafka_incarnation', { [at(1, 0)]: 0 })])
    const report = await topic.audit({ deep: true })
    expect(deepOf(report)).toEqual({
      mismatched: 3n,
      doubledRows: 1n,
      altered: [],
      moved: [move(place(1, 0), place(1, 0, 0)), move(place(0, 6), place(0, 7)), move(place(0, 2), place(1, 8))],
      doubled: [range(0, 7, 8)],
    })
  })

  it('tells any shuffle of offsets and any changed value apart', async () => {
    const { log, topic, rows } = await tieredLog({ tier: { coldReadBytes: 1 } })
    const offsets = Array.from({ length: ROWS }, (_, offset) => offset)
    const shuffled = fc.shuffledSubarray(offsets, { minLength: ROWS, maxLength: ROWS })
    await fc.assert(
      fc.asyncProperty(shuffled, fc.subarray(offsets), async (order, touched) => {
        const moves = Object.fromEntries(order.map((to, from) => [at(1, from), BigInt(to)]))
        const visitors = Object.fromEntries(touched.map((offset) => [at(0, offset), -5n]))
        await replaceRows(log, [updated(updated(rows, '_kafka_offset', moves), 'visitor', visitors)])
        const { deep } = await topic.audit({ deep: true })
        const expected = order.flatMap((to, from) => (to === from ? [] : [move(place(1, from), place(1, to))]))
        expect(deep!.moved).toHaveLength(expected.length)
        expect(deep!.moved).toEqual(expect.arrayContaining(expected))
        const altered = deep!.altered.flatMap(({ partition, from, to }) =>
          offsets.filter((offset) => partition === 0 && offset >= from && offset < to),
        )
        expect(altered).toEqual(touched)
        expect(deep!.mismatched).toBe(BigInt(expected.length + touched.length))
      }),
      { numRuns: 20 },
    )
  })

  it('gives doubled places, also of rows in files of the log', async () => {
    const { log, topic, rows } = await tieredLog()
    const table = await tableOf(log)
    const file = await foreignFile(log, table, pick(rows, [at(0, 4), at(0, 5), at(1, 9)]), 'again')
    await commitFiles(log, table, [file], 'again')
    expect(deepOf(await topic.audit({ deep: true }))).toEqual({
      ...nothing,
      doubledRows: 3n,
      doubled: [range(0, 4, 6), range(1, 9, 10)],
    })
    await foreignAppend(log, [
      { partition: 0, offset: 1n },
      { partition: null, offset: 2n },
      { partition: 1, offset: 3n, incarnation: 0 },
    ])
    expect(deepOf(await topic.audit({ deep: true }))).toEqual({
      ...nothing,
      mismatched: 1n,
      doubledRows: 4n,
      altered: [range(0, 1, 2)],
      doubled: [range(0, 1, 2), range(0, 4, 6), range(1, 9, 10)],
    })
  })

  it('lists as many as maxGaps and counts all', async () => {
    const { log, topic, rows } = await tieredLog({ limits: { maxGaps: 2 } })
    await replaceRows(log, [updated(rows, 'visitor', Object.fromEntries([1, 3, 5, 7].map((row) => [row, 4n])))])
    const altered = [range(0, 1, 2), range(0, 3, 4)]
    expect(deepOf(await topic.audit({ deep: true }))).toEqual({ ...nothing, mismatched: 4n, altered })
  })

  it('judges no row without a column that it needs, and says how many', async () => {
    const { log, topic, rows } = await tieredLog()
    const { metadata } = await tableOf(log)
    const fields = currentSchema(metadata).fields.filter(({ name }) => name !== 'page')
    const update = { type: 'struct' as const, fields }
    await change(log, [
      { action: 'add-schema', schema: update, 'last-column-id': metadata['last-column-id'] },
      { action: 'set-current-schema', 'schema-id': -1 },
    ])
    await replaceRows(log, [{ ...rows, columns: rows.columns.filter(({ name }) => name !== 'page') }])
    const report = await topic.audit({ deep: true })
    expect(report).toMatchObject({ clean: true, deep: { ...nothing, rows: 20n, unproven: 20n } })
  })

  it('holds no row against a checksum in a topic without them', async () => {
    const { log, topic, rows } = await tieredLog({ info: { rowCrc: false } })
    await replaceRows(log, [updated(pick(rows, [...allBut(), 3]), 'visitor', { 5: 6n })])
    const report = await topic.audit({ deep: true })
    expect(report.deep).toEqual({
      ...nothing,
      files: 1,
      rows: 0n,
      unproven: 0n,
      deletedRows: 0n,
      deleted: [],
      returnedRows: 0n,
      returned: [],
      doubledRows: 1n,
      doubled: [range(0, 3, 4)],
    })
  })

  it('tells a row whose checksum is gone', async () => {
    const { log, topic, rows } = await tieredLog()
    await replaceRows(log, [updated(rows, '_kafka_crc', { [at(1, 1)]: null })])
    expect(deepOf(await topic.audit({ deep: true }))).toMatchObject({ mismatched: 1n, altered: [range(1, 1, 2)] })
  })

  it('sees a changed key, which no count or sum does', async () => {
    const { log, topic, rows } = await tieredLog()
    const keys = new BytesBuilder(new Arena())
    for (let row = 0; row < rows.length; row++) keys.append(utf8(row === 12 ? 'other' : `${(row % ROWS) % 3}`))
    expect(columnOf(rows, '_kafka_key').storage).toBe('bytes')
    await replaceRows(log, [withColumn(rows, '_kafka_key', keys.finish() as Column)])
    expect(deepOf(await topic.audit({ deep: true }))).toMatchObject({ mismatched: 1n, altered: [range(1, 2, 3)] })
  })

  it('says how far it is, and stops when told', async () => {
    const { log, topic, rows } = await tieredLog()
    await replaceRows(log, [pick(rows, allBut().slice(0, 5)), pick(rows, allBut().slice(5))])
    const seen: AuditProgress[] = []
    await topic.audit({ deep: true, onProgress: (progress) => seen.push(progress) })
    expect(seen.map(({ filesDone, rows }) => [filesDone, rows])).toEqual([
      [0, 5],
      [1, 5],
      [1, 20],
      [2, 20],
    ])
    const controller = new AbortController()
    const stopped = topic.audit({
      deep: true,
      signal: controller.signal,
      onProgress: ({ filesDone }) => filesDone === 1 && controller.abort(),
    })
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted' })
  })

  it('lets others run, and stops when told, while it looks for where rows were moved from', async () => {
    const partitions = 2_500
    const log = testLog({ codec, info: { partitionBy: [], partitions } })
    const topic = await log.attach()
    for (let partition = 0; partition < partitions; partition++) {
      log.hot.send(partition, [{ value: codec.encode({ page: '/', visitor: partition }) }])
    }
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const changes = Object.fromEntries(Array.from({ length: ROWS }, (_, row) => [row, -1n]))
    await replaceRows(log, [updated(await allRows(log), 'visitor', changes)])
    const { turn } = log.runtime.timers
    const controller = new AbortController()
    let filesDone = 0
    let turns = 0
    const timers = log.runtime.timers as { turn: () => Promise<void> }
    timers.turn = async () => {
      if (filesDone > 0 && ++turns === 5) controller.abort()
      await turn()
    }
    const stopped = topic.audit({
      deep: true,
      signal: controller.signal,
      onProgress: (progress) => (filesDone = progress.filesDone),
    })
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted' })
    expect(turns).toBe(5)
  })
})
