/** As many partitions as a topic may have: marker, manifests, files and the log must not mind. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultLimits } from '@moulin/core'
import type { Topic } from '@moulin/core'
import { openLog } from 'moulin'
import { expect, it } from 'vitest'

async function valuesOf(topic: Topic<Uint8Array>): Promise<string[]> {
  const values: string[] = []
  for await (const record of topic.read({ from: 'earliest', to: 'end' }))
    values.push(Buffer.from(record.bytes!).toString())
  return values.sort()
}

it('a topic of 10 000 partitions with one record each is tiered twice, read and opened again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moulin-wide-'))
  const partitions = defaultLimits.maxPartitions
  try {
    const log = await openLog(folder, { threads: 0 })
    const topic = await log.ensureTopic('wide', { partitions })
    const producer = topic.producer()
    const all = Array.from({ length: partitions }, (_, partition) => ({
      partition,
      value: Buffer.from(`v${partition}`),
    }))
    await Promise.all(all.map((record) => producer.send(record)))
    expect((await topic.tier()).rows).toBe(partitions)
    await producer.send({ partition: 7, value: Buffer.from('more') })
    expect((await topic.tier()).rows).toBe(1)
    await log.close()

    const again = await openLog(folder, { threads: 0 })
    const reopened = (await again.topic('wide')) as Topic<Uint8Array>
    expect(await reopened.scan({}).count()).toBe(partitions + 1)
    expect(await valuesOf(reopened)).toEqual([...all.map(({ value }) => value.toString()), 'more'].sort())
    const report = await reopened.audit()
    expect(report.clean).toBe(true)
    expect(report.partitions).toHaveLength(partitions)
    expect((await reopened.tier()).rows).toBe(0)
    await again.close()

    const metadata = join(folder, 'tables/default/wide/metadata')
    const sizes = await Promise.all(
      (await readdir(metadata)).map(async (name) => (await stat(join(metadata, name))).size),
    )
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(defaultLimits.metadataWarnBytes)
    expect(await readdir(join(folder, 'log/ledgers'))).toHaveLength(3)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 120_000)
