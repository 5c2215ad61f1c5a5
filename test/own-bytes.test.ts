/** Whose memory bytes are: what a reader gets is his own, and what a producer gave is his again. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { schema, t, type Header, type LogRecord, type Topic } from '@moulin/core'
import { avro, encodeBatch, json } from '@moulin/format'
import { openLog } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-bytes-'))
})
afterEach(async () => {
  await rm(root, { recursive: true })
})

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array | null): string | null => bytes && new TextDecoder().decode(bytes)

/** What a reader might do to all that he was given. Every view of bytes must be a plain one. */
function spoil(given: unknown): void {
  if (given instanceof Uint8Array) {
    expect(Object.getPrototypeOf(given)).toBe(Uint8Array.prototype)
    given.fill(0xee)
  } else if (given instanceof Map) {
    for (const [key, value] of given) spoil([key, value])
  } else if (given !== null && typeof given === 'object') {
    for (const member of Object.values(given)) spoil(member)
  }
}

const Shape = schema({
  id: t.int,
  raw: t.binary,
  four: t.fixed(4),
  list: t.list(t.binary),
  map: t.map(t.string, t.binary),
})
const shape = (
  id: number,
): { id: number; raw: Uint8Array; four: Uint8Array; list: Uint8Array[]; map: Map<string, Uint8Array> } => ({
  id,
  raw: utf8(`raw-${id}`),
  four: utf8(String(id).padStart(4, '0')),
  list: [utf8(`one-${id}`), utf8('')],
  map: new Map([['k', utf8(`mapped-${id}`)]]),
})

type Plain = readonly [string | null, string | null, readonly (readonly [string, string | null])[]]
const plainOf = ({ key, bytes, headers }: LogRecord<unknown>): Plain => [
  textOf(key),
  textOf(bytes),
  headers.map(([name, value]) => [name, textOf(value)] as const),
]

/** Everything, as text; then it is spoiled. */
async function readAndSpoil(topic: Topic<unknown>): Promise<Plain[]> {
  const found: Plain[] = []
  for await (const record of topic.read({ to: 'end' })) {
    found.push(plainOf(record))
    spoil(record)
  }
  const places = found.map((_, offset) => ({ partition: 0, offset: BigInt(offset) }))
  let at = 0
  for await (const record of topic.readAt(places)) {
    expect(plainOf(record!)).toEqual(found[at++])
    // Looked up one by one, they hold no more memory than they need.
    const views = [record!.bytes, record!.key, ...record!.headers.map(([, value]) => value)]
    for (const view of views) if (view !== null) expect(view.buffer.byteLength).toBe(view.length)
    spoil(record)
  }
  return found
}

describe('bytes that a reader gets', () => {
  it.each(['none', 'gzip', 'zstd'] as const)(
    'are his own: hot, from the write-ahead file, from the table (%s)',
    { timeout: 60_000 },
    async (compression) => {
      const headers: Header[] = [
        ['h', utf8('header')],
        ['none', null],
      ]
      const expected = Array.from({ length: 40 }, (_, at): Plain => [
        `key-${at}`,
        `value-${at}`.repeat(20),
        [
          ['h', 'header'],
          ['none', null],
        ],
      ])
      for (const tailRingBytes of [1, 1_000_000]) {
        const dir = join(root, `${compression}-${tailRingBytes}`)
        const log = await openLog(dir, { threads: 0, graceMs: 0, limits: { tailRingBytes } })
        const topic = await log.createTopic('raw')
        const producer = topic.producer({ compression, lingerMs: 0 })
        await producer.sendAll(expected.map(([key, value]) => ({ key, value: utf8(value!), headers })))
        for (let reader = 0; reader < 2; reader++) expect(await readAndSpoil(topic)).toEqual(expected)
        const rows = (): Promise<Record<string, unknown>[]> =>
          topic.scan({ columns: ['_kafka_key', '_kafka_value', '_kafka_headers'] }).toArray()
        for (let reader = 0; reader < 2; reader++) {
          const found = await rows()
          expect(found.map((row) => textOf(row['_kafka_value'] as Uint8Array))).toEqual(expected.map(([, v]) => v))
          spoil(found)
        }
        expect(await topic.tier()).toMatchObject({ rows: 40 })
        expect((await topic.audit({ deep: true })).clean).toBe(true)
        await log.releaseNow()
        expect(topic.offsets()[0]!.released).toBe(40n)
        for (let reader = 0; reader < 2; reader++) {
          expect(await readAndSpoil(topic)).toEqual(expected)
          spoil(await rows())
        }
        await log.close()
      }
    },
  )

  it.each([
    { name: 'avro', codec: avro(Shape) },
    { name: 'json', codec: json(Shape) },
  ])('are his own in values, too ($name)', async ({ codec }) => {
    const log = await openLog(root, { threads: 1, graceMs: 0 })
    const topic = await log.createTopic('shapes', { value: codec })
    const expected = Array.from({ length: 30 }, (_, id) => shape(id))
    await topic.producer().sendAll(expected.map((value) => ({ value })))
    const read = async (): Promise<void> => {
      for (let reader = 0; reader < 2; reader++) {
        const values: unknown[] = []
        const records: unknown[] = []
        for await (const record of topic.read({ to: 'end' })) {
          values.push(structuredClone(record.value))
          records.push(record)
        }
        expect(values).toEqual(expected)
        spoil(records)
        const rows = await topic.scan().toArray()
        expect(rows.map((row) => ({ ...row }))).toEqual(expected)
        spoil(rows)
      }
    }
    await read()
    await topic.tier()
    await log.releaseNow()
    await read()
    await log.close()
  })
})

describe('bytes that are given', () => {
  it('may be used again once send has its promise, room or not', async () => {
    const log = await openLog(root, { threads: 0 })
    const topic = await log.createTopic('raw')
    // Room for one record at a time.
    const producer = topic.producer({ maxUnackedBytes: 1, lingerMs: 0 })
    const [key, value, header] = [new Uint8Array(1), new Uint8Array(8), new Uint8Array(1)]
    const sends = Array.from({ length: 20 }, (_, at) => {
      for (const bytes of [key, value, header]) bytes.fill(65 + at)
      return producer.send({ key, value, headers: [['h', header]] })
    })
    for (const bytes of [key, value, header]) bytes.fill(0)
    await Promise.all(sends)
    const found = (await readAndSpoil(topic)).sort()
    const letters = Array.from({ length: 20 }, (_, at) => String.fromCharCode(65 + at))
    expect(found).toEqual(letters.map((letter) => [letter, letter.repeat(8), [['h', letter]]]))
    await log.close()
  })

  it('may be used again by a source of sendAll for its next record', async () => {
    const log = await openLog(root, { threads: 0 })
    const topic = await log.createTopic('raw')
    const producer = topic.producer({ maxUnackedBytes: 1, lingerMs: 0 })
    const value = new Uint8Array(3)
    const source = function* (): Generator<{ value: Uint8Array }> {
      for (let at = 0; at < 20; at++) yield { value: value.fill(65 + at) }
    }
    await producer.sendAll(source())
    await producer.sendAll(
      (async function* () {
        for (const record of source()) yield await Promise.resolve(record)
      })(),
    )
    const letters = Array.from({ length: 20 }, (_, at) => String.fromCharCode(65 + at).repeat(3))
    expect((await readAndSpoil(topic)).map(([, text]) => text)).toEqual([...letters, ...letters])
    await log.close()
  })

  it('may be used again once append has its promise', async () => {
    const log = await openLog(root, { threads: 0 })
    const topic = await log.createTopic('raw', { timestampBeforeMaxMs: -1 })
    const record = { offset: 0n, timestamp: 1n, key: null, value: utf8('kept'), headers: [] }
    const batches = encodeBatch({ baseOffset: 0n, timestampType: 'create', records: [record] })
    const appended = topic.append({ partition: 0, batches })
    batches.fill(0)
    await appended
    expect((await readAndSpoil(topic)).map(([, text]) => text)).toEqual(['kept'])
    await log.close()
  })
})
