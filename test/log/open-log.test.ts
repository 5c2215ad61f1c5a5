import { t, schema, type Files, type Sequencer } from '@moulin/core'
import { avro } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { fileWal, single } from '@moulin/log'
import { bytesOf, collect, machine, openIn, textOf, valuesOf, WAL } from './machine.ts'

describe('openLog', () => {
  it('gives back what was sent, in order, before and after a clean reopen', async () => {
    const { runtime } = machine()
    const first = runtime()
    const log = await openIn(first)
    const topic = await log.ensureTopic('orders', { partitions: 2 })
    const producer = topic.producer({ lingerMs: 0 })
    const acks = await Promise.all(
      Array.from({ length: 10 }, (_, i) => producer.send({ value: bytesOf(`v${i}`), partition: i % 2, key: `k${i}` })),
    )
    expect(acks.map(({ partition, offset }) => `${partition}@${offset}`)).toEqual([
      '0@0',
      '1@0',
      '0@1',
      '1@1',
      '0@2',
      '1@2',
      '0@3',
      '1@3',
      '0@4',
      '1@4',
    ])
    expect(await valuesOf(topic, 0)).toEqual(['v0', 'v2', 'v4', 'v6', 'v8'])
    await log.close()

    const again = await openIn(runtime())
    const found = await again.topic('orders')
    expect(await valuesOf(found, 1)).toEqual(['v1', 'v3', 'v5', 'v7', 'v9'])
    const { offset } = await found.producer({ lingerMs: 0 }).send({ value: bytesOf('more'), partition: 1 })
    expect(offset).toBe(5n)
    await again.close()
  })

  it('decodes values by the schema ledger in a process that has no schema', async () => {
    const Order = schema({ id: t.int53, city: t.string })
    const { runtime } = machine()
    const log = await openIn(runtime())
    const topic = await log.ensureTopic('orders', { value: avro(Order) })
    await topic.producer({ lingerMs: 0 }).send({ value: { id: 1, city: 'ams' } })
    await log.close()

    const again = await openIn(runtime(), { access: 'read-only' })
    const records = await collect((await again.topic('orders')).read({ to: 'end' }))
    expect(records.map(({ value }) => ({ ...(value as object) }))).toEqual([{ id: 1, city: 'ams' }])
    await again.close()
  })

  it('follows new records in the writer without polling and beside it', async () => {
    const { runtime, clock } = machine()
    const log = await openIn(runtime())
    const topic = await log.ensureTopic('orders')
    const reader = await openIn(runtime(), { access: 'read-only' })
    const seen: string[] = []
    const abort = new AbortController()
    const follow = async (name: string, records: AsyncIterable<{ bytes: Uint8Array | null }>): Promise<void> => {
      for await (const record of records) seen.push(`${name} ${textOf(record)}`)
    }
    const tails = [
      follow('inside', topic.read({ signal: abort.signal })),
      follow('beside', (await reader.topic('orders')).read({ signal: abort.signal })),
    ]
    const producer = topic.producer({ lingerMs: 0 })
    await producer.send({ value: bytesOf('a') })
    await clock.advance(2_000)
    await producer.send({ value: bytesOf('b') })
    await clock.advance(2_000)
    expect(seen.sort()).toEqual(['beside a', 'beside b', 'inside a', 'inside b'])
    await Promise.all([log.close(), reader.close()])
    await Promise.all(tails)
  })

  it('makes segments of the size that limits say, where fileWal says none', async () => {
    const on = machine()
    const wal = fileWal({ dir: WAL })
    await expect(openIn(on.runtime(), { wal, limits: { segmentBytes: 1000 } })).rejects.toMatchObject({ code: 'LIMIT' })
    const log = await openIn(on.runtime(), { wal, limits: { segmentBytes: 24_000 } })
    const producer = (await log.ensureTopic('orders')).producer({ lingerMs: 0 })
    for (let n = 0; n < 30; n++) await producer.send({ value: new Uint8Array(2000) })
    const files = (await on.disk.files.readdir(`${WAL}/epoch-1`)).filter(({ name }) => name.endsWith('.wal'))
    expect(files.length).toBeGreaterThan(2)
    const sizes = await Promise.all(
      files.map(async ({ name }) => (await on.disk.files.stat(`${WAL}/epoch-1/${name}`))!.size),
    )
    // Sealed ones are cut: less than a record was left.
    for (const size of sizes) expect(size).toBeGreaterThan(24_000 - 2_500)
    expect(Math.max(...sizes)).toBe(24_000)
    await log.close()
  })

  it('stops when it is aborted in the middle, and the next opening finds all', async () => {
    for (const access of ['read-write', 'read-only'] as const) {
      const on = machine()
      const first = on.runtime()
      const log = await openIn(first)
      await (await log.ensureTopic('orders')).producer({ lingerMs: 0 }).send({ value: bytesOf('kept') })
      await log.close()
      const cancel = new AbortController()
      const { files } = on.disk
      const aborting: Files = {
        ...files,
        async open(path, mode, options) {
          if (path.endsWith('.wal') && mode === 'read') cancel.abort()
          return files.open(path, mode, options)
        },
      }
      const opening = openIn(on.runtime(aborting), { access, signal: cancel.signal })
      await expect(opening, access).rejects.toMatchObject({ kind: 'aborted' })
      const again = await openIn(on.runtime())
      expect(await valuesOf(await again.topic('orders'))).toEqual(['kept'])
      await again.close()
    }
  })
})

describe('an opening that fails behind the sequencer', () => {
  it('closes what it has opened, the sequencer before the Wal, and throws what it failed with', async () => {
    const { runtime } = machine()
    const stop = new AbortController()
    const closed: string[] = []
    const sequencer: Sequencer = {
      name: 'seen',
      open(context) {
        const { append, follow } = single().open(context)
        const close = async (): Promise<void> => {
          closed.push('sequencer')
          // What it was opened over is still there.
          await context.wal.checkFence()
          throw new Error('The far sequencer does not answer.')
        }
        stop.abort()
        return { append, follow, close }
      },
    }
    const process = runtime()
    const opening = openIn(process, { sequencer, signal: stop.signal })
    await expect(opening).rejects.toMatchObject({ kind: 'aborted' })
    expect(closed).toEqual(['sequencer'])
    // The Wal was given up as well: nobody needs to be fenced.
    const log = await openIn(runtime())
    await log.close()
  })
})
