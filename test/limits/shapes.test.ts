/** Shapes that a user gives a topic: depth, columns, partitions, names, open partition writers; and a reader in a process of its own. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { defaultLimits, formatCaps, isMoulinError, schema, schemaOf, t } from '@moulin/core'
import type { Codec, Limits, ProducerRecord, Schema, Topic, TopicConfig, Type } from '@moulin/core'
import { avro, encodeBatch, json } from '@moulin/format'
import type { Table } from 'apache-arrow'
import { openLog } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { everyRecord, openLake, throughTheTable } from './lake-trial.ts'
import { machine } from '../log/machine.ts'

const { maxValueDepth, maxValueFields } = formatCaps
const times = <T>(count: number, of: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => of(at))

const refusal = async (work: () => unknown): Promise<string> => {
  try {
    await work()
  } catch (error) {
    if (isMoulinError(error) && error.outcome === 'rejected') return error.code
    throw error
  }
  return 'accepted'
}

const sendAndAppend =
  (codec: Codec<never>, values: readonly never[]) =>
  async (topic: Topic<never>): Promise<void> => {
    const producer = topic.producer({ lingerMs: 0 })
    for (const value of values) await producer.send({ value } as ProducerRecord<never>)
    const records = values.map((value, at) => ({
      key: null,
      value: codec.encode(value),
      headers: [],
      offset: BigInt(at),
      timestamp: -1n,
    }))
    await topic.append({ partition: 0, batches: encodeBatch({ baseOffset: 0n, records, timestampType: 'create' }) })
  }

/** Values as JSON, Maps as entries. */
const shown = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) =>
    member instanceof Map ? [...(member as Map<unknown, unknown>)] : typeof member === 'bigint' ? `${member}n` : member,
  )

const nests: Readonly<
  Record<string, { type: (inner: Type<unknown, false>) => Type; value: (inner: unknown) => unknown }>
> = {
  list: { type: (inner) => t.list(inner), value: (inner) => [inner, inner].slice(0, 1) },
  struct: { type: (inner) => t.struct({ a: inner }), value: (a) => ({ a }) },
  map: { type: (inner) => t.map(t.string, inner), value: (inner) => new Map([['k', inner]]) },
}

function nested(kind: string, levels: number): { readonly of: Schema<never>; readonly value: never } {
  const { type, value } = nests[kind]!
  let deepType: Type = t.int
  let deepValue: unknown = 7
  for (let level = 0; level < levels; level++) {
    deepType = type(deepType as Type<unknown, false>)
    deepValue = value(deepValue)
  }
  return { of: schema({ deep: deepType }) as Schema<never>, value: { deep: deepValue } as never }
}

describe.each(Object.keys(nests))('a value of nested %ss', (kind) => {
  it.each([maxValueDepth - 1, maxValueDepth])('%i deep is read again, as rows and as Arrow', async (levels) => {
    const { of, value } = nested(kind, levels)
    for (const codec of [avro(of), json(of)]) {
      expect(codec.columnar).toBeDefined()
      const { cold } = await throughTheTable({ config: { value: codec }, put: sendAndAppend(codec, [value]) })
      expect(cold.map((record) => shown(record.value))).toEqual([shown(value), shown(value)])
      expect(cold.map(({ fidelity }) => fidelity)).toEqual(['exact', 'exact'])
    }
  })

  it(`${maxValueDepth + 1} deep is refused before there is a topic, or kept as bytes`, async () => {
    const { of, value } = nested(kind, maxValueDepth + 1)
    expect(await refusal(() => avro(of))).toBe('VALUE_DEPTH')
    expect(await refusal(() => json(of))).toBe('VALUE_DEPTH')
    // An Avro schema of somebody else is one still: its values are bytes.
    const foreign = avro<Record<string, unknown>>(avroOf(kind, maxValueDepth + 1))
    expect(foreign.columnar).toBeUndefined()
    const { cold } = await throughTheTable({
      config: { value: foreign } as TopicConfig<never>,
      put: sendAndAppend(foreign as unknown as Codec<never>, [plainMaps(value) as never]),
    })
    expect(cold.map(({ bytes }) => Buffer.from(bytes!).toString('hex'))).toEqual(
      times(2, () => Buffer.from(foreign.encode(plainMaps(value) as Record<string, unknown>)).toString('hex')),
    )
  })
})

/** As {@link nested}, by the names that Avro has for it. */
function avroOf(kind: string, levels: number): string {
  let type: unknown = 'int'
  for (let level = 0; level < levels; level++) {
    if (kind === 'list') type = { type: 'array', items: type }
    else if (kind === 'map') type = { type: 'map', values: type }
    else type = { type: 'record', name: `r${level}`, fields: [{ name: 'a', type }] }
  }
  return JSON.stringify({ type: 'record', name: 'top', fields: [{ name: 'deep', type }] })
}

const plainMaps = (value: unknown): unknown => {
  if (value instanceof Map)
    return new Map([...(value as Map<string, unknown>)].map(([key, member]) => [key, plainMaps(member)]))
  return value
}

it('deep columns come out of a scan as Arrow', async () => {
  const on = machine()
  const log = await openLake(on)
  for (const kind of Object.keys(nests)) {
    const { of, value } = nested(kind, maxValueDepth)
    const topic = (await log.ensureTopic(kind, { value: avro(of) })) as unknown as Topic<never>
    await topic.producer({ lingerMs: 0 }).send({ value } as ProducerRecord<never>)
    await topic.tier()
    await log.releaseNow()
    const table = (await topic.scan().toArrow()) as Table
    expect(table.numRows).toBe(1)
    expect(JSON.stringify(table.get(0))).toContain('7')
    expect((await topic.scan().toIpc()).length).toBeGreaterThan(100)
  }
  await log.close()
})

describe('a value of many fields', () => {
  const wide = (count: number): Schema<never> =>
    schemaOf(times(count, (at) => ({ name: `c${at}`, type: at % 2 === 0 ? t.int.optional() : t.string.optional() })))
  const value = (count: number): never =>
    Object.fromEntries(times(count, (at) => [`c${at}`, at % 2 === 0 ? at : `s${at}`])) as never

  // Each takes ten seconds.
  it.each(process.env['MOULIN_LONG'] === '1' ? [maxValueFields - 1, maxValueFields] : [maxValueFields])(
    '%i: is read again',
    async (count) => {
      const codec = avro(wide(count))
      const put = sendAndAppend(codec, [value(count)])
      const { cold } = await throughTheTable({ config: { value: codec }, put })
      expect(cold.map((record) => shown(record.value))).toEqual(times(2, () => shown(value(count))))
    },
    120_000,
  )

  it(`${maxValueFields + 1}: is refused before there is a topic`, async () => {
    expect(await refusal(() => avro(wide(maxValueFields + 1)))).toBe('VALUE_FIELDS')
    expect(await refusal(() => json(wide(maxValueFields + 1)))).toBe('VALUE_FIELDS')
  })

  it('whose names are too long for metadata or footers is refused before there is a topic', async () => {
    const log = await openLake(machine())
    const of = (fields: number, letters: number): TopicConfig<never> => ({
      value: avro(schemaOf<never>(times(fields, (at) => ({ name: `c${at}`.padEnd(letters, 'x'), type: t.int })))),
    })
    // 1 MiB is half of metadataWarnBytes.
    expect(await refusal(() => log.ensureTopic('many', of(1_000, 1_000)))).toBe('TABLE_TOO_WIDE')
    expect(await refusal(() => log.ensureTopic('long', of(1, 2 ** 20)))).toBe('TABLE_TOO_WIDE')
    expect(await refusal(() => log.ensureTopic('fine', of(1_000, 500)))).toBe('accepted')
    // Short in the schema, long as the path of each of its leaves.
    const inner = times(2_000, (at) => ({ name: `c${at}`, type: t.int }))
    const parent = (letters: number): TopicConfig<never> => ({
      value: json(
        schemaOf<never>([
          {
            name: 'p'.repeat(letters),
            type: t.struct(Object.fromEntries(inner.map(({ name, type }) => [name, type]))),
          },
        ]),
      ),
    })
    expect(await refusal(() => log.ensureTopic('paths', parent(5_000)))).toBe('TABLE_TOO_WIDE')
    expect(await refusal(() => log.ensureTopic('short-paths', parent(2_000)))).toBe('accepted')
    expect(await log.topics()).toEqual(['fine', 'short-paths'])
    await log.close()
  })
})

describe('maxPartitions', () => {
  const limits: Partial<Limits> = { maxPartitions: 6 }

  it.each([5, 6])('%i: are made, and read under a lower limit', async (partitions) => {
    const put = async (topic: Topic<never>): Promise<void> => {
      const producer = topic.producer({ lingerMs: 0 })
      for (let partition = 0; partition < partitions; partition++) {
        await producer.send({ partition, value: Uint8Array.of(partition) } as unknown as ProducerRecord<never>)
        const records = [{ key: null, value: Uint8Array.of(partition), headers: [], offset: 0n, timestamp: -1n }]
        await topic.append({ partition, batches: encodeBatch({ baseOffset: 0n, records, timestampType: 'create' }) })
      }
    }
    const { cold } = await throughTheTable({ limits, readLimits: { maxPartitions: 1 }, config: { partitions }, put })
    expect(cold.map(({ partition, bytes }) => [partition, bytes?.[0]])).toEqual(
      times(2 * partitions, (at) => [at >> 1, at >> 1]),
    )
  })

  it('7: are refused, but a topic that has them is the same one', async () => {
    const on = machine()
    const log = await openLake(on, limits)
    expect(await refusal(() => log.ensureTopic('t', { partitions: 7 }))).toBe('PARTITIONS')
    expect(await refusal(() => log.createTopic('t', { partitions: 7 }))).toBe('PARTITIONS')
    await log.close()
    const larger = await openLake(on)
    await larger.ensureTopic('t', { partitions: 7 })
    await larger.close()
    const again = await openLake(on, limits)
    expect((await again.ensureTopic('t', { partitions: 7 })).partitions).toBe(7)
    await again.close()
  })
})

describe('maxOpenWriters', () => {
  it.each([2, 3, 4])('3, and %i partitions of the table in one commit: all is read', async (days) => {
    const config = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }
    const sentAt = (at: number): number => (at % days) * 86_400_000
    const put = async (topic: Topic<never>): Promise<void> => {
      const records = times(40, (at) => ({
        key: null,
        value: Uint8Array.of(at),
        headers: [],
        offset: BigInt(at),
        timestamp: BigInt(sentAt(at)),
      }))
      await topic.append({ partition: 0, batches: encodeBatch({ baseOffset: 0n, records, timestampType: 'create' }) })
      const producer = topic.producer({ lingerMs: 0 })
      for (let at = 40; at < 80; at++)
        await producer.send({ value: Uint8Array.of(at), timestamp: sentAt(at) } as unknown as ProducerRecord<never>)
    }
    const limits = { maxOpenWriters: 3 }
    const { cold } = await throughTheTable({ limits, readLimits: limits, config, put })
    expect(cold.map(({ bytes }) => bytes![0])).toEqual(times(80, (at) => at))
  })
})

describe('in a folder', () => {
  let dir: string
  beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-limits-'))))
  afterEach(() => rm(dir, { recursive: true }))

  const one = { value: Uint8Array.of(1) }

  it('names of topics and tables as long as they may be are made, tiered and read; longer ones are refused', async () => {
    const level = 'l'.repeat(255)
    const other = 'o'.repeat(255)
    const tables = [
      `a.${level.slice(1)}`,
      `${level}.${level}`,
      [other, other, other, 'o'.repeat(800 - 3 * 256)].join('.'),
    ]
    const names = ['n'.repeat(248), 'n'.repeat(249), ...tables.map((_, at) => `t${at}`)]
    const configOf = (at: number): TopicConfig => (at < 2 ? {} : { table: tables[at - 2]! })
    const log = await openLog(dir, { threads: 0 })
    for (const [at, name] of names.entries()) {
      const topic = await log.ensureTopic(name, configOf(at))
      await topic.producer({ lingerMs: 0 }).send(one)
      expect((await topic.tier()).rows).toBe(1)
    }
    expect(await refusal(() => log.ensureTopic('n'.repeat(250)))).toBe('TOPIC_NAME')
    for (const table of [`a.${level}l`, `${level}l.a`, `${tables[2]!}l`, [...times(17, () => 'a'), 'b'].join('.')])
      expect(await refusal(() => log.ensureTopic('other', { table }))).toBe('TABLE_NAME')
    await log.ensureTopic('levels', { table: [...times(16, () => 'b'), 'b'].join('.') })
    expect([...(await log.topics())].sort()).toEqual([...names, 'levels'].sort())
    await log.releaseNow()
    await log.close()

    const again = await openLog(dir, { threads: 0 })
    for (const name of names) {
      const topic = await again.topic(name)
      expect(topic.offsets()[0]).toMatchObject({ released: 1n, frontier: 1n })
      expect((await everyRecord(topic)).map(({ bytes }) => bytes?.[0])).toEqual([1])
    }
    await again.close()
  })

  it('a record of 16 MiB, framed, is read by another process, with the limits that it has by default', async () => {
    const most = defaultLimits.maxRecordBytes
    const valueOf = (size: number): Uint8Array => {
      // A key of none, a length of four bytes, no headers; and 0xff, which no bound can be cut from and raised.
      return new Uint8Array(size - 1 - 4 - 1).fill(0xff)
    }
    const sizes = [most - 1, most]
    const log = await openLog(dir, { threads: 0, graceMs: 0, limits: { maxRecordBytes: most + 10 } })
    const topic = await log.ensureTopic('t')
    const producer = topic.producer({ lingerMs: 0 })
    for (const size of [...sizes, most + 10]) await producer.send({ value: valueOf(size) })
    expect(await refusal(() => producer.send({ value: valueOf(most + 11) }))).toBe('RECORD_TOO_LARGE')
    await producer.close()
    expect((await topic.tier()).rows).toBe(3)
    await log.releaseNow()
    expect(topic.offsets()[0]).toMatchObject({ released: 3n })
    await log.close()
    const narrow = await openLog(dir, { threads: 0 })
    const again = (await narrow.topic('t')) as Topic<Uint8Array>
    expect(await refusal(() => again.producer().send({ value: valueOf(most + 1) }))).toBe('RECORD_TOO_LARGE')
    await narrow.close()

    const program = fileURLToPath(new URL('cold-reader.ts', import.meta.url))
    const args = ['--conditions=moulin-source', program, dir, 't']
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const expected = [...sizes, most + 10].map((size) => {
      const value = valueOf(size)
      return `${value.length} ${createHash('sha256').update(value).digest('hex')}`
    })
    expect(stdout.trim().split('\n')).toEqual(['released 3', ...expected])
  }, 120_000)
})
