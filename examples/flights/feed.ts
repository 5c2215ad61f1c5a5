import type { BatchAck, Codec, Header, ProducerRecord, Topic } from 'moulin'
import { murmur2 } from 'moulin'
import { digestOf } from './digests.ts'
import type { Digests } from './digests.ts'
import type { Flight } from './schema.ts'

/** Sends source rows into the topic, each exactly once over all runs, and writes down a digest of each. */
export interface Feed {
  /** Rows of the source looked at so far. */
  readonly taken: number
  readonly sent: number
  /** Rows passed over because an earlier run's record of them is there. */
  readonly skipped: number
  /** Sends until `rows` rows of the source are taken or it ends; resolves when all of it is acked. */
  sendUpTo(rows: number, onAck: (ack: BatchAck) => void): Promise<void>
  close(): Promise<void>
}

export function feed(request: {
  readonly topic: Topic<Flight>
  readonly codec: Codec<Flight>
  readonly rows: AsyncGenerator<Flight[]>
  readonly digests: Digests
}): Feed {
  const { topic, codec, digests } = request
  const producer = topic.producer({ lingerMs: 5 })
  // Per partition the rows of the source keep their order, so an offset is the number of rows before it.
  const there = topic.offsets().map(({ highWatermark }) => Number(highWatermark))
  const seen = there.map(() => 0)
  const routes = new Map<string, Route>()
  let chunk: Flight[] = []
  let at = 0
  let taken = 0
  let sent = 0
  let skipped = 0

  there.forEach((count, partition) => digests.truncate(partition, count))

  async function* records(until: number): AsyncGenerator<ProducerRecord<Flight>> {
    while (taken < until) {
      if (at === chunk.length) {
        const next = await request.rows.next()
        if (next.done === true) return
        chunk = next.value
        at = 0
      }
      const flight = chunk[at++]!
      const index = taken++
      const { key, partition } = routeOf(flight.origin)
      const offset = seen[partition]!++
      const headers = headersOf(index)
      if (digests.count(partition) <= offset) {
        digests.append(partition, digestOf(key, codec.encode(flight), headers))
      }
      if (offset < there[partition]!) {
        skipped++
        continue
      }
      sent++
      yield { key, value: flight, headers }
    }
  }

  function routeOf(origin: string): Route {
    let route = routes.get(origin)
    if (route === undefined) {
      const key = new TextEncoder().encode(origin)
      routes.set(origin, (route = { key, partition: (murmur2(key) & 0x7fffffff) % topic.partitions }))
    }
    return route
  }

  return {
    get taken() {
      return taken
    },
    get sent() {
      return sent
    },
    get skipped() {
      return skipped
    },
    async sendUpTo(until, onAck) {
      await producer.sendAll(records(until), { onAck })
      await producer.flush()
      digests.flush()
    },
    close: () => producer.close(),
  }
}

/** An origin's key, and the partition that the producer will choose for it. */
interface Route {
  readonly key: Uint8Array
  readonly partition: number
}

const noHeaders: Header[] = []

// A few records carry headers: a repeated key, a null and an empty value, so that all of it is seen to come back.
function headersOf(index: number): Header[] {
  if (index % 1000 !== 0) return noHeaders
  return [
    ['row', Buffer.from(String(index))],
    ['row', null],
    ['empty', new Uint8Array(0)],
  ]
}
