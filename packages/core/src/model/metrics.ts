/** One metric that the library measures. docs/metrics.md lists them all. */
export interface Metric {
  readonly kind: 'counter' | 'histogram' | 'gauge'
  readonly unit: string
  /** Names of the attributes that it may have. */
  readonly attributes: readonly string[]
  readonly description: string
  readonly boundaries?: readonly number[]
}

/** From half a millisecond, an ack of a fast disk, to what a catalog takes that is hardly there. */
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const bytes = [1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216]
const ratios = [1, 1.3, 2, 4, 8, 16, 32, 64, 128, 256]

const send = [
  'messaging.system',
  'messaging.operation.name',
  'messaging.operation.type',
  'messaging.destination.name',
  'messaging.destination.partition.id',
  'error.type',
]
const topic = 'messaging.destination.name'
const call = ['moulin.store.name', 'moulin.store.operation']

export type CounterName =
  | 'messaging.client.sent.messages'
  | 'moulin.commit.conflicts'
  | 'moulin.cold.reads'
  | 'moulin.cold.fetched'
  | 'moulin.cold.wanted'
  | 'moulin.store.requests'
  | 'moulin.store.sent'
  | 'moulin.store.received'
  | 'moulin.gateway.stale'

export type HistogramName =
  | 'messaging.client.operation.duration'
  | 'moulin.wal.flush.duration'
  | 'moulin.wal.sync.duration'
  | 'moulin.wal.fence.duration'
  | 'moulin.wal.flush.size'
  | 'moulin.commit.duration'
  | 'moulin.cold.amplification'
  | 'moulin.store.call.duration'
  | 'http.server.request.duration'

export type GaugeName =
  | 'moulin.wal.held.size'
  | 'moulin.file.reads.waiting'
  | 'moulin.untiered.size'
  | 'moulin.untiered.age'
  | 'moulin.worker.waiting'
  | 'moulin.worker.busy'
  | 'http.server.active_requests'

export type MetricName = CounterName | HistogramName | GaugeName

/** All metrics, by name. Names of OpenTelemetry's conventions where one fits, otherwise below `moulin.`. */
export const metrics: Readonly<Record<MetricName, Metric>> = {
  'messaging.client.sent.messages': {
    kind: 'counter',
    unit: '{message}',
    attributes: send,
    description: 'Records whose append was acked, or failed where there is an error.type.',
  },
  'messaging.client.operation.duration': {
    kind: 'histogram',
    unit: 's',
    attributes: send,
    description: 'From the moment a batch leaves its producer to its ack. Its count is that of batches.',
    boundaries: seconds,
  },
  'moulin.wal.flush.duration': {
    kind: 'histogram',
    unit: 's',
    attributes: ['error.type'],
    description:
      'One flush of the write-ahead tier: make room, write, sync, look for a newer writer. Its count is that of flushes.',
    boundaries: seconds,
  },
  'moulin.wal.sync.duration': {
    kind: 'histogram',
    unit: 's',
    attributes: [],
    description: 'What makes a flush durable: its fdatasync, or its write where that syncs.',
    boundaries: seconds,
  },
  'moulin.wal.fence.duration': {
    kind: 'histogram',
    unit: 's',
    attributes: ['moulin.wal.look'],
    description: 'The look for a newer writer before the acks of a flush: direct, or queued behind other calls.',
    boundaries: seconds,
  },
  'moulin.wal.flush.size': {
    kind: 'histogram',
    unit: 'By',
    attributes: [],
    description: 'Bytes of one flush that became durable, with their frames. Its sum is what was written.',
    boundaries: bytes,
  },
  'moulin.wal.held.size': {
    kind: 'gauge',
    unit: 'By',
    attributes: [],
    description: 'Bytes that the segments of the write-ahead tier hold.',
  },
  'moulin.file.reads.waiting': {
    kind: 'gauge',
    unit: '{read}',
    attributes: [],
    description: 'Reads of files, of the whole process, that wait for their turn at the disk.',
  },
  'moulin.untiered.size': {
    kind: 'gauge',
    unit: 'By',
    attributes: [topic],
    description: 'Bytes of a topic that are not in its table yet.',
  },
  'moulin.untiered.age': {
    kind: 'gauge',
    unit: 's',
    attributes: [topic],
    description: 'How long the oldest record has been durable that is not in the table yet; 0 where there is none.',
  },
  'moulin.commit.duration': {
    kind: 'histogram',
    unit: 's',
    attributes: [topic, 'moulin.commit.outcome', 'error.type'],
    description:
      'One attempt to commit: from the marker to the table read back. The outcome is committed, lost (another writer came first) or failed.',
    boundaries: seconds,
  },
  'moulin.commit.conflicts': {
    kind: 'counter',
    unit: '{conflict}',
    attributes: [topic],
    description: 'Attempts to commit that another writer of the table came before.',
  },
  'moulin.worker.waiting': {
    kind: 'gauge',
    unit: '{task}',
    attributes: ['moulin.worker.pool'],
    description: 'Work that waits for a thread.',
  },
  'moulin.worker.busy': {
    kind: 'gauge',
    unit: '{thread}',
    attributes: ['moulin.worker.pool'],
    description: 'Worker threads that are at work.',
  },
  'moulin.cold.reads': {
    kind: 'counter',
    unit: '{read}',
    attributes: [topic],
    description: 'Reads of records from a table: a range of offsets, or a list of places.',
  },
  'moulin.cold.fetched': {
    kind: 'counter',
    unit: 'By',
    attributes: [topic],
    description: 'Bytes of pages that such reads fetched from data files.',
  },
  'moulin.cold.wanted': {
    kind: 'counter',
    unit: 'By',
    attributes: [topic],
    description: 'Compressed bytes that the wanted rows take in those files, by the average of their row groups.',
  },
  'moulin.cold.amplification': {
    kind: 'histogram',
    unit: '1',
    attributes: [topic],
    description: 'Bytes fetched for a byte wanted, of each such read that gave a row.',
    boundaries: ratios,
  },
  'moulin.store.call.duration': {
    kind: 'histogram',
    unit: 's',
    attributes: [...call, 'error.type'],
    description:
      'One call of a store below the layer meter; of a list the time that its caller waited. Its count is that of calls.',
    boundaries: seconds,
  },
  'moulin.store.requests': {
    kind: 'counter',
    unit: '{request}',
    attributes: call,
    description: 'Requests that such calls are charged as, failed ones too.',
  },
  'moulin.store.sent': {
    kind: 'counter',
    unit: 'By',
    attributes: call,
    description: 'Bytes of objects that such calls sent.',
  },
  'moulin.store.received': {
    kind: 'counter',
    unit: 'By',
    attributes: call,
    description: 'Bytes of objects that such calls received.',
  },
  'http.server.request.duration': {
    kind: 'histogram',
    unit: 's',
    attributes: ['http.request.method', 'http.route', 'http.response.status_code', 'error.type'],
    description: 'One request to a gateway, from its first byte to its answer. Its count is that of requests.',
    boundaries: seconds,
  },
  'http.server.active_requests': {
    kind: 'gauge',
    unit: '{request}',
    attributes: [],
    description: 'Requests that a gateway is answering.',
  },
  'moulin.gateway.stale': {
    kind: 'counter',
    unit: '{answer}',
    attributes: [topic],
    description: 'Loads of a table that a gateway answered with an older one than it may be.',
  },
}
