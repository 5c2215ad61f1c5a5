import { schema, t } from '@moulin/core'
import type { AuditReport, Codec, ColdTopic, ColumnBatch, DeepAudit } from '@moulin/core'
import { avro } from '@moulin/format'
import { currentSchema } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { allRows, change, numbersOf, pick, replaceRows, tableOf, withNumbers } from '../foreign.test-support.ts'
import { readAll, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'
import { markerKey } from '../table/marker.ts'
import { keyOfAudits, loadAuditMemory } from './audit-memory.ts'

const codec = avro(schema({ page: t.string })) as Codec
const ROWS = 10

interface Tiered {
  readonly log: TestLog
  readonly topic: ColdTopic
  readonly rows: ColumnBatch
  /** SQL deletes these rows, by partition and offset, of all that there were once; each time anew. */
  delete(...gone: readonly (readonly [partition: number, offset: number])[]): Promise<void>
  /** What the log's store remembers. */
  remembered(): Promise<unknown>
}

async function tiered(options: TestLogOptions = {}): Promise<Tiered> {
  const log = testLog({ codec, ...options, info: { partitionBy: [], ...options.info } })
  const topic = await log.attach()
  for (const partition of [0, 1]) {
    const values = Array.from({ length: ROWS }, (_, at) => ({
      value: codec.encode({ page: `/${at}` }),
      key: utf8('k'),
    }))
    log.hot.send(partition, values)
  }
  await topic.tier({ upTo: log.hot.committedOffsets() })
  const rows = await allRows(log)
  const places = numbersOf(rows, '_kafka_partition').map(
    (one, row) => `${one}:${numbersOf(rows, '_kafka_offset')[row]}`,
  )
  return {
    log,
    topic,
    rows,
    async delete(...gone) {
      const names = gone.map(([partition, offset]) => `${partition}:${offset}`)
      const left = places.flatMap((place, row) => (names.includes(place) ? [] : [row]))
      await replaceRows(log, left.length === 0 ? [] : [pick(rows, left)])
    },
    remembered: async () => (await loadAuditMemory(log.store, log.info.id, {}))?.deleted,
  }
}

const range = (partition: number, from: number, to: number): object => ({
  incarnation: 1,
  partition,
  from: BigInt(from),
  to: BigInt(to),
})
const deepOf = ({ deep }: AuditReport): Partial<DeepAudit> => {
  const { deletedRows, deleted, returnedRows, returned } = deep!
  return { deletedRows, deleted, returnedRows, returned }
}
const nothing = { deletedRows: 0n, deleted: [], returnedRows: 0n, returned: [] }

const rollBackTo = async (log: TestLog, at: number): Promise<void> => {
  const { metadata } = await tableOf(log)
  const id = metadata.snapshots![at]!['snapshot-id']
  await change(log, [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id }])
}

describe('rows that SQL deleted', () => {
  it('are named by a deep audit, and named as returned once they are there again', async () => {
    const { log, topic, remembered, ...sql } = await tiered()
    expect(deepOf(await topic.audit({ deep: true }))).toEqual(nothing)
    expect(await remembered()).toBeUndefined()
    await sql.delete([0, 3], [0, 4], [0, 9], [1, 0])
    const deleted = [range(0, 3, 5), range(0, 9, 10), range(1, 0, 1)]
    const first = await topic.audit({ deep: true })
    expect(deepOf(first)).toEqual({ ...nothing, deletedRows: 4n, deleted })
    expect(first.clean).toBe(false)
    // Again, and nothing has come back.
    expect(deepOf(await topic.audit({ deep: true }))).toEqual({ ...nothing, deletedRows: 4n, deleted })
    await sql.delete([0, 4], [1, 0], [1, 1])
    expect(deepOf(await topic.audit({ deep: true }))).toEqual({
      deletedRows: 3n,
      deleted: [range(0, 4, 5), range(1, 0, 2)],
      returnedRows: 2n,
      returned: [range(0, 3, 4), range(0, 9, 10)],
    })
    // The mistake is taken back: the table is as it was, but somebody who had these rows erased should hear of it, once.
    await rollBackTo(log, 0)
    const back = await topic.audit({ deep: true })
    expect(deepOf(back)).toEqual({ ...nothing, returnedRows: 3n, returned: [range(0, 4, 5), range(1, 0, 2)] })
    expect(back.clean).toBe(false)
    expect(back.partitions.every(({ rows, ledgerRows }) => rows === ledgerRows)).toBe(true)
    const last = await topic.audit({ deep: true })
    expect(deepOf(last)).toEqual(nothing)
    expect(last.clean).toBe(true)
    expect(await remembered()).toEqual([])
  })

  it('are remembered by deep audits of a writer alone, whoever compares', async () => {
    const { log, topic, remembered, ...sql } = await tiered()
    await sql.delete([0, 3])
    expect((await topic.audit()).deep).toBeNull()
    const reader = await log.reopen({ access: 'read-only' }).attach()
    expect(deepOf(await reader.audit({ deep: true }))).toMatchObject({ deletedRows: 1n })
    expect(await remembered()).toBeUndefined()
    await topic.audit({ deep: true })
    const kept = await remembered()
    expect(kept).toMatchObject([{ count: 1n, ranges: [{ from: 3n, to: 4n }] }])
    await sql.delete()
    for (let times = 0; times < 2; times++) {
      expect(deepOf(await reader.audit({ deep: true }))).toMatchObject({ returnedRows: 1n, returned: [range(0, 3, 4)] })
    }
    expect(await remembered()).toEqual(kept)
    expect((await topic.audit()).clean).toBe(true)
  })

  it('are not those that were moved, wherever they went', async () => {
    const { log, topic, rows, remembered } = await tiered()
    const offsets = numbersOf(rows, '_kafka_offset')
    const partitions = numbersOf(rows, '_kafka_partition')
    const at = offsets.findIndex((offset, row) => offset === 2n && partitions[row] === 0)
    const left = Array.from({ length: rows.length }, (_, row) => row).filter((row) => row !== at + 5)
    const moved = withNumbers(rows, '_kafka_offset', offsets.with(at, 7n))
    await replaceRows(log, [pick(moved, left)])
    const { deep, partitions: counts } = await topic.audit({ deep: true })
    expect(counts[0]).toMatchObject({ deleted: 1n })
    expect(deep).toMatchObject({ moved: [{ offset: 7n, origin: { offset: 2n } }], deletedRows: 0n, deleted: [] })
    expect(await remembered()).toBeUndefined()
    // Moved back.
    await replaceRows(log, [rows])
    expect(deepOf(await topic.audit({ deep: true }))).toEqual(nothing)
  })

  it('are known beyond an adoption, after which the ledger lacks none of them', async () => {
    const { log, topic, remembered, ...sql } = await tiered()
    await sql.delete([0, 3], [0, 4])
    await topic.audit({ deep: true })
    log.hot.release([10n, 10n])
    await change(log, [{ action: 'remove-properties', removals: [markerKey(log.info.id)] }])
    const next = log.reopen()
    expect(await next.adopt('by-hand')).toMatchObject({ outcome: 'recounted', skippedOffsets: 2n })
    const again = await next.attach()
    const adopted = await again.audit({ deep: true })
    expect(deepOf(adopted)).toEqual(nothing)
    expect(adopted.clean).toBe(true)
    expect(await remembered()).toMatchObject([{ partition: 0, count: 2n, ranges: [{ from: 3n, to: 5n }] }])
    await sql.delete()
    expect(deepOf(await again.audit({ deep: true }))).toMatchObject({ returnedRows: 2n, returned: [range(0, 3, 5)] })
  })

  it('are listed up to maxGaps and counted beyond it, now and when they are back', async () => {
    const { topic, remembered, ...sql } = await tiered({ limits: { maxGaps: 2 } })
    await sql.delete([0, 1], [0, 3], [0, 5], [0, 7])
    const deleted = [range(0, 1, 2), range(0, 3, 4)]
    expect(deepOf(await topic.audit({ deep: true }))).toEqual({ ...nothing, deletedRows: 4n, deleted })
    expect(await remembered()).toMatchObject([{ count: 4n, ranges: [{ from: 1n }, { from: 3n }] }])
    await sql.delete([0, 3], [0, 7])
    expect(deepOf(await topic.audit({ deep: true }))).toMatchObject({ returnedRows: 2n, returned: [range(0, 1, 2)] })
  })

  it('make no audit fail that cannot remember them', async () => {
    const { log, topic, ...sql } = await tiered()
    await sql.delete([1, 5])
    const { put } = log.store
    const store = log.store as { put: typeof put }
    store.put = (key, ...rest) =>
      key === keyOfAudits(log.info.id) ? Promise.reject(new Error('full')) : put(key, ...rest)
    expect(deepOf(await topic.audit({ deep: true }))).toMatchObject({ deletedRows: 1n })
    store.put = put
    await log.store.put(keyOfAudits(log.info.id), utf8('{"format":2,"minimumReader":2}'))
    await expect(topic.audit({ deep: true })).rejects.toMatchObject({ code: 'FORMAT_VERSION' })
    expect((await topic.audit()).partitions[1]).toMatchObject({ deleted: 1n })
  })

  it('are counted and named without the column of checksums, of which none is right or wrong then', async () => {
    const { log, topic, ...sql } = await tiered()
    await sql.delete([0, 3])
    await topic.audit({ deep: true })
    const { metadata } = await tableOf(log)
    const fields = currentSchema(metadata).fields.filter(({ name }) => name !== '_kafka_crc')
    await change(log, [
      { action: 'add-schema', schema: { type: 'struct', fields }, 'last-column-id': metadata['last-column-id'] },
      { action: 'set-current-schema', 'schema-id': -1 },
    ])
    const { deep, partitions, clean } = await topic.audit({ deep: true })
    expect(deep).toMatchObject({ rows: 19n, unproven: 19n, mismatched: 0n, deletedRows: 1n, deleted: [range(0, 3, 4)] })
    expect(partitions).toMatchObject([
      { rows: 9n, deleted: 1n, checksum: null, ledgerChecksum: null },
      { rows: 10n, deleted: 0n, checksum: null, ledgerChecksum: null },
    ])
    expect(clean).toBe(false)
    await rollBackTo(log, 0)
    // All of it is in the log's own file again, which needs no proof.
    expect((await topic.audit({ deep: true })).deep).toMatchObject({ unproven: 0n, returned: [range(0, 3, 4)] })
    expect((await topic.audit({ deep: true })).clean).toBe(true)
  })

  it('are gaps where none is left', async () => {
    const { topic, ...sql } = await tiered()
    await sql.delete(...[0, 1].flatMap((p) => Array.from({ length: ROWS }, (_, at) => [p, at] as const)))
    const report = await topic.audit({ deep: true })
    expect(deepOf(report)).toEqual({ ...nothing, deletedRows: 20n, deleted: [range(0, 0, 10), range(1, 0, 10)] })
    expect(await readAll(topic, 0)).toEqual([])
  })
})

it('are none of those that were moved, however many, and are not remembered as such', async () => {
  const { topic, rows, log, remembered } = await tiered({ limits: { maxGaps: 3 } })
  const offsets = numbersOf(rows, '_kafka_offset')
  const all = Array.from({ length: rows.length }, (_, row) => row)
  // The last two go, and all others move on by two.
  const left = all.filter((row) => offsets[row]! < ROWS - 2)
  const kept = pick(rows, left)
  await replaceRows(log, [
    withNumbers(
      kept,
      '_kafka_offset',
      numbersOf(kept, '_kafka_offset').map((one) => BigInt(one!) + 2n),
    ),
  ])
  expect((await topic.audit({ deep: true })).deep).toMatchObject({
    mismatched: BigInt(2 * (ROWS - 2)),
    deletedRows: 0n,
    deleted: [],
  })
  expect((await remembered()) ?? []).toEqual([])
  await replaceRows(log, [rows])
  const back = await topic.audit({ deep: true })
  expect(back).toMatchObject({ clean: true, deep: { returnedRows: 0n } })
})
