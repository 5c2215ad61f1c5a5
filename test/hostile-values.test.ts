/** Values of an application in which something else stands than what belongs there: refused by name, and never asked anything. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  eq,
  gt,
  isIn,
  isMoulinError,
  parseJson,
  schema,
  startsWith,
  t,
  type Codec,
  type Log,
  type Topic,
} from '@moulin/core'
import { avro, encodeBatch, json } from '@moulin/format'
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

/** Arrays of the bytes 1 to 8 that say something else of themselves, each in another way. */
function liars(): Record<string, Uint8Array> {
  const own = (members: PropertyDescriptorMap): Uint8Array =>
    Object.defineProperties(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), members)
  let asked = 0
  class Growing extends Uint8Array {
    override get length(): number {
      return asked++
    }
  }
  class Throwing extends Uint8Array {
    override get length(): number {
      throw new Error('asked')
    }
    override get byteLength(): number {
      throw new Error('asked')
    }
    override get byteOffset(): number {
      return 4096
    }
    override get buffer(): ArrayBuffer {
      return new ArrayBuffer(1)
    }
  }
  return {
    'an own length': own({ length: { value: 4000 } }),
    'an own length of nothing': own({ length: { value: undefined }, byteLength: { value: -1 } }),
    'another length each time': Growing.of(1, 2, 3, 4, 5, 6, 7, 8),
    'a length that throws': Throwing.of(1, 2, 3, 4, 5, 6, 7, 8),
    'methods of its own': own({ subarray: { value: () => 'no bytes' }, [Symbol.iterator]: { value: null } }),
  }
}

/** Arrays that have lost their memory, and what only seems to be one. */
function ghosts(): Record<string, Uint8Array> {
  const detached = new Uint8Array(16)
  detached.buffer.transfer()
  const shrunk = new ArrayBuffer(32, { maxByteLength: 64 })
  const beyond = new Uint8Array(shrunk, 16, 8)
  shrunk.resize(20)
  return {
    detached,
    beyond,
    proxy: new Proxy(new Uint8Array(8), {}),
    heir: Object.create(Uint8Array.prototype) as Uint8Array,
  }
}

const Raw = schema({ raw: t.binary, four: t.list(t.fixed(8)) })

describe('bytes that say something else of themselves', () => {
  const real = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
  type Call = (topic: Topic<Uint8Array>, bytes: Uint8Array) => Promise<unknown>
  const calls: Record<string, { readonly call: Call; readonly partitions?: number }> = {
    key: {
      call: (topic, key) => topic.producer({ lingerMs: 0 }).send({ key, value: real, partition: 0 }),
      partitions: 3,
    },
    'key that chooses': { call: (topic, key) => topic.producer({ lingerMs: 0 }).sendAll([{ key, value: real }]) },
    value: { call: (topic, value) => topic.producer({ lingerMs: 0, compression: 'zstd' }).send({ value }) },
    header: {
      call: (topic, h) => topic.producer({ lingerMs: 0 }).sendAll([{ value: real, headers: { a: 'x', h } }]),
    },
    'value that waits': {
      call: (topic, value) => {
        const producer = topic.producer({ lingerMs: 0, maxUnackedBytes: 1 })
        return Promise.all([producer.send({ value: real }), producer.send({ value, headers: [['h', value]] })])
      },
    },
  }

  it.each(Object.entries(calls))('are stored as they are (%s)', async (name, { call, partitions = 1 }) => {
    const topic = await log.createTopic('raw', { partitions })
    const good = topic.producer({ lingerMs: 0 })
    for (const bytes of Object.values(liars())) {
      await Promise.all([good.send({ value: real, partition: 0 }), call(topic, bytes)])
    }
    let records = 0
    for (let partition = 0; partition < partitions; partition++) {
      for await (const { key, bytes, headers } of topic.read({ partition, to: 'end' })) {
        records++
        const all = [key, bytes, ...headers.filter(([h]) => h === 'h').map(([, content]) => content)]
        for (const each of all) if (each !== null) expect(each, name).toEqual(real)
      }
    }
    expect(records).toBe(Object.keys(liars()).length * (name === 'value that waits' ? 3 : 2))
    expect(await topic.tier()).toMatchObject({ rows: records })
  })

  it.each(Object.entries(calls))('are refused where there are none (%s)', async (_name, { call, partitions = 1 }) => {
    const topic = await log.createTopic('raw', { partitions })
    for (const [what, bytes] of Object.entries(ghosts())) {
      const ends = await call(topic, bytes).then(
        () => 'stored',
        (error: unknown) => error,
      )
      expect(isMoulinError(ends) && [ends.kind, ends.outcome], `${what}: ${String(ends)}`).toEqual([
        'invalid',
        'rejected',
      ])
    }
  })

  it('are appended as they are, or refused', async () => {
    const topic = await log.createTopic('raw', { timestampBeforeMaxMs: -1 })
    const record = { offset: 0n, timestamp: 1n, key: null, value: real, headers: [] }
    const batch = encodeBatch({ baseOffset: 0n, timestampType: 'create', records: [record] })
    const cut = Object.defineProperty(new Uint8Array(batch), 'length', { value: 20 })
    await topic.append({ partition: 0, batches: cut })
    for (const batches of Object.values(ghosts())) {
      await expect(topic.append({ partition: 0, batches })).rejects.toMatchObject({ kind: 'invalid' })
    }
    expect(topic.offsets()[0]!.highWatermark).toBe(1n)
    for await (const { bytes } of topic.read({ to: 'end' })) expect(bytes).toEqual(real)
  })

  it.each([
    { name: 'avro', codec: avro(Raw) },
    { name: 'json', codec: json(Raw) },
  ])('are so in values, too ($name)', async ({ codec }) => {
    const topic = await log.createTopic('typed', { value: codec })
    const producer = topic.producer({ lingerMs: 0 })
    for (const raw of Object.values(liars())) await producer.send({ value: { raw, four: [raw, real] } })
    for (const raw of Object.values(ghosts())) {
      await expect(producer.send({ value: { raw, four: [] } })).rejects.toMatchObject({ kind: 'invalid' })
      await expect(producer.send({ value: { raw: real, four: [real, raw] } })).rejects.toMatchObject({
        kind: 'invalid',
      })
    }
    let records = 0
    for await (const { value, fidelity } of topic.read({ to: 'end' })) {
      expect({ ...value, fidelity }).toEqual({ raw: real, four: [real, real], fidelity: 'exact' })
      records++
    }
    expect(records).toBe(Object.keys(liars()).length)
  })

  it('are so when a codec of one’s own gives them', async () => {
    const Own = schema({ raw: t.binary })
    let next: unknown
    let isForged = true
    const codec: Codec<{ raw: Uint8Array }> = {
      ...avro(Own),
      encode: (value) => (isForged ? next : avro(Own).encode(value)) as Uint8Array,
    }
    const topic = await log.createTopic('own', { value: codec })
    const producer = topic.producer({ lingerMs: 0 })
    for (const bad of [...Object.values(ghosts()), undefined, 'text', new Uint16Array(4), { length: 3 }]) {
      next = bad
      await expect(producer.send({ value: { raw: real } })).rejects.toMatchObject({
        kind: 'invalid',
        code: 'CODEC_BYTES',
      })
    }
    const honest = avro(Own).encode({ raw: real })
    next = Object.defineProperty(new Uint8Array(honest), 'length', { value: 3 })
    await producer.send({ value: { raw: real } })
    isForged = false
    await producer.send({ value: { raw: real } })
    for await (const record of topic.read({ to: 'end' })) expect(record.bytes).toEqual(honest)
    expect(topic.offsets()[0]!.highWatermark).toBe(2n)
  })
})

describe('headers that say something else each time', () => {
  it('are asked once', async () => {
    const topic = await log.createTopic('raw')
    const producer = topic.producer({ lingerMs: 0 })
    const value = new Uint8Array(1)
    const headers: [string, string][] = [
      ['a', '1'],
      ['b', '2'],
    ]
    let asked = 0
    const shifting = Object.defineProperties([...headers], {
      map: { value: () => Array.from({ length: 3 }, () => ['odd', new Uint8Array(9)]) },
      [Symbol.iterator]: { value: () => headers.slice(asked++)[Symbol.iterator]() },
    })
    await Promise.all([
      producer.send({ value }),
      producer.send({ value, headers: shifting as never }),
      producer.send({ value }),
    ])
    const found: unknown[] = []
    for await (const record of topic.read({ to: 'end' })) {
      found.push(record.headers.map(([name, content]) => [name, content && Buffer.from(content).toString()]))
    }
    expect(found).toEqual([[], headers, []])
  })
})
