/** What `append` was given is what is read from the file, at once and by the next process: its checksum there is not made by a walk. */
import { encodeBatch } from '@moulin/format'
import { seededRandom } from '@moulin/testing'
import { expect, it } from 'vitest'
import { bytesOf, machine, openIn, valuesOf } from './machine.ts'

const PARTITIONS = 3

it('stores batches of any number and size, of several calls at once, in the order of the calls', async () => {
  const random = seededRandom(4)
  const on = machine()
  // Nothing is kept in memory: a read looks at the file, and checks it.
  const options = { limits: { tailRingBytes: 1 }, segmentBytes: 256 * 1024 }
  const log = await openIn(on.runtime(), options)
  const topic = await log.createTopic('orders', { partitions: PARTITIONS, timestampBeforeMaxMs: -1 })
  const expected: string[][] = Array.from({ length: PARTITIONS }, () => [])
  const acks: number[][] = Array.from({ length: PARTITIONS }, () => [])
  const appends: Promise<unknown>[] = []
  let name = 0
  for (let call = 0; call < 150; call++) {
    const partition = random.below(PARTITIONS)
    const batches = Array.from({ length: 1 + random.below(3) }, () => {
      const records = Array.from({ length: 1 + random.below(4) }, (_, offset) => {
        const text = `${name++}-`.padEnd(random.below(12) === 0 ? 9_000 : random.below(300), 'x')
        expected[partition]!.push(text)
        return { offset: BigInt(offset), timestamp: 5n, key: null, value: bytesOf(text), headers: [] }
      })
      return encodeBatch({ baseOffset: 0n, timestampType: 'create', records })
    })
    const given = new Uint8Array(Buffer.concat(batches))
    const before = BigInt(expected[partition]!.length)
    const ack = topic.append({ partition, batches: given }).then(({ lastOffset }) => {
      expect(lastOffset).toBe(before - 1n)
      acks[partition]!.push(call)
    })
    given.fill(0xee)
    appends.push(ack)
    if (random.below(10) === 0) await Promise.all(appends)
  }
  await Promise.all(appends)
  for (const calls of acks) expect(calls).toEqual([...calls].sort((a, b) => a - b))
  for (let partition = 0; partition < PARTITIONS; partition++)
    expect(await valuesOf(topic, partition)).toEqual(expected[partition])
  await log.close()

  const next = await openIn(on.runtime(), options)
  const again = await next.topic('orders')
  for (let partition = 0; partition < PARTITIONS; partition++)
    expect(await valuesOf(again, partition)).toEqual(expected[partition])
  await next.close()
})
