import { isKind, schema, t, TIMESTAMP_MS_MAX, type Log, type Topic, type TopicConfig } from '@moulin/core'
import { avro, crc32c, encodeBatch, json } from '@moulin/format'
import { fileSystem, memory } from '@moulin/storage'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOf, collect, LAKE, machine, openIn, valuesOf, WAL, type Machine } from './machine.ts'
import { openLog } from '@moulin/log'
import { fileWal } from '@moulin/log'

async function topicOf<T = Uint8Array>(
  config: TopicConfig<T> = {},
): Promise<{ log: Log; topic: Topic<T>; on: Machine }> {
  const on = machine()
  const log = await openIn(on.runtime())
  return { log, topic: await log.ensureTopic('orders', config), on }
}

const batch = (count: number, timestamp = 1n): Uint8Array =>
  encodeBatch({
    baseOffset: 40n,
    timestampType: 'create',
    records: Array.from({ length: count }, (_, i) => ({
      offset: 40n + BigInt(i),
      timestamp,
      key: null,
      value: bytesOf(`r${i}`),
      headers: [],
    })),
  })

describe('names', () => {
  it('refuses topic names outside of 1 to 249 of a-z A-Z 0-9 . _ -', async () => {
    const { log } = await topicOf()
    for (const name of ['', 'a/b', '.', '..', 'a b', 'ü', 'x'.repeat(250)]) {
      await expect(log.createTopic(name)).rejects.toMatchObject({ kind: 'invalid', code: 'TOPIC_NAME' })
      await expect(log.topic(name)).rejects.toMatchObject({ kind: 'invalid', code: 'TOPIC_NAME' })
    }
    await log.createTopic('x'.repeat(249))
    await expect(log.topic('unknown')).rejects.toMatchObject({ kind: 'not-found', code: 'NO_TOPIC' })
    await expect(log.createTopic('orders')).rejects.toMatchObject({ kind: 'exists' })
  })
})

describe('a topic config', () => {
  it('is fixed: another one is refused and the difference printed', async () => {
    const { log } = await topicOf({ partitions: 2, table: 'shop.orders' })
    await expect(log.ensureTopic('orders', { partitions: 3, table: 'shop.orders' })).rejects.toMatchObject({
      code: 'CONFIG_DIFFERS',
      message: expect.stringContaining('partitions: stored 2, given 3') as string,
    })
    await expect(log.topic('orders', { rowCrc: false })).rejects.toMatchObject({ code: 'CONFIG_DIFFERS' })
    expect((await log.topic('orders', { partitions: 2 })).config).toMatchObject({ partitions: 2, table: 'shop.orders' })
  })

  it('is unsupported with a changed schema, and the difference is printed', async () => {
    const { log } = await topicOf({ value: avro(schema({ id: t.int, city: t.string })) })
    const changed = avro(schema({ id: t.long, note: t.string }))
    const refused = log.ensureTopic('orders', { value: changed })
    await expect(refused).rejects.toMatchObject({ kind: 'unsupported', code: 'SCHEMA_CHANGED' })
    await expect(refused).rejects.toThrow(
      /field id: stored .*"int".*, given .*"long".*; field city is missing; field note .* is new/,
    )
    await expect(log.topic('orders', { value: json(schema({ id: t.int, city: t.string })) })).rejects.toThrow(
      'stored avro/1, given json/1',
    )
  })

  it('names the option that is wrong', async () => {
    const { log } = await topicOf()
    const bad: [object, string][] = [
      [{ partitions: 0 }, 'PARTITIONS'],
      [{ partitions: 10_001 }, 'PARTITIONS'],
      [{ table: 'flat' }, 'TABLE_NAME'],
      [{ valueMode: 'columns' }, 'VALUE_MODE'],
      [{ onBadRecord: 'dlq' }, 'BAD_RECORD'],
      [{ retentionMs: 1 }, 'OPTION'],
      [{ freshnessMs: 0 }, 'OPTION'],
      [{ timestampAfterMaxMs: -2 }, 'OPTION'],
    ]
    for (const [config, code] of bad) await expect(log.createTopic('bad', config)).rejects.toMatchObject({ code })
    expect(await log.topics()).toEqual(['orders'])
  })
})

describe('a bad record', () => {
  it('is refused by name, and what was sent before and after it is there', async () => {
    const { log, topic } = await topicOf({ partitions: 2 })
    const producer = topic.producer({ lingerMs: 0 })
    const good = producer.send({ value: bytesOf('before'), partition: 0 })
    const bad: [object, string][] = [
      [{ value: undefined }, 'VALUE'],
      [{ value: 'text' }, 'VALUE'],
      [{ value: bytesOf(''), key: 7 }, 'KEY_TYPE'],
      [{ value: bytesOf(''), key: '\ud800' }, 'UTF8'],
      [{ value: bytesOf(''), partition: 2 }, 'PARTITION'],
      [{ value: bytesOf(''), headers: { '\udc00': 'x' } }, 'HEADER_KEY'],
      [{ value: bytesOf(''), headers: [['k', 5]] }, 'HEADER_VALUE'],
      // All that it holds would be left out.
      [{ value: bytesOf(''), headers: new Map([['k', 'v']]) }, 'HEADERS'],
      [{ value: bytesOf(''), headers: [['k', 'v', 'w']] }, 'HEADERS'],
      [{ value: new Uint8Array(16 * 1024 * 1024 + 1) }, 'RECORD_TOO_LARGE'],
      [{ value: bytesOf(''), timestamp: Number.NaN }, 'TIMESTAMP'],
      [{ value: bytesOf(''), timestamp: new Date(Number.NaN) }, 'TIMESTAMP'],
      [{ value: bytesOf(''), timestamp: 0 }, 'TIMESTAMP_BOUND'],
      [{ value: bytesOf(''), timestamp: TIMESTAMP_MS_MAX + 1n }, 'TIMESTAMP_RANGE'],
    ]
    for (const [record, code] of bad) {
      await expect(producer.send(record as never), code).rejects.toMatchObject({ kind: 'invalid', code })
    }
    await producer.send({ value: bytesOf('after'), partition: 0 })
    await good
    expect(await valuesOf(topic)).toEqual(['before', 'after'])
    await log.close()
  })

  it('is refused when the value does not fit the schema', async () => {
    const { topic } = await topicOf({ value: avro(schema({ id: t.int53, city: t.string })) })
    const producer = topic.producer({ lingerMs: 0 })
    for (const value of [{ id: 1 }, { id: 1.5, city: 'x' }, { id: 1, city: 'x', more: 1 }, { id: 1, city: 5 }]) {
      await expect(producer.send({ value } as never)).rejects.toMatchObject({ kind: 'invalid' })
    }
    await producer.send({ value: { id: 1, city: 'ams' } })
    await producer.send({ value: null })
    const records = await collect(topic.read({ to: 'end' }))
    expect(records.map(({ value }) => value?.city)).toEqual(['ams', undefined])
  })

  it('in sendAll: nothing accepted is lost, and the error says what was wrong', async () => {
    const { topic } = await topicOf()
    const records = [{ value: bytesOf('a') }, { value: bytesOf('b') }, { value: 7 }, { value: bytesOf('c') }] as never
    await expect(topic.producer().sendAll(records)).rejects.toMatchObject({ kind: 'invalid', code: 'VALUE' })
    expect(await valuesOf(topic)).toEqual(['a', 'b'])
  })

  it('may have any timestamp in range once both bounds are off', async () => {
    const { topic } = await topicOf({ timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 })
    const producer = topic.producer({ lingerMs: 0 })
    const sent: bigint[] = []
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), async (timestamp) => {
        const isInRange = timestamp <= TIMESTAMP_MS_MAX && timestamp >= -TIMESTAMP_MS_MAX
        const sending = producer.send({ value: bytesOf('x'), timestamp })
        if (!isInRange) await expect(sending).rejects.toMatchObject({ code: 'TIMESTAMP_RANGE' })
        else sent.push((await sending).timestamp)
      }),
      { numRuns: 200, examples: [[TIMESTAMP_MS_MAX], [-TIMESTAMP_MS_MAX], [-1n], [0n], [-(2n ** 63n)]] },
    )
    const records = await collect(topic.read({ to: 'end' }))
    expect(records.map(({ timestamp }) => timestamp)).toEqual(sent)
  })

  it('is unsupported by name where a feature comes later', async () => {
    const { topic } = await topicOf()
    const producer = topic.producer()
    const later: [Promise<unknown>, string][] = [
      [producer.send({ value: bytesOf('x') }, { ifNextOffset: 0n }), 'IF_NEXT_OFFSET'],
      [producer.send({ value: bytesOf('x'), sequence: 1n } as never), 'SEQUENCE'],
    ]
    for (const [call, code] of later) await expect(call).rejects.toMatchObject({ kind: 'unsupported', code })
    for (const options of [{ id: 'a' }, { acks: 'store' }, { compression: 'snappy' }]) {
      expect(() => topic.producer(options as never)).toThrow(/later|not written/)
    }
  })
})

describe('an audit or a read', () => {
  it('is refused with an option that means nothing, by its name and its value', async () => {
    const { topic } = await topicOf()
    const wrong: [options: unknown, text: string][] = [
      [{ deep: 'no' }, 'deep is "no"'],
      [{ deep: 0 }, 'deep is 0'],
      [{ deepp: true }, 'no option deepp'],
      [{ onProgress: true }, 'onProgress is true'],
      [null, 'not null'],
      [true, 'not true'],
    ]
    for (const [options, text] of wrong) {
      const refused = topic.audit(options as never)
      await expect(refused).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION' })
      await expect(refused).rejects.toThrow(text)
    }
    // One that means something comes as far as the table, which this log has not.
    await expect(topic.audit({ deep: true, onProgress: () => {} })).rejects.toMatchObject({ code: 'NO_COLD_TIER' })
    for (const incarnation of ['0', 1.5, -1, null, 0n] as never[]) {
      expect(() => topic.read({ incarnation, to: 'end' })).toThrow(/read: incarnation is .* must be a whole number/)
    }
  })
})

describe('append', () => {
  it('keeps the batches but for their offsets, and leaves the caller’s bytes alone', async () => {
    const { topic, on } = await topicOf({ timestampBeforeMaxMs: -1 })
    const two = new Uint8Array([...batch(3), ...batch(2)])
    const copy = new Uint8Array(two)
    expect(await topic.append({ partition: 0, batches: two })).toEqual({ baseOffset: 0n, lastOffset: 4n })
    expect(await topic.append({ partition: 0, batches: two })).toEqual({ baseOffset: 5n, lastOffset: 9n })
    expect(two).toEqual(copy)
    const records = await collect(topic.read({ to: 'end' }))
    expect(records.map(({ offset }) => offset)).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n])
    expect(on.disk.effectCount).toBeGreaterThan(0)
  })

  it('holds every record to the bounds of time, whatever the header says', async () => {
    const { topic, on } = await topicOf({ partitions: 1, timestampBeforeMaxMs: 60_000, timestampAfterMaxMs: 1_000 })
    const now = BigInt(on.clock.now())
    // What the header says is the first record's, where nothing else is said.
    const withTimes = (times: readonly bigint[], says = times[0]!): Uint8Array => {
      const records = times.map((timestamp, i) => ({
        offset: BigInt(i),
        timestamp,
        key: null,
        value: null,
        headers: [],
      }))
      const bytes = encodeBatch({ baseOffset: 0n, timestampType: 'create', records })
      const view = new DataView(bytes.buffer)
      view.setBigInt64(35, says)
      view.setUint32(17, crc32c(bytes.subarray(21)))
      return bytes
    }
    for (const off of [-60_001n, 1_001n, -1_000_000_000_000n]) {
      for (const times of [
        [now, now + off, now],
        [now, now, now, now + off],
        [now, -1n, now + off],
      ]) {
        const append = topic.append({ partition: 0, batches: withTimes(times) })
        await expect(append).rejects.toMatchObject({ kind: 'invalid', code: 'TIMESTAMP_BOUND' })
      }
    }
    const inside = [now, now - 60_000n, now + 1_000n, -1n]
    await topic.append({ partition: 0, batches: withTimes(inside, now + 1_000n) })
    expect((await collect(topic.read({ to: 'end' }))).map(({ timestamp }) => timestamp)).toEqual(inside)
  })

  it('refuses malformed and unfit batches, and stores nothing of them', async () => {
    const { topic } = await topicOf()
    const flipped = batch(2)
    flipped[70]! ^= 1
    const late = batch(1, 0n)
    const idempotent = batch(1, 1n)
    new DataView(idempotent.buffer).setBigInt64(43, 7n)
    const cases: [Uint8Array, string][] = [
      [flipped, 'corrupt'],
      [batch(2).subarray(0, 65), 'corrupt'],
      [new Uint8Array(0), 'invalid'],
      [late, 'invalid'],
      [idempotent, 'corrupt'],
    ]
    for (const [batches, kind] of cases) {
      await expect(topic.append({ partition: 0, batches })).rejects.toMatchObject({ kind })
    }
    await expect(topic.append({ partition: 9, batches: batch(1) })).rejects.toMatchObject({ code: 'PARTITION' })
    expect(topic.offsets()[0]!.highWatermark).toBe(0n)
  })
})

describe('a place that is not ours', () => {
  it('is refused when it holds something else', async () => {
    const { runtime } = machine()
    const store = fileSystem({ root: LAKE, files: runtime().files })
    await store.put('notes/todo.txt', bytesOf('milk'))
    await expect(openLog({ store, wal: fileWal({ dir: WAL }), runtime: runtime() })).rejects.toMatchObject({
      kind: 'exists',
      code: 'NOT_A_LOG',
      message: expect.stringContaining('notes/todo.txt') as string,
    })
  })

  it('is refused when the log was moved, with both places', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    await log.close()
    const files = on.disk.files
    await files.rename('/lake', '/moved')
    const store = fileSystem({ root: '/moved', files })
    const opening = openLog({ store, wal: fileWal({ dir: '/moved/log/wal' }), runtime: on.runtime() })
    await expect(opening).rejects.toMatchObject({ kind: 'invalid', code: 'MOVED' })
    await expect(opening).rejects.toThrow(/file:\/\/\/lake\/.*file:\/\/\/moved\//)
  })

  it('is the same in every spelling of a file', async () => {
    const on = machine()
    await (await openIn(on.runtime())).close()
    const store = fileSystem({ root: LAKE, files: on.disk.files })
    for (const root of ['file:/lake/', '/lake/', 'file:///lake']) {
      const json = JSON.parse(new TextDecoder().decode((await store.get('moulin.json')).bytes)) as object
      await store.put('moulin.json', bytesOf(JSON.stringify({ ...json, root })))
      await (await openIn(on.runtime())).close()
    }
  })

  it('is refused when a newer version wrote it', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    await log.ensureTopic('orders')
    await log.close()
    const store = fileSystem({ root: LAKE, files: on.disk.files })
    const checkpoints = await collect(store.list({ prefix: 'log/checkpoints/' }))
    const keys = ['log/wal/epoch-1/open.json', 'moulin.json', checkpoints.at(-1)!.key]
    for (const key of keys) {
      const { bytes } = await store.get(key)
      const text = Buffer.from(bytes).toString()
      await store.put(key, bytesOf(text.replace(/"minimumReader":\s*1/, '"minimumReader": 2')))
      await expect(openIn(on.runtime()), key).rejects.toMatchObject({ kind: 'unsupported', code: 'FORMAT_VERSION' })
      await store.put(key, bytes)
    }
    await (await openIn(on.runtime())).close()
  })

  it('is not found when there is nothing to read', async () => {
    const { runtime } = machine()
    await expect(openIn(runtime(), { access: 'read-only' })).rejects.toMatchObject({
      kind: 'not-found',
      code: 'NO_LOG',
    })
  })

  it('is refused without its write-ahead data', async () => {
    const { runtime, disk } = machine()
    const store = memory()
    const wal = (dir: string) => fileWal({ dir, segmentBytes: 16_384 })
    const log = await openLog({ store, wal: wal('/wal'), runtime: runtime() })
    await (await log.ensureTopic('orders')).producer({ lingerMs: 0 }).send({ value: bytesOf('x') })
    await log.close()
    await expect(openLog({ store, wal: wal('/elsewhere'), runtime: runtime() })).rejects.toMatchObject({
      kind: 'not-found',
      code: 'WAL_MISSING',
    })
    for (const { name } of await disk.files.readdir('/wal/epoch-1')) {
      if (name.endsWith('.wal')) await disk.files.unlink(`/wal/epoch-1/${name}`)
    }
    await expect(openLog({ store, wal: wal('/wal'), runtime: runtime() })).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'WAL_INCOMPLETE',
    })
  })

  it('is refused with an option that means nothing', async () => {
    const { runtime } = machine()
    await expect(openIn(runtime(), { limits: { maxBatchBytes: 0 } })).rejects.toMatchObject({ code: 'LIMIT' })
    await expect(openIn(runtime(), { limits: { maxBatch: 1 } as never })).rejects.toMatchObject({ code: 'LIMIT' })
    await expect(openIn(runtime(), { access: 'write' as never })).rejects.toMatchObject({ code: 'OPTION' })
    await expect(openIn(runtime(), { takeover: 'force' as never })).rejects.toMatchObject({ code: 'OPTION' })
    await expect(openIn(runtime(), { graceMs: -1 })).rejects.toMatchObject({ code: 'OPTION' })
    for (const catalogWaitMs of [-1, NaN, Infinity, '5 s' as never]) {
      await expect(openIn(runtime(), { catalogWaitMs })).rejects.toThrow(/catalogWaitMs is .* milliseconds from 0/)
    }
    expect(() => fileWal({ dir: '/wal', segmentBytes: 100 })).toThrow(/segmentBytes is 100/)
    expect(isKind(await openIn(runtime(), { signal: AbortSignal.abort() }).catch((e: unknown) => e), 'aborted')).toBe(
      true,
    )
  })
})
