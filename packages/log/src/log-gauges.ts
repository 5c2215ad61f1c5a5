import { gaugeOf } from '@moulin/core'
import type { Gauge } from '@moulin/core'
import type { LogCore } from './log-core.ts'
import type { TopicState } from './topics/topic-state.ts'

/** What a log shows of itself whenever somebody collects. To be closed with it. */
export function logGauges({ runtime, wal }: LogCore, topics: () => readonly TopicState[]): Gauge {
  const { meter, clock } = runtime
  const gauges = [
    gaugeOf(meter, 'moulin.wal.held.size', (see) => see(wal.usage().heldBytes)),
    gaugeOf(meter, 'moulin.file.reads.waiting', (see) => see(runtime.files.waitingReads?.() ?? 0)),
    gaugeOf(meter, 'moulin.untiered.size', (see) => {
      for (const { record, tiering } of topics())
        see(tiering.untieredBytes, { 'messaging.destination.name': record.name })
    }),
    gaugeOf(meter, 'moulin.untiered.age', (see) => {
      for (const { record, tiering } of topics()) {
        const { oldestMs } = tiering
        const ageMs = oldestMs === Infinity ? 0 : clock.monotonic() - oldestMs
        see(ageMs / 1000, { 'messaging.destination.name': record.name })
      }
    }),
  ]
  return {
    close() {
      for (const gauge of gauges) gauge.close()
    },
  }
}
