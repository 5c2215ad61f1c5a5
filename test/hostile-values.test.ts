/** Values of an application in which something else stands than what belongs there: refused by name, and never asked anything. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq, gt, isIn, isMoulinError, parseJson, schema, startsWith, t, type Log, type Topic } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { openLog } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let root: string
let log: Log
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-hostile-'))
  log = await openLog(root, { threads: 0 })
})
afterEach(async () => {
  await log.close()
  await rm(root, { recursive: true })
})

const hostile: readonly unknown[] = [
  parseJson('{"toString":""}', 'it'),
  { toString: '' },
  { toString: null, valueOf: 7, constructor: { name: { toString: '' } } },
  { toJSON: '', length: { toString: '' } },
  Object.create(null),
  [{ toString: '' }],
  Object.assign(new Date(NaN), { getTime: '', toISOString: '' }),
  Object.assign(new Uint8Array(2), { toString: '', slice: 0 }),
  Symbol('x'),
  () => 1,
  2n ** 70n,
  '\ud800',
  NaN,
]

const Every = schema({
  boolean: t.boolean,
  int: t.int,
  int53: t.int53,
  long: t.long,
  float: t.float,
  string: t.string,
  binary: t.binary,
  uuid: t.uuid,
  fixed: t.fixed(2),
  date: t.date,
  decimal: t.decimal(5, 2),
  time: t.time,
  at: t.timestamptz,
  micros: t.timestamp.micros,
  list: t.list(t.int),
  map: t.map(t.string, t.int),
  in: t.struct({ a: t.int }),
})
const good = {
  boolean: true,
  int: 1,
  int53: 1,
  long: 1n,
  float: 1,
  string: 'a',
  binary: new Uint8Array(1),
  uuid: '00000000-0000-4000-8000-000000000000',
  fixed: new Uint8Array(2),
  date: '2026-01-01',
  decimal: '1.00',
  time: 1,
  at: new Date(0),
  micros: 1n,
  list: [1],
  map: new Map([['a', 1]]),
  in: { a: 1 },
}

/** What becomes of a call with each hostile value: done, or refused by an error of ours. */
async function callAll(what: string, call: (value: never) => unknown): Promise<number> {
  let refused = 0
  for (const [at, value] of hostile.entries()) {
    try {
      await call(value as never)
    } catch (error) {
      refused++
      const shown = error instanceof Error ? error.stack : 'no error'
      expect(isMoulinError(error) && error.kind !== 'internal', `${what}, value ${at}: ${shown}`).toBe(true)
    }
  }
  return refused
}

const all = async (items: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of items);
}

describe('a hostile value', () => {
  it.each([
    { name: 'avro', codec: avro(Every) },
    { name: 'json', codec: json(Every) },
  ])('in a record is refused by the field ($name)', async ({ codec }) => {
    const topic = (await log.createTopic('typed', { value: codec })) as unknown as Topic<unknown>
    const producer = topic.producer({ lingerMs: 0 })
    await producer.send({ value: good })
    for (const name of Object.keys(good)) {
      const refused = await callAll(name, (value) => producer.send({ value: { ...good, [name]: value } }))
      expect(refused, name).toBeGreaterThan(6)
    }
    const inner: Record<string, (value: never) => object> = {
      list: (value) => ({ list: [1, value] }),
      map: (value) => ({ map: new Map([['a', value]]) }),
      key: (value) => ({ map: new Map([[value, 1]]) }),
      struct: (value) => ({ in: { a: value } }),
      unknown: (value) => ({ other: value }),
    }
    for (const [name, of] of Object.entries(inner)) {
      expect(await callAll(name, (value) => producer.send({ value: { ...good, ...of(value) } }))).toBeGreaterThan(6)
    }
    await callAll('value', (value) => producer.send({ value }))
    // The producer is as good as before.
    await producer.send({ value: good })
    await all(topic.read({ to: 'end' }))
    expect(await topic.tier()).toMatchObject({ rows: expect.any(Number) as number })
  })

  it('beside a value, in place of one, or of a record', async () => {
    const topic = (await log.createTopic('raw')) as unknown as Topic<unknown>
    const producer = topic.producer({ lingerMs: 0 })
    const value = new Uint8Array(1)
    const sends: Record<string, (hostile: never) => unknown> = {
      record: (x) => producer.send(x),
      value: (x) => producer.send({ value: x }),
      key: (x) => producer.send({ value, key: x }),
      headers: (x) => producer.send({ value, headers: x }),
      'a header': (x) => producer.send({ value, headers: [x] }),
      'header key': (x) => producer.send({ value, headers: [[x, null]] }),
      'header value': (x) => producer.send({ value, headers: [['a', x]] }),
      'header member': (x) => producer.send({ value, headers: { a: x } }),
      timestamp: (x) => producer.send({ value, timestamp: x }),
      partition: (x) => producer.send({ value, partition: x }),
      sendAll: (x) => producer.sendAll([x]),
      source: (x) => producer.sendAll(x),
      append: (x) => topic.append(x),
      'append partition': (x) => topic.append({ partition: x, batches: value }),
      'append batches': (x) => topic.append({ partition: 0, batches: x }),
      positions: (x) => all(topic.readAt(x)),
      position: (x) => all(topic.readAt([x])),
      'position partition': (x) => all(topic.readAt([{ partition: x, offset: 0n }])),
      'position offset': (x) => all(topic.readAt([{ partition: 0, offset: x }])),
    }
    for (const [name, send] of Object.entries(sends)) expect(await callAll(name, send), name).toBeGreaterThan(4)
    await producer.send({ value })
    await all(topic.read({ to: 'end' }))
  })

  it('in a query, or as a name', async () => {
    const topic = (await log.createTopic('typed', { value: avro(Every) })) as unknown as Topic<Record<string, never>>
    await topic.producer().send({ value: good as never })
    const scan = (options: object): Promise<unknown> => topic.scan(options as never).toArray()
    for (const [name, { spec }] of Every.fields.map(({ name, type }) => [name, type] as const)) {
      const refused = await callAll(name, (x) => scan({ where: eq(name, x) }))
      expect(refused, name).toBeGreaterThan(spec.kind === 'boolean' ? 6 : 5)
      await callAll(name, (x) => scan({ where: gt(name, x) }))
      await callAll(name, (x) => scan({ where: isIn(name, [x, x]) }))
    }
    const queries: Record<string, (hostile: never) => unknown> = {
      column: (x) => scan({ columns: [x] }),
      columns: (x) => scan({ columns: x }),
      'column of where': (x) => scan({ where: eq(x, 1) }),
      where: (x) => scan({ where: x }),
      op: (x) => scan({ where: { op: x, column: 'int', value: 1 } }),
      and: (x) => scan({ where: { op: 'and', args: [x] } }),
      args: (x) => scan({ where: { op: 'or', args: x } }),
      values: (x) => scan({ where: { op: 'isIn', column: 'int', values: x } }),
      prefix: (x) => scan({ where: startsWith('string', x) }),
      topic: (x) => log.topic(x),
      create: (x) => log.createTopic(x),
      ensure: (x) => log.ensureTopic(x),
    }
    for (const [name, query] of Object.entries(queries)) expect(await callAll(name, query), name).toBeGreaterThan(6)
  })
})
