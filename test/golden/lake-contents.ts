import type { Log, LogRecord, Topic } from '@moulin/core'

/** All that must be read from a golden folder, as plain JSON: bytes in hex, 64-bit numbers as text. */
export interface LakeContents {
  readonly topics: Readonly<Record<string, TopicContents>>
  /** Why the write-ahead tail was cut at open. */
  readonly torn: readonly string[]
}

interface TopicContents {
  readonly offsets: readonly string[]
  readonly audit: { readonly clean: boolean; readonly partitions: readonly string[] }
  readonly records: readonly string[]
}

/** Reads every topic whole. */
export async function contentsOf(log: Log): Promise<LakeContents> {
  const topics: Record<string, TopicContents> = {}
  for (const name of await log.topics()) topics[name] = await topicContents(await log.topic(name))
  return { topics, torn: log.recovery.torn.map(({ reason }) => reason) }
}

async function topicContents(topic: Topic): Promise<TopicContents> {
  const records: LogRecord[] = []
  for await (const record of topic.read({ from: 'earliest', to: 'end' })) records.push(record)
  records.sort((a, b) => a.partition - b.partition || (a.offset < b.offset ? -1 : 1))
  const { clean, partitions } = await topic.audit()
  return {
    offsets: topic
      .offsets()
      .map(({ partition, start, highWatermark, frontier, released }) =>
        [partition, start, highWatermark, frontier, released].join(' '),
      ),
    audit: {
      clean,
      partitions: partitions.map(({ incarnation, partition, start, frontier, rows, skipped, checksum }) =>
        [incarnation, partition, start, frontier, rows, skipped, checksum].join(' '),
      ),
    },
    records: records.map(recordText),
  }
}

// One line a record: what a change shows in a diff.
function recordText({ partition, offset, timestamp, timestampType, key, bytes, headers, fidelity }: LogRecord): string {
  const pairs = headers.map(([name, value]) => `${name}=${hex(value)}`).join(',')
  return [partition, offset, timestamp, timestampType, hex(key), hex(bytes), `[${pairs}]`, fidelity].join(' ')
}

function hex(bytes: Uint8Array | null): string {
  return bytes === null ? 'null' : `0x${Buffer.from(bytes).toString('hex')}`
}
