import { expect } from 'vitest'
import { eq } from 'moulin'
import type { AuditReport, SystemRow, Topic } from 'moulin'
import { keyBytes, Order, PARTITIONS } from './orders.ts'
import type { OrderBook, Sent } from './orders.ts'

/** What an operation means for the rows of the table, in terms of what was sent. */
export interface Meaning {
  /** The record itself where it stays as it is; undefined where its row is gone. */
  readonly change: (sent: Sent) => Sent | undefined
  /** Rows that the record has beyond its own, and say the same. */
  readonly copies?: (sent: Sent) => number
  /** Likewise, that say something else. */
  readonly alteredCopies?: (sent: Sent) => number
  /** Nobody has the record any more, and the ledger was told so. */
  readonly isSkipped?: (sent: Sent) => boolean
  /** Rows of the log that lie in files of others afterwards; undefined where that is the engine's choice. */
  readonly rowsOfOthers?: (tabled: readonly Sent[]) => number
}

/** Where the topic stands; exclusive, per partition. */
export interface Standing {
  /** What the table held when it was changed. */
  readonly changedBelow: readonly bigint[]
  /** Below it, reads come from the table. */
  readonly released: readonly bigint[]
  readonly frontier: readonly bigint[]
}

const valueNames = Order.fields.map(({ name }) => name)
const systemNames = [
  '_kafka_partition',
  '_kafka_offset',
  '_kafka_incarnation',
  '_kafka_timestamp',
  '_kafka_timestamp_type',
  '_kafka_key',
  '_kafka_headers',
  '_kafka_value_state',
  '_kafka_value',
  '_kafka_schema_id',
] as const satisfies readonly (keyof SystemRow)[]

const isBelow = ({ partition, offset }: Sent, ends: readonly bigint[]): boolean => offset < ends[partition]!

/** Reads, scans and audits the topic, and holds all of it against what was sent and what was done. */
export async function checkTopic(topic: Topic<Order>, book: OrderBook, meaning: Meaning, at: Standing): Promise<void> {
  expect(topic.offsets().map(({ released }) => released)).toEqual(at.released)
  await checkRead(topic, book, meaning, at)
  await checkScan(topic, book, meaning, at)
  expect(topic.offsets().map(({ frontier }) => frontier)).toEqual(at.frontier)
  expect(topic.stats().stoppedBy).toBeNull()
  await checkAudit(topic, book, meaning, at)
}

/** What a reader gets, from the earliest record on. What was changed is seen below what the write-ahead tier has let go of. */
async function checkRead(topic: Topic<Order>, book: OrderBook, { change }: Meaning, at: Standing): Promise<void> {
  const expected = book.records.flatMap((sent) => {
    const isChanged = isBelow(sent, at.changedBelow) && isBelow(sent, at.released)
    const record = isChanged ? change(sent) : sent
    return record === undefined ? [] : [recordOf(record, record === sent ? 'exact' : 'rewritten')]
  })
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const found = await readFrom(topic, partition, 'earliest')
    expectRows(
      found,
      expected.filter((record) => record.partition === String(partition)),
    )
  }
}

/** Reads what the write-ahead tier holds, which is what was sent. */
export async function checkHot(topic: Topic<Order>, book: OrderBook, { released }: Standing): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const hot = book.records.filter((sent) => sent.partition === partition && !isBelow(sent, released))
    expectRows(
      await readFrom(topic, partition, released[partition]!),
      hot.map((sent) => recordOf(sent, 'exact')),
    )
  }
}

async function readFrom(topic: Topic<Order>, partition: number, from: bigint | 'earliest'): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const read of topic.read({ partition, from, to: 'end' })) {
    const { offset, key, headers, timestamp, timestampType, bytes, fidelity, value } = read
    const error = read.error !== undefined
    found.push(plain({ partition, offset, key, headers, timestamp, timestampType, bytes, fidelity, value, error }))
  }
  return found
}

function recordOf(sent: Sent, fidelity: string): Record<string, unknown> {
  const { partition, offset, key, headers, timestamp, value, bytes } = sent
  const wanted = { partition, offset, key: keyBytes(key), headers, timestamp, timestampType: 'create', bytes, fidelity }
  return plain({ ...wanted, value: value ?? undefined, error: value === undefined }) as Record<string, unknown>
}

async function checkScan(topic: Topic<Order>, book: OrderBook, { change }: Meaning, at: Standing): Promise<void> {
  const rows = book.records.flatMap((sent) => {
    const record = isBelow(sent, at.changedBelow) ? change(sent) : sent
    return record === undefined ? [] : [record]
  })
  const found = await topic.scan({ columns: [...systemNames, ...valueNames] as never }).toArray()
  expectRows(byPlace(found.map((row) => plain(row))), byPlace(rows.map(rowOf)))
  expect(await topic.scan().count()).toBe(rows.length)
  // Others than were sent stand in rows that are not to be seen.
  const cities = new Set(['foreign', 'copy', ...rows.map(({ value }) => value?.city)])
  for (const city of cities) {
    if (typeof city !== 'string') continue
    const where = eq('city', city)
    const ids = (await topic.scan({ columns: ['id'], where }).toArray()).map(({ id }) => id)
    const wanted = rows.flatMap(({ value }) => (value?.city === city ? [value.id] : []))
    expect(ids.toSorted(ascending), city).toEqual(wanted.toSorted(ascending))
    expect(await topic.scan({ where }).count(), city).toBe(wanted.length)
  }
}

/** What the columns of identity, `id` and `city` hold after all, to an engine that is asked for rows of the log. */
export function rowsOfEngine(book: OrderBook, meaning: Meaning, at: Standing): string[][] {
  const { change, copies = none, alteredCopies = none } = meaning
  const rows = book.records.flatMap((sent) => {
    const isChanged = isBelow(sent, at.changedBelow)
    const record = isChanged ? change(sent) : sent
    if (record === undefined || !isBelow(sent, at.frontier)) return []
    const { partition, offset, value } = record
    const row = (city: string | null | undefined): string[] =>
      [partition, offset, value?.id ?? 'None', city ?? 'None'].map(String)
    const same = Array.from({ length: 1 + (isChanged ? copies(sent) : 0) }, () => row(value?.city))
    const others = Array.from({ length: isChanged ? alteredCopies(sent) : 0 }, () => row('copy'))
    return [...same, ...others]
  })
  return rows.toSorted((a, b) => Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1]) || (a[3]! < b[3]! ? -1 : 1))
}

function rowOf({ partition, offset, key, headers, timestamp, value, kept }: Sent): unknown {
  return plain({
    _kafka_partition: partition,
    _kafka_offset: offset,
    _kafka_incarnation: 0,
    _kafka_timestamp: new Date(Number(timestamp)),
    _kafka_timestamp_type: 0,
    _kafka_key: keyBytes(key),
    _kafka_headers: headers.map(([name, content]) => ({ key: name, value: content })),
    _kafka_value_state: value === null ? 'null' : value === undefined ? 'raw' : kept === null ? 'typed' : 'typed+raw',
    _kafka_value: kept,
    _kafka_schema_id: 1,
    ...(value ?? Object.fromEntries(valueNames.map((name) => [name, null]))),
  })
}

async function checkAudit(topic: Topic<Order>, book: OrderBook, meaning: Meaning, at: Standing): Promise<void> {
  const { change, copies = none, alteredCopies = none, isSkipped = () => false } = meaning
  const tabled = book.records.filter((sent) => isBelow(sent, at.frontier))
  const changed = tabled.filter((sent) => isBelow(sent, at.changedBelow))
  const skipped = changed.filter(isSkipped)
  const gone = changed.filter((sent) => change(sent) === undefined && !isSkipped(sent))
  const extra = (sent: Sent): number => copies(sent) + alteredCopies(sent)
  const altered = changed.filter((sent) => ![sent, undefined].includes(change(sent)))
  const mismatched = [...altered, ...changed.filter((sent) => alteredCopies(sent) > 0)]
  const doubled = changed.filter((sent) => extra(sent) > 0)
  const sum = (records: readonly Sent[]): number => records.reduce((total, sent) => total + extra(sent), 0)
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => {
    const of = (records: readonly Sent[]): Sent[] => records.filter((sent) => sent.partition === partition)
    const ledgerRows = of(tabled).length - of(skipped).length
    const unseen = sum(of(doubled))
    return {
      partition,
      start: 0n,
      frontier: at.frontier[partition],
      rows: BigInt(ledgerRows - of(gone).length),
      ...(unseen === 0 ? {} : { unseen: BigInt(unseen) }),
      ledgerRows: BigInt(ledgerRows),
      control: 0n,
      aborted: 0n,
      skipped: BigInt(of(skipped).length),
      deleted: BigInt(of(gone).length),
    }
  })
  const hasAllRows = gone.length === 0 && doubled.length === 0
  const gaps = [
    ...rangesOf(gone).map((range) => ({ ...range, reason: 'deleted' })),
    ...rangesOf(skipped).map((range) => ({ ...range, reason: 'skipped' })),
  ]

  const report = await topic.audit()
  expect(report).toMatchObject({ clean: hasAllRows, partitions, gaps, deep: null })
  expect(report.gaps).toHaveLength(gaps.length)
  expect(hasSums(report)).toBe(gone.length === 0)

  const deep = await topic.audit({ deep: true })
  expect(deep).toMatchObject({ clean: hasAllRows && mismatched.length === 0, partitions, gaps })
  expect(deep.deep).toMatchObject({
    mismatched: BigInt(mismatched.length),
    doubledRows: BigInt(sum(doubled)),
    unproven: 0n,
    altered: rangesOf(mismatched),
    moved: [],
    doubled: rangesOf(doubled),
  })
  if (meaning.rowsOfOthers !== undefined) expect(deep.deep!.rows).toBe(BigInt(meaning.rowsOfOthers(changed)))
}

const none = (): number => 0
const hasSums = ({ partitions }: AuditReport): boolean =>
  partitions.every(({ checksum, ledgerChecksum }) => checksum === ledgerChecksum)

interface Range {
  partition: number
  from: bigint
  to: bigint
}

export function rangesOf(records: readonly Sent[]): Range[] {
  const ranges: Range[] = []
  for (const { partition, offset } of records.toSorted(
    (a, b) => a.partition - b.partition || Number(a.offset - b.offset),
  )) {
    const last = ranges.at(-1)
    if (last?.partition === partition && last.to === offset) last.to++
    else ranges.push({ partition, from: offset, to: offset + 1n })
  }
  return ranges
}

/** Shows the first rows that differ instead of all. */
function expectRows(found: readonly unknown[], expected: readonly unknown[]): void {
  const texts = found.map((row) => JSON.stringify(row))
  const first = expected.findIndex((row, at) => JSON.stringify(row) !== texts[at])
  const from = first < 0 ? expected.length : first
  expect({ rows: found.length, from, is: found.slice(from, from + 3) }).toEqual({
    rows: expected.length,
    from,
    is: expected.slice(from, from + 3),
  })
}

const ascending = (a: number, b: number): number => a - b

function byPlace(rows: readonly unknown[]): unknown[] {
  const place = (row: unknown): number => {
    const { _kafka_partition: partition, _kafka_offset: offset } = row as Record<string, string>
    return Number(partition) * 1_000_000 + Number(offset)
  }
  return rows.toSorted((a, b) => place(a) - place(b))
}

/** A value in a form that is compared fast and reads well where it differs. */
function plain(value: unknown): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].map((entry) => plain(entry))
  if (Array.isArray(value)) return value.map((each) => plain(each))
  if (value === undefined) return 'undefined'
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, plain((value as Record<string, unknown>)[name])]),
  )
}
