/** What a real log measures, as OpenTelemetry and as a plain meter are told of it. */
import { objectStoreCatalog } from '@moulin/catalog'
import { conflict, metrics } from '@moulin/core'
import type { Catalog, Log, Meter, Metric, MetricName } from '@moulin/core'
import { icebergTier, serveTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem, meter as metered } from '@moulin/storage'
import { recordingMeter, simulatedDisk, virtualRuntime } from '@moulin/testing'
import { DataPointType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import type { Histogram, MetricData } from '@opentelemetry/sdk-metrics'
import { describe, expect, it } from 'vitest'
import { openTelemetryMeter } from './opentelemetry.ts'

const topic = { 'messaging.destination.name': 'orders' }
const pool = { 'moulin.worker.pool': 'moulin-tier' }
const ROWS = 3_000

/** Appends, loses a commit race, tiers, reads back, and appends a little more; the log is still open then. */
async function workingLog(meter: Meter): Promise<Log> {
  const { files } = simulatedDisk({ seed: 7 })
  const runtime = virtualRuntime({ seed: 7, files, serveThread: serveTier, meter })
  const store = metered(fileSystem({ root: '/lake', files }), { runtime })
  const inner = objectStoreCatalog({ store, prefix: 'tables/', runtime })
  let races = 1
  const catalog: Catalog = {
    ...inner,
    commitTable(table, commit, options) {
      if (races-- > 0) throw conflict('COMMIT_CONFLICT', 'Somebody else came first.')
      return inner.commitTable(table, commit, options)
    },
  }
  const tier = icebergTier({ catalog, threads: 1 })
  const log = await openLog({ store, wal: fileWal({ dir: '/lake/log/wal' }), tier, runtime, graceMs: 0 })
  const orders = await log.createTopic('orders', { partitions: 2 })
  const producer = orders.producer({ lingerMs: 0, batchBytes: 4_096 })
  const value = (n: number): Uint8Array => new TextEncoder().encode(`value ${n} ${'x'.repeat(n % 40)}`)
  await producer.sendAll(Array.from({ length: ROWS }, (_, n) => ({ partition: n % 2, value: value(n) })))
  await orders.tier()
  await log.releaseNow()
  let read = 0
  for await (const record of orders.read({ from: 'earliest', to: 'end' })) read += record.bytes === null ? 0 : 1
  expect(read).toBe(ROWS)
  for await (const record of orders.readAt([{ partition: 0, offset: 700n }])) expect(record?.offset).toBe(700n)
  await producer.send({ partition: 1, value: value(1) })
  await runtime.clock.advance(5_000)
  return log
}

/** Collects when it is told. */
class HandReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

interface Telemetry {
  readonly reader: HandReader
  readonly meter: Meter
  collect(): Promise<ReadonlyMap<string, MetricData>>
}

function telemetry(attributes?: Readonly<Record<string, string>>): Telemetry {
  const reader = new HandReader()
  const meter = new MeterProvider({ readers: [reader] }).getMeter('moulin')
  return {
    reader,
    meter: openTelemetryMeter({ meter, ...(attributes === undefined ? {} : { attributes }) }),
    async collect() {
      const { resourceMetrics, errors } = await reader.collect()
      expect(errors).toEqual([])
      const found = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
      return new Map(found.map((metric) => [metric.descriptor.name, metric]))
    },
  }
}

const kinds: Readonly<Record<Metric['kind'], DataPointType>> = {
  counter: DataPointType.SUM,
  gauge: DataPointType.GAUGE,
  histogram: DataPointType.HISTOGRAM,
}
// Those of a gateway are measured where one is: test/gateway/bad-input.test.ts, and fresh-tables.test.ts beside the code.
const declared = (Object.entries(metrics) as [MetricName, Metric][]).filter(
  ([name]) => !/^(http\.server|moulin\.gateway)\./.test(name),
)
const names = declared.map(([name]) => name).sort()

describe('a log with a meter', () => {
  it('tells OpenTelemetry of every metric, as it is listed', async () => {
    const { meter, collect } = telemetry()
    const log = await workingLog(meter)
    const found = await collect()
    for (const [name, { kind, unit, description, attributes, boundaries }] of declared) {
      const metric = found.get(name)
      expect(metric, name).toBeDefined()
      expect(metric!.descriptor, name).toMatchObject({ name, unit, description })
      expect(metric!.dataPointType, name).toBe(kinds[kind])
      for (const point of metric!.dataPoints)
        expect(attributes).toEqual(expect.arrayContaining(Object.keys(point.attributes)))
      if (boundaries !== undefined)
        expect((metric!.dataPoints[0]!.value as Histogram).buckets.boundaries, name).toEqual(boundaries)
    }
    expect([...found.keys()].sort()).toEqual(names)
    const sent = found.get('messaging.client.sent.messages')!.dataPoints
    expect(sent.map(({ value, attributes }) => [attributes['messaging.destination.partition.id'], value])).toEqual([
      ['0', ROWS / 2],
      ['1', ROWS / 2 + 1],
    ])
    await log.close()
  })

  it('says the same to a plain meter, and what is true', async () => {
    const meter = recordingMeter()
    const log = await workingLog(meter)
    expect([...meter.instruments.keys()].sort()).toEqual(names)
    expect(meter.total('messaging.client.sent.messages', { ...topic, 'messaging.system': 'moulin' })).toBe(ROWS + 1)
    const acks = meter.seen('messaging.client.operation.duration')
    expect(acks.length).toBeGreaterThan(20)
    expect(acks.length).toBeLessThan(ROWS / 10)
    // A flush for several batches at once, a sync for each flush.
    const flushes = meter.seen('moulin.wal.flush.duration')
    expect(flushes.length).toBeLessThanOrEqual(acks.length)
    expect(meter.seen('moulin.wal.sync.duration')).toHaveLength(flushes.length)
    const { wal, untieredBytes } = log.stats()
    expect(meter.total('moulin.wal.flush.size')).toBeGreaterThan(ROWS * 30)
    expect(meter.total('moulin.wal.held.size')).toBe(wal.heldBytes)
    expect(untieredBytes).toBeGreaterThan(0)
    expect(meter.seen('moulin.untiered.size')).toEqual([{ value: untieredBytes, attributes: topic }])
    expect(meter.seen('moulin.untiered.age')).toEqual([{ value: 5, attributes: topic }])
    expect(meter.seen('moulin.commit.conflicts')).toEqual([{ value: 1, attributes: topic }])
    const outcomes = meter.seen('moulin.commit.duration').map(({ attributes }) => attributes['moulin.commit.outcome'])
    expect(outcomes).toEqual(['lost', 'committed'])
    expect(meter.seen('moulin.worker.waiting')).toEqual([{ value: 0, attributes: pool }])
    expect(meter.seen('moulin.worker.busy')).toEqual([{ value: 0, attributes: pool }])
    // One for each partition, and one by place.
    expect(meter.total('moulin.cold.reads', topic)).toBe(3)
    const ratios = meter.seen('moulin.cold.amplification').map(({ value }) => value)
    expect(ratios).toHaveLength(3)
    for (const ratio of ratios.slice(0, 2)) expect(ratio).toBeGreaterThan(0.5)
    for (const ratio of ratios.slice(0, 2)) expect(ratio).toBeLessThan(2)
    // The needle's pages hold other rows, too.
    expect(ratios[2]).toBeGreaterThan(20)
    expect(meter.total('moulin.cold.fetched')).toBeGreaterThan(meter.total('moulin.cold.wanted') / 2)
    await log.close()
    for (const name of ['moulin.wal.held.size', 'moulin.untiered.age', 'moulin.worker.busy'])
      expect(meter.seen(name)).toEqual([])
  })

  it('adds what tells one log from another, and asks no gauge that was closed', async () => {
    const { meter, collect } = telemetry({ log: 'a' })
    meter.counter('moulin.cold.reads').add(2, topic)
    let asked = 0
    const gauge = meter.gauge('moulin.wal.held.size', {}, (see) => see(7 + asked++))
    const found = await collect()
    expect(found.get('moulin.cold.reads')!.dataPoints).toMatchObject([{ value: 2, attributes: { log: 'a', ...topic } }])
    expect(found.get('moulin.wal.held.size')!.dataPoints).toMatchObject([{ value: 7, attributes: { log: 'a' } }])
    gauge.close()
    await collect()
    expect(asked).toBe(1)
  })
})
