import type { DeepAudit, Log, LogRecord, Topic } from '@moulin/core'

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
  /** What a deep audit names, a line each; none where it names nothing. */
  readonly deep?: readonly string[]
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
  const deep = deepText((await topic.audit({ deep: true })).deep!)
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
    ...(deep.length > 0 && { deep }),
  }
}

function deepText(deep: DeepAudit): string[] {
  const named = ['deleted', 'altered', 'doubled', 'returned'] as const
  const ranges = named.flatMap((name) =>
    deep[name].map(({ incarnation, partition, from, to }) => [name, incarnation, partition, from, to].join(' ')),
  )
  const moved = deep.moved.map(({ partition, offset, origin }) =>
    ['moved', partition, offset, origin.partition, origin.offset].join(' '),
  )
  const { mismatched, doubledRows, unproven, deletedRows, returnedRows } = deep
  const counts = Object.entries({ mismatched, doubledRows, unproven, deletedRows, returnedRows })
  return [...ranges, ...moved, ...counts.filter(([, count]) => count > 0n).map((count) => count.join(' '))]
}

// One line a record: what a change shows in a diff.
function recordText({ partition, offset, timestamp, timestampType, key, bytes, headers, fidelity }: LogRecord): string {
  const pairs = headers.map(([name, value]) => `${name}=${hex(value)}`).join(',')
  return [partition, offset, timestamp, timestampType, hex(key), hex(bytes), `[${pairs}]`, fidelity].join(' ')
}

function hex(bytes: Uint8Array | null): string {
  return bytes === null ? 'null' : `0x${Buffer.from(bytes).toString('hex')}`
}
