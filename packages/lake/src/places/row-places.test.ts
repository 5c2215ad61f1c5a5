/** Rows that strangers copied: reads, scans, counts, audits and recounts all show the same one of those at a place. */
import { and, eq, gte, lt, schema, t, tableFiles } from '@moulin/core'
import type { Codec, ColdTopic, ColumnBatch, ObjectStore, Scan } from '@moulin/core'
import { avro, openParquet, storeRangeReader } from '@moulin/format'
import { currentSchema, planScan } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import { hookedStore } from '@moulin/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  allRows,
  change,
  commitFiles,
  foreignFile,
  numbersOf,
  pick,
  replaceRows,
  tableOf,
  withNumbers,
} from '../foreign.test-support.ts'
import { recordsOf, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'
import { SliceBuffer } from '../encode/slice-buffer.ts'

const Parcel = schema({ grams: t.int53, street: t.string })
const codec = avro(Parcel) as Codec
const ROWS = 8
/** No checksum covers it, so a test can tell copies apart that are the same record. */
const TAG = '_kafka_key_schema_id'

async function tieredLog(options: TestLogOptions = {}): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ codec, ...options, info: { partitionBy: [], ...options.info } })
  const topic = await log.attach()
  for (let from = 0; from < ROWS; from += ROWS / 2) {
    for (let partition = 0; partition < log.info.partitions; partition++) {
      const record = (_: unknown, at: number) => ({
        key: utf8(`k${from + at}`),
        value: codec.encode({ grams: gramsAt(partition, from + at), street: 'quay' }),
      })
      log.hot.send(partition, Array.from({ length: ROWS / 2 }, record))
    }
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  return { log, topic }
}

const gramsAt = (partition: number, offset: number): number => 100 * partition + offset

/** Rows (numbered as in the table) of a copy, their tags, and which of them say something else now. */
interface Copied {
  readonly rows: readonly number[]
  readonly altered: readonly boolean[]
}

/** Copies get tags from `tag` on. */
function copyOf(rows: ColumnBatch, { rows: picked, altered }: Copied, tag: number): ColumnBatch {
  const some = pick(rows, picked)
  const tagged = withNumbers(
    some,
    TAG,
    picked.map((_, at) => tag + at),
  )
  const grams = numbersOf(some, 'grams').map((value, at) => (altered[at] === true ? BigInt(tag + at) * 1000n : value))
  return withNumbers(tagged, 'grams', grams)
}

async function append(log: TestLog, batch: ColumnBatch, name: string): Promise<void> {
  const table = await tableOf(log)
  await commitFiles(log, table, [await foreignFile(log, table, batch, name)], log.runtime.random.uuid())
}

interface ModelRow {
  readonly partition: number
  readonly offset: number
  readonly tag: number
  readonly grams: number
  readonly crc: bigint
}

/** What the rule says, from all rows of all files, none left out. */
async function expected(log: TestLog): Promise<{ readonly winners: ModelRow[]; readonly total: number }> {
  const { metadata } = await tableOf(log)
  const claims: (ModelRow & { bound: boolean; sequence: bigint; path: string; row: number })[] = []
  for await (const { file, sequenceNumber } of planScan({ tableFiles: tableFiles(log.store), metadata })) {
    const rows = await rowsOf(log, file)
    const column = (name: string): (number | bigint | null)[] => numbersOf(rows, name)
    const [partitions, offsets, tags, grams, crcs] = [
      '_kafka_partition',
      '_kafka_offset',
      TAG,
      'grams',
      '_kafka_crc',
    ].map(column)
    for (let row = 0; row < rows.length; row++) {
      const [partition, offset] = [Number(partitions![row]), Number(offsets![row])]
      claims.push({
        partition,
        offset,
        tag: Number(tags![row]),
        grams: Number(grams![row]),
        crc: BigInt(crcs![row] ?? 0),
        bound: log.info.rowCrc && Number(grams![row]) === gramsAt(partition, offset),
        sequence: sequenceNumber,
        path: file.filePath,
        row,
      })
    }
  }
  const byPlace = Map.groupBy(claims, ({ partition, offset }) => partition * 1000 + offset)
  const winners = [...byPlace.values()].map(
    (all) =>
      all.toSorted(
        (a, b) =>
          Number(b.bound) - Number(a.bound) ||
          Number(a.sequence - b.sequence) ||
          (a.path < b.path ? -1 : a.path > b.path ? 1 : a.row - b.row),
      )[0]!,
  )
  return { winners: winners.sort((a, b) => a.partition - b.partition || a.offset - b.offset), total: claims.length }
}

async function rowsOf(log: TestLog, { filePath, fileSizeBytes }: DataFile): Promise<ColumnBatch> {
  const key = filePath.slice(log.store.root.length)
  const parquet = await openParquet(storeRangeReader(log.store, key, Number(fileSizeBytes)))
  const { fields } = currentSchema((await tableOf(log)).metadata)
  const rows = new SliceBuffer()
  for (let rowGroup = 0; rowGroup < parquet.rowGroups.length; rowGroup++) {
    rows.append(await parquet.read({ rowGroup, types: fields }))
  }
  return rows.view()
}

const COLUMNS = ['_kafka_partition', '_kafka_offset', TAG, 'grams']
const flat = (rows: readonly ModelRow[]): number[][] =>
  rows.map((row) => [row.partition, row.offset, row.tag, row.grams])
async function scanned(scan: Scan<Record<string, unknown>>): Promise<number[][]> {
  const rows = (await scan.toArray()).map((row) => COLUMNS.map((name) => Number(row[name])))
  return rows.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!)
}

/** Offset, tag and value of what reads give. */
async function read(runs: AsyncIterable<Parameters<typeof recordsOf>[0]>): Promise<number[][]> {
  const found: number[][] = []
  for await (const run of runs) {
    const { keySchemaIds = 0 } = run
    for (const [at, { partition, offset, bytes }] of recordsOf(run).entries()) {
      const tag = typeof keySchemaIds === 'number' ? keySchemaIds : keySchemaIds[at]!
      found.push([partition, Number(offset), tag, Number((codec.decode(bytes!) as { grams: number }).grams)])
    }
  }
  return found
}

async function check(log: TestLog, topic: ColdTopic): Promise<void> {
  const { winners, total } = await expected(log)
  const rows = flat(winners)
  expect(await scanned(topic.scan({ columns: COLUMNS }))).toEqual(rows)
  expect(await topic.scan({}).count()).toBe(rows.length)
  // Whatever a predicate refuses, no other row takes its place.
  const tags = new Set(numbersOf(await allRows(log), TAG).map(Number))
  for (const tag of [...tags].filter((_, at) => tags.size < 50 || at % 40 === 0 || at > tags.size - 6)) {
    const where = eq(TAG, tag)
    const its = rows.filter((row) => row[2] === tag)
    expect(await scanned(topic.scan({ columns: COLUMNS, where }))).toEqual(its)
    expect(await topic.scan({ where }).count()).toBe(its.length)
  }
  const where = and(eq('_kafka_partition', 1), gte('_kafka_offset', 2n), lt('_kafka_offset', 5n))
  const some = rows.filter(([partition, offset]) => partition === 1 && offset! >= 2 && offset! < 5)
  expect(await scanned(topic.scan({ columns: COLUMNS, where }))).toEqual(some)

  const { clean, partitions, deep } = await topic.audit({ deep: true })
  expect(partitions).toHaveLength(log.info.partitions)
  for (let partition = 0; partition < log.info.partitions; partition++) {
    const end = topic.frontier()[partition]!
    const inPartition = rows.filter((row) => row[0] === partition)
    expect(await read(topic.read({ partition, from: 0n, to: end }))).toEqual(inPartition)
    const report = partitions.find((each) => each.partition === partition)
    const crcs = winners.filter((row) => row.partition === partition).map(({ crc }) => crc)
    expect(report).toMatchObject({
      rows: BigInt(inPartition.length),
      deleted: end - BigInt(inPartition.length),
      ...(log.info.rowCrc && { checksum: crcs.reduce((a, b) => a + b, 0n) }),
    })
  }
  const positions = [...rows.toReversed(), rows[0]!, rows[0]!].map(([partition, offset]) => ({
    partition: partition!,
    offset: BigInt(offset!),
  }))
  expect(await read(topic.readAt(positions))).toEqual([...rows.toReversed(), rows[0]!, rows[0]!])

  const unseen = partitions.reduce((sum, each) => sum + each.unseen, 0n)
  expect([unseen, deep!.doubledRows]).toEqual([BigInt(total - rows.length), BigInt(total - rows.length)])
  if (unseen > 0n) expect(clean).toBe(false)
}

/** All rows, and some of them once more. */
const doubled = (rows: ColumnBatch, again: readonly number[]): ColumnBatch =>
  pick(rows, [...again.map((row) => row % rows.length), ...Array.from({ length: rows.length }, (_, at) => at)])

const all = Array.from({ length: ROWS * 2 }, (_, at) => at)
const copied = fc
  .array(fc.record({ row: fc.nat(all.length - 1), altered: fc.boolean() }), { minLength: 1, maxLength: 12 })
  .map((rows): Copied => ({ rows: rows.map(({ row }) => row), altered: rows.map(({ altered }) => altered) }))

describe('rows that strangers copied', () => {
  it.each([
    { rowCrc: true, coldReadBytes: undefined },
    { rowCrc: true, coldReadBytes: 1 },
    { rowCrc: false, coldReadBytes: undefined },
  ])('are the same one everywhere ($rowCrc, $coldReadBytes)', async ({ rowCrc, coldReadBytes }) => {
    const step = fc.record({ kind: fc.constantFrom('append', 'again', 'rewrite', 'cut'), copied, late: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 3 }), async (steps) => {
        const tier = coldReadBytes === undefined ? {} : { tier: { coldReadBytes } }
        const { log, topic } = await tieredLog({ info: { rowCrc }, ...tier })
        const original = await allRows(log)
        for (const [at, { kind, copied, late }] of steps.entries()) {
          const batch = copyOf(original, copied, 100 * (at + 1))
          const name = `${late ? 'z' : 'a'}${at}`
          if (kind === 'append') await append(log, batch, name)
          // A rewrite puts all in files of one sequence number, copies beside originals.
          else if (kind === 'rewrite') await replaceRows(log, [doubled(await allRows(log), copied.rows), batch])
          else if (kind === 'cut')
            await replaceRows(log, [
              batch,
              pick(
                original,
                all.filter((row) => row % 3 !== 0),
              ),
            ])
          else {
            const table = await tableOf(log)
            for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata: table.metadata })) {
              await commitFiles(log, table, [file], log.runtime.random.uuid())
              break
            }
          }
        }
        await check(log, topic)
      }),
      { numRuns: 12 },
    )
  })

  it('are chosen among before a predicate is asked', async () => {
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    // Of partition 1, offset 3: the original was moved to a late file, and a copy that says something else is older.
    const at = ROWS + 3
    const rest = pick(
      rows,
      all.filter((row) => row !== at),
    )
    await replaceRows(log, [rest])
    await append(log, copyOf(rows, { rows: [at], altered: [true] }, 500), 'older')
    await append(log, copyOf(rows, { rows: [at], altered: [false] }, 600), 'younger')
    for (const where of [eq('grams', 500_000n as never), eq(TAG, 500)]) {
      expect(await topic.scan({ where }).toArray()).toEqual([])
      expect(await topic.scan({ where }).count()).toBe(0)
    }
    expect(await topic.scan({ where: eq(TAG, 600) }).count()).toBe(1)
    expect(await topic.scan({}).count()).toBe(all.length)
    await check(log, topic)
  })

  it('are told apart where offsets lie scattered over all files, also after the log went on', async () => {
    const { log, topic } = await tieredLog({ info: { partitions: 1 } })
    const more = Array.from({ length: 400 }, (_, at) => ({ value: codec.encode({ grams: ROWS + at, street: 'lock' }) }))
    log.hot.send(0, more)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const rows = await allRows(log)
    const part = (rest: number): number[] =>
      Array.from({ length: rows.length }, (_, at) => (at * 211) % rows.length).filter((row) => row % 3 === rest)
    const files = [0, 1, 2].map((rest) => copyOf(rows, { rows: part(rest), altered: [] }, 1000 * (rest + 1)))
    await replaceRows(log, files)
    await check(log, topic)
    await append(log, copyOf(rows, { rows: [17, 300, 300, 41], altered: [true, true, false, false] }, 5000), 'copies')
    await check(log, topic)
    log.hot.send(0, [{ value: codec.encode({ grams: ROWS + 400, street: 'pier' }) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await check(log, topic)
    await check(log, await log.reopen().attach())
  })
})

describe('what it costs to know which row counts', () => {
  /** Counts what is fetched of data files, and of manifests and their lists. */
  function counting(): { readonly store: ObjectStore; readonly taken: () => { data: number; manifests: number } } {
    const store = hookedStore()
    let [data, manifests] = [0, 0]
    const counted: ObjectStore = {
      ...store,
      get(key, options) {
        if (key.includes('/data/')) data++
        if (key.endsWith('.avro')) manifests++
        return store.get(key, options)
      },
    }
    const taken = (): { data: number; manifests: number } => {
      const now = { data, manifests }
      data = manifests = 0
      return now
    }
    return { store: counted, taken }
  }
  const where = and(eq('_kafka_partition', 1), lt('_kafka_offset', 2n))

  it('is nothing in a table that the log alone writes, also once its older snapshots have expired', async () => {
    const { store, taken } = counting()
    const { log, topic } = await tieredLog({ store })
    taken()
    expect(await topic.scan({}).count()).toBe(2 * ROWS)
    // A list and two manifests, once: they never change.
    expect(taken()).toEqual({ data: 0, manifests: 3 })
    expect(await topic.scan({ where, columns: ['grams'] }).toArray()).toHaveLength(2)
    expect(taken().manifests).toBe(0)
    await topic.scan({ where, columns: ['grams'] }).toArray()
    // Of one file what the predicate asks for, and the rest.
    const again = taken()
    expect(again).toEqual({ data: 2, manifests: 0 })

    const { metadata } = await tableOf(log)
    const current = String(metadata['current-snapshot-id'])
    const old = metadata.snapshots!.map((one) => one['snapshot-id']).filter((id) => String(id) !== current)
    await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': old }])
    await topic.scan({ where, columns: ['grams'] }).toArray()
    expect(taken()).toEqual(again)
    // One that has seen nothing yet looks at all names: what it reads for that, the scan reads no more.
    const next = await log.reopen().attach()
    taken()
    expect(await next.scan({}).count()).toBe(2 * ROWS)
    expect(taken()).toEqual({ data: 0, manifests: 3 })
    log.hot.send(0, [{ value: codec.encode({ grams: ROWS, street: 'quay' }) }])
    await next.tier({ upTo: log.hot.committedOffsets() })
    taken()
    expect(await next.scan({}).count()).toBe(2 * ROWS + 1)
    // The new list, and the manifest that is new in it.
    expect(taken()).toEqual({ data: 0, manifests: 2 })
  })

  it('is one look at the identity of the rows of others, for as long as the process lives', async () => {
    const { store, taken } = counting()
    const { log, topic } = await tieredLog({ store })
    const rows = await allRows(log)
    const partition = (of: number): ColumnBatch =>
      pick(
        rows,
        all.filter((row) => numbersOf(rows, '_kafka_partition')[row] === of),
      )
    await replaceRows(log, [partition(0), partition(1)])
    taken()
    expect(await topic.scan({}).count()).toBe(2 * ROWS)
    expect(taken().data).toBeGreaterThan(0)
    expect(await topic.scan({}).count()).toBe(2 * ROWS)
    expect(taken()).toEqual({ data: 0, manifests: 0 })
    await topic.scan({ columns: ['grams'] }).toArray()
    expect(taken().data).toBe(2)
    // A file beside them is looked at; they are not again.
    log.hot.send(0, [{ value: codec.encode({ grams: ROWS, street: 'quay' }) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    taken()
    expect(await topic.scan({}).count()).toBe(2 * ROWS + 1)
    expect(taken().data).toBe(0)
  })
})
