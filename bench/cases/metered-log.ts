/**
 * What a meter costs: batches appended to a log over `fileWal`, with OpenTelemetry's SDK behind the meter, and with none.
 */
import { join } from 'node:path'
import { systemRuntime } from '@moulin/core'
import type { Meter, Topic } from '@moulin/core'
import { recordBatchBuilder } from '@moulin/format'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { openTelemetryMeter } from 'moulin/opentelemetry'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { inFolder } from '../temporary.ts'

const TOPIC = 'events'

/** Collects when it is told. */
class HandReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Opens a log in a folder of its own; `use` is given what appends one batch of about so many bytes. */
export function inLog<T>(
  isMetered: boolean,
  bytes: number,
  use: (append: () => Promise<unknown>) => Promise<T>,
): Promise<T> {
  return inFolder(async (dir) => {
    const reader = new HandReader()
    const meter = isMetered ? sdkMeter(reader) : undefined
    const runtime = systemRuntime(meter === undefined ? {} : { meter })
    const wal = fileWal({ dir: join(dir, 'log/wal') })
    const log = await openLog({ store: fileSystem({ root: dir, runtime }), wal, runtime })
    const topic: Topic = await log.createTopic(TOPIC, { partitions: 1 })
    const batches = oneBatch(runtime.clock.now(), bytes)
    try {
      return await use(() => topic.append({ partition: 0, batches }))
    } finally {
      if (isMetered) await checked(reader)
      await log.close()
    }
  })
}

function sdkMeter(reader: MetricReader): Meter {
  return openTelemetryMeter({ meter: new MeterProvider({ readers: [reader] }).getMeter('moulin') })
}

/** A meter that hears nothing costs nothing. */
async function checked(reader: MetricReader): Promise<void> {
  const { resourceMetrics } = await reader.collect()
  const names = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics.map(({ descriptor }) => descriptor.name))
  for (const name of ['messaging.client.operation.duration', 'moulin.wal.sync.duration'])
    if (!names.includes(name)) throw new Error(`The meter was told nothing of ${name}.`)
}

function oneBatch(timestamp: number, bytes: number): Uint8Array {
  const builder = recordBatchBuilder()
  builder.append({ key: null, value: systemRuntime().random.bytes(bytes), headers: [], timestamp })
  return builder.finish()
}
