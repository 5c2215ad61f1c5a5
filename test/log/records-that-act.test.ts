/** Records whose own code sends, flushes, closes, aborts and throws while they are encoded: what is acked is what is read, once. */
import { schema, t, type Ack, type Codec, type MoulinError, type Producer } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { seededRandom } from '@moulin/testing'
import { expect, it } from 'vitest'
import { collect, machine, openIn } from './machine.ts'

const Order = schema({ id: t.int, note: t.string, tags: t.list(t.string) })
const codecs = [avro(Order), json(Order)] as unknown as Codec[]
const PARTITIONS = 3
const ROUNDS = 150

it.each([1, 2, 3, 4, 5, 6])('are stored as any others (seed %i)', async (seed) => {
  const random = seededRandom(seed)
  const on = machine(seed)
  const limits = { maxUnackedBytes: random.pick([2_000, 100_000]), maxBatchBytes: 16_000, maxRecordBytes: 9_000 }
  const log = await openIn(on.runtime(), { segmentBytes: 64 * 1024, limits })
  const topic = await log.ensureTopic('orders', { partitions: PARTITIONS, value: random.pick(codecs) })
  const producers: readonly Producer[] = [0, 1].map(() =>
    topic.producer({ lingerMs: random.pick([0, 5, 1_000]), batchBytes: random.pick([300, 4_000]) }),
  )
  const acked: (Pick<Ack, 'partition' | 'offset'> & { readonly id: number })[] = []
  const ended = new Set<string>()
  const under: Promise<unknown>[] = []
  let ids = 0
  let isClosed = false

  /** One send, or within a record at times something else. */
  const act = (depth: number): void => {
    const producer = random.pick(producers)
    const what = depth === 0 ? 9 : random.below(16)
    if (what === 0 && ids > 2 * ROUNDS && !isClosed) {
      isClosed = true
      under.push(producer.close())
    } else if (what < 3) under.push(producer.flush())
    else send(producer, depth)
  }
  const send = (producer: Producer, depth: number): void => {
    const id = ids++
    const stop = new AbortController()
    const [isAborted, isBad] = [random.chance(0.1), random.chance(0.1)]
    const size = random.pick([3, 30, 300, 3_000, random.chance(0.1) ? 9_500 : 30])
    const more = (chance: number): void => {
      if (depth < 3 && random.chance(chance)) act(depth + 1)
    }
    const value = {
      id,
      get note() {
        more(0.5)
        if (isAborted) stop.abort()
        // Not each time: it is asked again where it is encoded again.
        if (isBad && random.chance(0.5)) throw new TypeError('bad')
        return `${id}`.padEnd(size, 'é')
      },
      get tags() {
        more(0.3)
        return ['x'.repeat(random.below(50))]
      },
    }
    const key = random.pick([undefined, 'k', `${random.below(5)}`])
    const place = random.chance(0.3) ? { partition: random.below(PARTITIONS) } : {}
    const sent = producer.send({ value, key, ...place } as never, { signal: stop.signal })
    under.push(
      sent.then(
        ({ partition, offset }) => void acked.push({ partition, offset, id }),
        (error: MoulinError) => void ended.add(error.kind ?? error.name),
      ),
    )
  }

  for (let round = 0; round < ROUNDS; round++) {
    act(0)
    if (round % 10 === 0) await on.clock.advance(1)
  }
  for (const producer of producers) under.push(producer.flush())
  let isOver = false
  void Promise.all(under).then(() => (isOver = true))
  for (let round = 0; round < 500 && !isOver; round++) await on.clock.advance(10)
  await Promise.all(under)
  await Promise.all(producers.map((producer) => producer.close()))
  expect(log.stats().unackedBytes).toBe(0)
  for (const kind of ended) expect(['aborted', 'closed', 'invalid', 'TypeError']).toContain(kind)

  const found = new Map<string, number>()
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (const { offset, value } of await collect(topic.read({ partition, to: 'end' }))) {
      const { id, note } = value as { readonly id: number; readonly note: string }
      expect(note.replaceAll('é', '')).toBe(`${id}`)
      found.set(`${partition}@${offset}`, id)
    }
  }
  expect(acked.length).toBeGreaterThan(ROUNDS / 2)
  for (const { partition, offset, id } of acked) expect(found.get(`${partition}@${offset}`)).toBe(id)
  expect(new Set(found.values()).size).toBe(found.size)
  await log.close()
})
