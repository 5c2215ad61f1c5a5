import { expect } from 'vitest'
import { eq } from 'moulin'
import type { OpenTable, Topic } from 'moulin'
import { valuesOf } from './columns.ts'
import type { Values } from './columns.ts'
import type { Model, State } from './model.ts'
import { checkStretch, readAll } from './readers.ts'
import type { Reading, Sent } from './readings.ts'
import type { Stranger } from './stranger.ts'

const names = ['id', 'city', 'note', 'level', 'heat', 'paid', 'spot', 'marks'] as const

const none: ReadonlySet<Sent> = new Set()

/**
 * The log against the model, while nobody works on the table: every record, every row, every count. Rows whose file is `away` are in the
 * write-ahead tier alone until it is put back, and a scan shows them as it has them: columns that the table has dropped are there, too.
 */
export async function checkLog(topic: Topic<Reading>, model: Model, away = none): Promise<void> {
  const state = model.state()
  const stretches = await readAll(topic)
  for (const stretch of stretches) checkStretch(stretch, model, [state])
  const read = new Map(stretches.flatMap(({ records }) => records.map((record) => [placeOf(record), record])))

  const tooLarge = await checkTooLarge(topic, model, state)
  const shownNames = names.filter((name) => !tooLarge.has(name))
  const columns = ['_kafka_partition', '_kafka_offset', ...shownNames] as const
  const scanned = await topic.scan({ columns: columns as never }).toArray()
  const rows = new Map(scanned.map((row) => [`${at(row, '_kafka_partition')}:${at(row, '_kafka_offset')}`, row]))
  expect(rows.size, 'places are scanned once').toBe(scanned.length)
  const cities = new Map<string, number>()
  const shown = (values: object): string => {
    const all = shownNames.map((name) => [name, at(values, name)] as const)
    return textOf(model.blurred(Object.fromEntries(all)))
  }
  for (const sent of model.book.sent.flat()) {
    const options = valueOptions(model, sent, state)
    if (away.has(sent)) options.push(valuesOf(sent.value))
    const row = rows.get(placeOf(sent))
    rows.delete(placeOf(sent))
    if (row === undefined) {
      expect(options, `row ${placeOf(sent)} of the scan`).toEqual([])
      continue
    }
    expect(options.map(shown), `row ${placeOf(sent)} of the scan`).toContain(shown(row))
    const city = at(row, 'city')
    if (typeof city === 'string') cities.set(city, (cities.get(city) ?? 0) + 1)
    // Where nothing says which of several rows counts, everyone must be shown the same one.
    const isCold = sent.offset < model.released[sent.partition]!
    if (isCold && tooLarge.size === 0 && model.candidates(sent, state).length > 1) {
      const { bytes } = read.get(placeOf(sent))!
      const { id, ...rest } = Object.fromEntries(names.map((name) => [name, at(row, name)])) as unknown as Reading
      expect(Buffer.compare(bytes!, model.book.codec.encode({ id, ...rest }))).toBe(0)
    }
  }
  expect([...rows.keys()], 'rows that nobody sent').toEqual([])
  expect(await topic.scan().count()).toBe(scanned.length)
  for (const city of ['copy', 'city 1', 'staged']) {
    const where = eq('city', city)
    expect(await topic.scan({ where }).count(), city).toBe(cities.get(city) ?? 0)
  }
}

const placeOf = ({ partition, offset }: { partition: number; offset: bigint }): string => `${partition}:${offset}`
const at = (row: object, name: string): unknown => (row as Record<string, unknown>)[name]

/** What a scan may show of a record; scans show what the table says at once. */
function valueOptions(model: Model, sent: Sent, state: State): Values[] {
  if (sent.offset >= model.frontier[sent.partition]!) return [valuesOf(sent.value)]
  return model.candidates(sent, state).map(({ values }) => state.columns.seen(values))
}

/** Columns in which SQL has put what the topic's type does not hold: who scans one of them is told by name. Returns them. */
async function checkTooLarge(
  topic: Topic<Reading>,
  model: Model,
  state: State,
): Promise<ReadonlySet<(typeof names)[number]>> {
  const found = new Map<(typeof names)[number], boolean>()
  for (const sent of model.book.sent.flat()) {
    const options = valueOptions(model, sent, state).map((values) => state.columns.tooLarge(values))
    for (const path of options.flat()) {
      const name = path.split('.')[0] as (typeof names)[number]
      const isShown = options.every((paths) => paths.includes(path))
      found.set(name, isShown || found.get(name) === true)
    }
  }
  for (const [name, isShown] of found) {
    // Where another row may count, it may be shown.
    if (!isShown) continue
    const scanned = topic.scan({ columns: [name] as never }).toArray()
    await expect(scanned).rejects.toMatchObject({ code: 'BAD_VALUE', message: expect.stringContaining(`in ${name}`) })
  }
  return new Set(found.keys())
}

/** In a form that compares well: absent members are nulls. */
function textOf(values: unknown): string {
  return JSON.stringify(values, (_, value: unknown) => {
    if (value === undefined) return null
    if (typeof value === 'bigint') return String(value)
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/** Spark's rows against the model's, so that a wrong model shows. */
export async function checkSpark(stranger: Stranger, model: Model): Promise<void> {
  const listed = model.columns.listed.map((name) => `'${name}', ${name}`).join(', ')
  const struct = `to_json(named_struct(${listed}), map('ignoreNullFields', 'false'))`
  const found = await stranger.select(`_kafka_partition, _kafka_offset, decode(_kafka_key, 'UTF-8'), ${struct}`)
  const theirs = found.map(([partition, offset, key, row]) =>
    [partition, offset, key, textOf(model.blurred(JSON.parse(row!) as object))].join(' '),
  )
  expectSame(theirs, tableRows(model), 'Spark')
  const { snapshots, 'current-snapshot-id': current } = stranger.metadata
  // An upgrade alone gives none: only the next snapshot does.
  if (snapshots.find((each) => each['snapshot-id'] === current)?.['first-row-id'] === undefined) return
  const [ids] = await stranger.select('count(*), count(_row_id), count(DISTINCT _row_id)')
  expect(new Set(ids), 'row ids').toEqual(new Set([String(model.rows.length)]))
}

/** All rows of the table, whoever's, as text. */
const tableRows = (model: Model): string[] =>
  model.rows.map(({ sent, key, values, extras }) =>
    [
      sent?.partition ?? 'None',
      sent?.offset ?? 'None',
      key ?? 'None',
      textOf(model.blurred(model.columns.shown(values, extras))),
    ].join(' '),
  )

/** What one sees of the table who has no log: now, and at a snapshot of before. */
export async function checkOpenTable(table: OpenTable, model: Model, earlier: string | undefined): Promise<void> {
  await table.refresh()
  const rows = await table.scan().toArray()
  const found = rows.map((row) => {
    const values = row as Record<string, unknown>
    const { _kafka_partition: partition, _kafka_offset: offset, _kafka_key: key } = values
    const keyText = key === null ? 'None' : Buffer.from(key as Uint8Array).toString()
    const paid = model.columns.isThere('paid') ? model.columns.sql('paid') : undefined
    const shown = Object.entries(values).flatMap(([name, value]) =>
      name.startsWith('_kafka_') ? [] : [[name, name === paid && value !== null ? Number(value) : plain(value)]],
    )
    return [partition ?? 'None', offset ?? 'None', keyText, textOf(model.blurred(Object.fromEntries(shown)))].join(' ')
  })
  expectSame(found, tableRows(model), 'openTable')
  expect(await table.count()).toBe(model.rows.length)
  if (earlier !== undefined) expect(await table.at(BigInt(earlier)).count()).toBe(model.rowsAt(earlier))
}

/** Numbers as JSON has them, whatever their width. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
}

/** Shows what one side alone has, and not all. */
function expectSame(found: readonly string[], expected: readonly string[], who: string): void {
  const count = (rows: readonly string[]): Map<string, number> => {
    const counts = new Map<string, number>()
    for (const row of rows) counts.set(row, (counts.get(row) ?? 0) + 1)
    return counts
  }
  const [theirs, ours] = [count(found), count(expected)]
  const beyond = (some: Map<string, number>, others: Map<string, number>): string[] =>
    [...some].flatMap(([row, times]) => (times > (others.get(row) ?? 0) ? [row] : []))
  const seen = { rows: found.length, only: beyond(theirs, ours).slice(0, 5), lacks: beyond(ours, theirs).slice(0, 5) }
  expect(seen, `rows that ${who} sees`).toEqual({ rows: expected.length, only: [], lacks: [] })
}
