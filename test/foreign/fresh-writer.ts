/**
 * A process with a log and a server that serves its tables fresh: `fresh-writer.ts DIR STALENESS_MS RATE SECONDS`. It begins to send at a line
 * of input, so many records a second, the n-th of a partition with the value n; it tells what is durable, and when all is. At each further
 * line it tells what the server has done. It ends with its input.
 */
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { serveCatalog } from '@moulin/gateway'
import { fileSystem, json, objectStoreCatalog, openLog, schema, t } from 'moulin'
import type { ProducerRecord } from 'moulin'

const TICK_MS = 10
const PARTITIONS = 3
const [dir = '', ...numbers] = process.argv.slice(2)
const [maxStalenessMs = 0, rate = 0, seconds = 0] = numbers.map(Number)
const tell = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`)

const log = await openLog(dir)
const Tick = schema({ n: t.int53, note: t.string })
type Tick = { n: number; note: string }
const topic = await log.ensureTopic('ticks', { value: json(Tick), table: 'shop.ticks', partitions: PARTITIONS })
const store = fileSystem({ root: dir })
const catalog = objectStoreCatalog({ store })
const server = await serveCatalog({ catalog, stores: store, logs: [log], maxStalenessMs, listen: '127.0.0.1:0' })
tell({ url: server.url })

/** As many as are due by the clock: what a busy machine has missed, it makes up for. */
async function* paced(): AsyncGenerator<ProducerRecord<Tick>> {
  const beganMs = performance.now()
  for (let sent = 0; sent < rate * seconds; await setTimeout(TICK_MS)) {
    const due = Math.min(rate * seconds, Math.ceil((rate * (performance.now() - beganMs)) / 1000))
    for (; sent < due; sent++) {
      const n = Math.floor(sent / PARTITIONS)
      yield { value: { n, note: `tick ${n} of many` }, partition: sent % PARTITIONS }
    }
  }
}

async function send(): Promise<void> {
  const beganMs = performance.now()
  const producer = topic.producer()
  await producer.sendAll(paced(), {
    onAck: ({ partition, lastOffset }) => tell({ partition, below: Number(lastOffset) + 1 }),
  })
  await producer.close()
  tell({ sentMs: performance.now() - beganMs })
}

let sending: Promise<void> | undefined
for await (const _ of createInterface({ input: process.stdin })) {
  if (sending === undefined) sending = send()
  else tell(await server.stats())
}
await sending
await server.close()
const { clean } = await topic.audit()
tell({ clean })
await log.close()
