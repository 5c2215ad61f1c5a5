import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { defaultLimits, schema, systemRuntime, t } from '@moulin/core'
import type { BatchRun, Codec, CodecFormat, Type } from '@moulin/core'
import { avro, bytesRangeReader, encodeBatch, json, openParquet, parquetWriter } from '@moulin/format'
import { virtualRuntime } from '@moulin/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { checkTable, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'
import { tierPool, tierWorkers } from './tier-workers.ts'
import type { TierPool, TierPoolOptions, TierWorkers } from './tier-workers.ts'
import { builtInParts, storedCodec, TierTask } from './tier-task.ts'
import type { TierSetup } from './tier-task.ts'
import { valueReader } from '../scan/column-values.ts'
import { systemFields } from '../table/system-columns.ts'

const Order = schema({ id: t.int53, city: t.string })
const codec = avro(Order) as Codec
const here = tierWorkers(undefined)
const open: TierPool[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((pool) => pool.close()))
})

function pool(options: Partial<TierPoolOptions> = {}): TierPool {
  const made = tierPool({ threads: 1, runtime: systemRuntime(), ...options })
  open.push(made)
  return made
}

const setup: TierSetup = {
  schema: { type: 'struct', fields: systemFields },
  spec: { 'spec-id': 0, fields: [{ 'source-id': 4, name: 'day', transform: 'day' }] },
  columns: systemFields.map(({ name }) => [name, name] as const),
  incarnation: 1,
  rowCrc: true,
  keepRaw: false,
  codecs: [],
  compression: 'zstd',
  fileBytes: 1 << 20,
  keyValue: { who: 'test' },
  limits: defaultLimits,
}

function runOf(baseOffset: bigint, count: number): BatchRun {
  const records = Array.from({ length: count }, (_, at) => ({
    offset: baseOffset + BigInt(at),
    timestamp: BigInt(at) * 3_600_000n,
    key: utf8(`key ${at}`),
    value: utf8(`value ${at % 7}`),
    headers: [],
  }))
  const batches = encodeBatch({ baseOffset, records, timestampType: 'create' })
  return { partition: 0, baseOffset, nextOffset: baseOffset + BigInt(count), batches, valueSchemaIds: 0 }
}

async function encode(workers: TierWorkers): Promise<Uint8Array[]> {
  const session = await workers.begin(setup, builtInParts)
  const first = await session.add(runOf(0n, 500), { from: 3n, to: 500n })
  const second = await session.add(runOf(500n, 500), { from: 500n, to: 1000n })
  const finished = await session.finish()
  const files = [...(await first.files), ...(await second.files), ...finished.files]
  session.release()
  expect(finished.tallies.get(0)).toMatchObject({ rows: 997, lastRow: 999n, control: 0 })
  return files.map(({ file }) => new Uint8Array(file.bytes))
}

describe('tierWorkers', () => {
  it('gives the same bytes in a thread and in the calling one', async () => {
    const expected = await encode(here)
    expect(expected.length).toBeGreaterThan(10)
    expect(await encode(tierWorkers(pool()))).toEqual(expected)
  })

  it('takes the codec of each value by its schema id, in a thread as here', async () => {
    const shape = schema({ id: t.int53, name: t.string.optional() })
    const value = { id: 7, name: 'seven' }
    const codecs = [json(shape), avro(shape)].map((codec, at) => ({ ...storedCodec(codec), schemaId: 3 + at * 4 }))
    const [id, name] = [
      { id: 1001, name: 'id', required: false, type: 'long' },
      { id: 1002, name: 'name', required: false, type: 'string' },
    ] as const
    const both: TierSetup = {
      ...setup,
      schema: { type: 'struct', fields: [...systemFields, id, name] },
      columns: [...setup.columns, ['id', 'id'], ['name', 'name']],
      codecs,
    }
    // Of the last one nobody has a codec here: it stays what it is.
    const values = [json(shape).encode(value), avro(shape).encode(value), null, avro(shape).encode(value)]
    const records = values.map((bytes, at) => ({
      offset: BigInt(at),
      timestamp: 5n,
      key: null,
      value: bytes,
      headers: [],
    }))
    const batches = encodeBatch({ baseOffset: 0n, records, timestampType: 'create' })
    const run: BatchRun = { partition: 0, baseOffset: 0n, nextOffset: 4n, batches, valueSchemaIds: [3, 7, 7, 9] }
    for (const workers of [here, tierWorkers(pool())]) {
      const session = await workers.begin(both, builtInParts)
      await session.add(run, { from: 0n, to: 4n })
      const { files } = await session.finish()
      const file = await openParquet(bytesRangeReader(new Uint8Array(files[0]!.file.bytes), 'file'))
      session.release()
      const columnOf = async (column: string, type: Type): Promise<unknown[]> => {
        const field = both.schema.fields.find((one) => one.name === column)!
        const read = await file.read({ rowGroup: 0, types: [field] })
        const reader = valueReader(type, read.columns[0]!.column)
        return Array.from({ length: read.length }, (_, row) => reader(row))
      }
      expect(await columnOf('id', t.int53)).toEqual([7, 7, null, null])
      expect(await columnOf('name', t.string)).toEqual(['seven', 'seven', null, null])
      expect(await columnOf('_kafka_value_state', t.string)).toEqual(['typed', 'typed', 'null', 'raw'])
      expect(await columnOf('_kafka_schema_id', t.int)).toEqual([3, 7, 7, 9])
    }
    const other = { ...storedCodec(json(schema({ id: t.int53 }))), schemaId: 8 }
    expect(() => new TierTask({ ...both, codecs: [...codecs, other] }, builtInParts)).toThrow(/schemas 3 and 8/)
  })

  it('leaves the bytes of the log alone, and uses its own again', async () => {
    const threads = pool()
    const session = await tierWorkers(threads).begin(setup, builtInParts)
    const shared = new Uint8Array(300_000)
    const run = runOf(0n, 5_000)
    expect(run.batches.length).toBeGreaterThan(65_536)
    shared.set(run.batches, 50)
    const batches = Buffer.from(shared.buffer, 50, run.batches.length)
    await (
      await session.add({ ...run, batches }, { from: 0n, to: 5_000n })
    ).files
    expect(shared.length).toBe(300_000)
    expect(threads.buffers.keptBytes).toBeGreaterThan(run.batches.length)
    session.release()
  })

  it('counts what is handed over and what comes back, until it is taken', async () => {
    const threads = pool()
    const { budget } = threads
    const session = await tierWorkers(threads).begin(setup, builtInParts)
    const run = runOf(0n, 500)
    const added = await session.add(run, { from: 0n, to: 500n })
    expect(budget.stats.usedBytes).toBe(run.batches.length)
    expect(await added.files).toEqual([])
    expect(budget.stats.usedBytes).toBe(0)
    const { files } = await session.finish()
    const bytes = files.map(({ file }) => file.bytes.length)
    expect(budget.stats.usedBytes).toBe(bytes.reduce((sum, each) => sum + each))
    files[0]!.release()
    files[0]!.release()
    expect(budget.stats.usedBytes).toBe(bytes.slice(1).reduce((sum, each) => sum + each))
    session.release()
    expect(threads.stats).toMatchObject({ usedBytes: 0, busy: 0 })
  })

  it('waits for memory before it hands over, and gives it back after an error', async () => {
    const run = runOf(0n, 500)
    const threads = pool({ memoryBytes: run.batches.length + 10 })
    const other = await threads.budget.acquire(20)
    const session = await tierWorkers(threads).begin(setup, builtInParts)
    const stop = new AbortController()
    const waiting = session.add(run, { from: 0n, to: 500n }, { signal: stop.signal })
    expect(threads.stats.waiting).toBe(1)
    stop.abort()
    await expect(waiting).rejects.toMatchObject({ kind: 'aborted' })
    const next = session.add({ ...run, batches: run.batches.subarray(0, 100) }, { from: 0n, to: 500n })
    other.release()
    await expect((await next).files).rejects.toMatchObject({ kind: 'corrupt' })
    session.release()
    expect(threads.stats).toMatchObject({ usedBytes: 0, waiting: 0, busy: 0 })
  })

  it('keeps nothing of what went through it', { timeout: 60_000 }, async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const threads = pool({ memoryBytes: 8 << 20 })
    const workers = tierWorkers(threads)
    const run = runOf(0n, 20_000)
    const range = { from: 0n, to: 20_000n }
    const encodeAll = async (times: number): Promise<number> => {
      for (let i = 0; i < times; i++) {
        const session = await workers.begin({ ...setup, spec: { 'spec-id': 0, fields: [] } }, builtInParts)
        await (
          await session.add(run, range)
        ).files
        for (const { release } of (await session.finish()).files) release()
        session.release()
      }
      collect()
      return process.memoryUsage().arrayBuffers
    }
    const before = await encodeAll(2)
    const after = await encodeAll(40)
    expect(run.batches.length * 40).toBeGreaterThan(20 << 20)
    expect(after - before).toBeLessThan(4 << 20)
    expect(threads.buffers.keptBytes).toBeLessThanOrEqual(2 << 20)
    expect(threads.stats).toMatchObject({ usedBytes: 0, waiting: 0, busy: 0, idle: 1 })
  })

  it('fails the task of a thread that dies, and no other', async () => {
    const real = new URL('../worker.ts', import.meta.url)
    const source = `import { parentPort } from 'node:worker_threads'
      parentPort.on('message', ({ kind, request }) => {
        if (request?.keyValue?.who === 'dies at once' || (kind === 'add' && request.range.to === 666n)) process.exit(3)
      })
      await import(${JSON.stringify(real.href)})`
    const threads = pool({ threads: 2, source: new URL(`data:text/javascript,${encodeURIComponent(source)}`) })
    const workers = tierWorkers(threads)
    const died = { kind: 'unavailable', code: 'WORKER_DIED', outcome: 'rejected', retryable: true }
    const healthy = await workers.begin(setup, builtInParts)
    await expect(workers.begin({ ...setup, keyValue: { who: 'dies at once' } }, builtInParts)).rejects.toMatchObject(
      died,
    )
    const session = await workers.begin(setup, builtInParts)
    const { files } = await session.add(runOf(0n, 1), { from: 0n, to: 666n })
    await expect(files).rejects.toMatchObject(died)
    await expect(session.finish()).rejects.toMatchObject(died)
    session.release()
    await (
      await healthy.add(runOf(0n, 5), { from: 0n, to: 5n })
    ).files
    expect((await healthy.finish()).tallies.get(0)).toMatchObject({ rows: 5 })
    healthy.release()
    expect(threads.stats).toMatchObject({ usedBytes: 0, busy: 0, idle: 1 })
    expect(await encode(workers)).toEqual(await encode(here))
  })

  it.each([
    ['no module', new URL('./no-such-worker.ts', import.meta.url), /no-such-worker/],
    ['no file', new URL('https://example.org/worker.js'), /protocol|scheme|URL/],
    ['a module that throws', new URL('data:text/javascript,throw new TypeError("bundled")'), /bundled/],
  ])('goes on in the calling thread where the worker is %s, and says so once a minute', async (_, source, cause) => {
    const runtime = virtualRuntime({ seed: 3 })
    const threads = pool({ source, runtime })
    const workers = tierWorkers(threads)
    expect(await encode(workers)).toEqual(await encode(here))
    expect(await encode(workers)).toEqual(await encode(here))
    expect(workers.hasIdle).toBe(false)
    expect(threads.startFailure).toMatchObject({ kind: 'invalid', code: 'WORKER_START' })
    expect(threads.startFailure!.message).toMatch(cause)
    expect(threads.startFailure!.message).toMatch(/docs\/bundlers\.md/)
    expect(runtime.logs.filter(({ level }) => level === 'warn')).toHaveLength(1)
    await runtime.clock.advance(60_000)
    expect(threads.startFailure).toBeUndefined()
    expect(await encode(workers)).toEqual(await encode(here))
    expect(runtime.logs.filter(({ level }) => level === 'warn')).toHaveLength(2)
    expect(threads.stats).toMatchObject({ usedBytes: 0, busy: 0, idle: 0, queued: 0 })
  })

  it.each([
    ['says nothing', new URL('data:text/javascript,setInterval(() => {}, 1000)'), /not said within 10000 ms/],
    ['is that of another package', new URL(import.meta.resolve('@moulin/format/worker')), /no call begin/],
  ])('goes on in the calling thread where the worker %s', async (_, source, cause) => {
    const runtime = virtualRuntime({ seed: 4 })
    const threads = pool({ source, runtime })
    const workers = tierWorkers(threads)
    const encoding = encode(workers)
    await runtime.clock.advance(9_000)
    // The one that says something is heard before the clock goes on.
    if (source.protocol !== 'data:') await encoding
    await runtime.clock.advance(1_000)
    expect(await encoding).toEqual(await encode(here))
    expect(threads.startFailure).toMatchObject({ kind: 'invalid', code: 'WORKER_START' })
    expect(threads.startFailure!.message).toMatch(cause)
    expect(threads.startFailure!.message).toMatch(/docs\/bundlers\.md/)
    // Known for a minute: nobody waits for another one.
    expect(await encode(workers)).toEqual(await encode(here))
  })

  it('fails the task of bytes that are no batch, and keeps its thread', async () => {
    const threads = pool()
    const workers = tierWorkers(threads)
    const session = await workers.begin(setup, builtInParts)
    const bad = { ...runOf(0n, 1), batches: utf8('no batch at all, whatever its length is') }
    await expect((await session.add(bad, { from: 0n, to: 1n })).files).rejects.toMatchObject({ kind: 'corrupt' })
    session.release()
    expect(threads.stats).toMatchObject({ usedBytes: 0, idle: 1 })
    expect(await encode(workers)).toEqual(await encode(here))
  })

  it('hands a thread to one task at a time, in the order of their calls', async () => {
    const workers = tierWorkers(pool())
    expect([workers.hasIdle, here.hasIdle]).toEqual([true, false])
    const first = await workers.begin(setup, builtInParts)
    expect(workers.hasIdle).toBe(false)
    let isBegun = false
    const second = workers.begin(setup, builtInParts).then((session) => {
      isBegun = true
      return session
    })
    await (
      await first.add(runOf(0n, 1), { from: 0n, to: 1n })
    ).files
    expect(isBegun).toBe(false)
    first.release()
    first.release()
    const session = await second
    expect((await session.finish()).files).toEqual([])
    session.release()
  })

  it('rejects what waits when it is closed', async () => {
    const threads = pool()
    const workers = tierWorkers(threads)
    const session = await workers.begin(setup, builtInParts)
    const waiting = workers.begin(setup, builtInParts)
    const { files } = await session.add(runOf(0n, 100_000), { from: 0n, to: 100_000n })
    await Promise.all([
      expect(waiting).rejects.toMatchObject({ kind: 'closed' }),
      expect(files).rejects.toMatchObject({ kind: 'closed' }),
      threads.close(),
    ])
    session.release()
    expect(threads.stats.usedBytes).toBe(0)
  })
})

describe('tiering in a thread', () => {
  const logs: TestLog[] = []
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.tier.close()))
  })
  const threaded = (options: TestLogOptions): TestLog => {
    const log = testLog({ ...options, tier: { threads: 1, ...options.tier } })
    logs.push(log)
    return log
  }

  it('encodes and decodes there', async () => {
    const log = threaded({ codec })
    for (let id = 0; id < 50; id++)
      log.hot.send(id % 2, [{ value: codec.encode({ id, city: 'ams' }) }, { value: null }])
    const topic = await log.attach()
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
  })

  it('encodes with codecs and writers of the caller in the calling thread', async () => {
    const own: Codec = { ...codec, format: 'own/1' }
    const format: CodecFormat = { format: 'own/1', restore: () => own }
    let created = 0
    const fileWriter = {
      name: 'counting',
      create: (options: Parameters<typeof parquetWriter.create>[0]) => {
        created++
        return parquetWriter.create(options)
      },
    }
    const log = threaded({ codec: own, tier: { codecs: [format], fileWriter } })
    log.hot.send(0, [{ value: own.encode({ id: 1, city: 'ams' }) }])
    const topic = await log.attach()
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(created).toBe(1)
    await checkTable(topic, log)
  })

  it('takes the bytes of its budget from the option, or the limit', async () => {
    const refused = { kind: 'invalid', code: 'OPTION', context: { option: 'memoryBytes' } }
    expect(() => threaded({ tier: { memoryBytes: 0 } })).toThrow(expect.objectContaining(refused) as Error)
    await expect(threaded({ limits: { maxWorkerBytes: -1 } }).attach()).rejects.toMatchObject(refused)
  })

  it('names a codec format that nobody gave', async () => {
    const log = threaded({ codec: { ...codec, format: 'own/1' } })
    log.hot.send(0, [{ value: codec.encode({ id: 1, city: 'ams' }) }])
    const topic = await log.attach()
    await expect(topic.tier({ upTo: [1n, 0n] })).rejects.toMatchObject({ kind: 'invalid', code: 'CODEC_FORMAT' })
  })
})
