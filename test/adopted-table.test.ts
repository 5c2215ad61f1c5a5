/** A table and a log that do not belong together any more, in folders, and the ways back. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import { systemRuntime, unavailable } from '@moulin/core'
import type { Catalog, Log, OnBroken, Topic } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { openLog as openFolder } from 'moulin'
import { fileSystem } from '@moulin/storage'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const runtime = systemRuntime()
const JUMP = 2n ** 20n
let root: string
let isDown = false
const open: Log[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-adopted-'))
  isDown = false
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await rm(root, { recursive: true })
})

const lake = (): string => join(root, 'lake')
const store = (): ReturnType<typeof fileSystem> => fileSystem({ root: lake(), files: runtime.files })

function catalogOf(access: 'read-write' | 'read-only' = 'read-write'): Catalog {
  const catalog = objectStoreCatalog({ store: store(), prefix: 'tables/', runtime, access })
  return {
    ...catalog,
    loadTable: async (...args) => {
      if (isDown) throw unavailable('DOWN', 'The catalog is down.')
      return catalog.loadTable(...args)
    },
  }
}

interface Options {
  readonly onBroken?: OnBroken
  readonly access?: 'read-write' | 'read-only'
}

async function openHere({ onBroken, access = 'read-write' }: Options = {}): Promise<Log> {
  const log = await openLog({
    store: store(),
    wal: fileWal({ dir: join(lake(), 'log/wal'), segmentBytes: 64 * 1024 }),
    tier: icebergTier({ catalog: catalogOf(access), threads: 0 }),
    runtime,
    access,
    catalogWaitMs: 200,
    ...(onBroken === undefined ? {} : { onBroken }),
  })
  open.push(log)
  return log
}

async function close(log: Log): Promise<void> {
  open.splice(open.indexOf(log), 1)
  await log.close()
}

const topicOf = (log: Log): Promise<Topic<Uint8Array>> =>
  log.ensureTopic('rides', { partitions: 2, table: 'city.rides' })

async function send(topic: Topic<Uint8Array>, partition: number, ...texts: readonly string[]): Promise<bigint[]> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  const offsets: bigint[] = []
  for (const text of texts) {
    offsets.push((await producer.send({ value: new TextEncoder().encode(text), partition })).offset)
  }
  await producer.close()
  return offsets
}

async function read(
  topic: Topic<Uint8Array>,
  partition: number,
  from: 'earliest' | bigint = 'earliest',
  incarnation?: number,
): Promise<string[]> {
  const life = incarnation === undefined ? {} : { incarnation }
  const found: string[] = []
  for await (const { offset, bytes } of topic.read({ partition, from, to: 'end', ...life })) {
    found.push(`${offset}:${new TextDecoder().decode(bytes!)}`)
  }
  return found
}

const count = (letter: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `${letter}${from + at}`)
const placed = (texts: readonly string[], from = 0): string[] => texts.map((text, at) => `${from + at}:${text}`)

/** A log of 8 records in each partition, 5 of them tiered and released; its table has 11 and 8, of a life that is lost. */
async function restored(): Promise<void> {
  const log = await openHere()
  const topic = await topicOf(log)
  for (const partition of [0, 1]) await send(topic, partition, ...count('a', 0, 5))
  await topic.tier()
  await log.releaseNow()
  for (const partition of [0, 1]) await send(topic, partition, ...count('a', 5, 8))
  await close(log)
  await cp(join(lake(), 'log'), join(root, 'early'), { recursive: true })
  const later = await openHere()
  const again = await topicOf(later)
  await send(again, 0, ...count('lost', 8, 11))
  await again.tier()
  await close(later)
  await rm(join(lake(), 'log'), { recursive: true })
  await cp(join(root, 'early'), join(lake(), 'log'), { recursive: true })
}

const behind = { kind: 'conflict', code: 'LOG_BEHIND_TABLE', context: { ranges: 'partition 0 [8, 11)' } }

describe('a log that is older than its table', () => {
  it('is read where it is hot, refuses sends and cold reads, and a read-only log reads what the table holds', async () => {
    await restored()
    const log = await openHere()
    const topic = await topicOf(log)
    await expect(send(topic, 1, 'x')).rejects.toMatchObject({
      ...behind,
      message: expect.stringMatching(/right copy.*topic\.adoptTable\(\)/),
    })
    expect(await read(topic, 0, 5n)).toEqual(placed(count('a', 5, 8), 5))
    await expect(read(topic, 0)).rejects.toMatchObject(behind)
    await expect(topic.scan().count()).rejects.toMatchObject(behind)
    const reader = await openHere({ access: 'read-only' })
    const seen = (await reader.topic('rides')) as Topic<Uint8Array>
    expect(await read(seen, 0)).toEqual(placed(count('a', 0, 8)))
    expect(await seen.scan().count()).toBe(19)
  })

  it('tells a log that was open for reading meanwhile to be opened again', async () => {
    await restored()
    const reader = await openHere({ access: 'read-only' })
    const seen = (await reader.topic('rides')) as Topic<Uint8Array>
    expect(await read(seen, 1)).toEqual(placed(count('a', 0, 8)))
    await (await topicOf(await openHere())).adoptTable()
    const error = await read(seen, 1).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'LINEAGE_BROKEN',
      message: expect.stringMatching(/open it again/),
      context: { lost: '' },
    })
    expect(String(error)).not.toMatch(/In doubt|Put the table right/)
    const again = (await (await openHere({ access: 'read-only' })).topic('rides')) as Topic<Uint8Array>
    expect(await read(again, 1)).toEqual(placed(count('a', 0, 8)))
  })

  it('goes on in the next incarnation, with a follower that came along, here and after a start', async () => {
    await restored()
    const log = await openHere()
    const topic = await topicOf(log)
    const stop = new AbortController()
    const followed: string[] = []
    const following = (async () => {
      for await (const { offset } of topic.read({ partition: 0, from: 5n, signal: stop.signal })) {
        followed.push(String(offset))
        if (offset > JUMP) return
      }
    })()
    const done = await topic.adoptTable()
    const starts = [11n + JUMP, 8n + JUMP]
    expect(done).toMatchObject({ outcome: 'next-incarnation', incarnation: 1, frontier: starts, rows: 19n })
    expect(done.skipped).toEqual([
      { incarnation: 1, partition: 0, from: 11n, to: starts[0] },
      { incarnation: 1, partition: 1, from: 8n, to: starts[1] },
    ])
    const earlier = [0, 1].map((partition) => ({ incarnation: 0, partition, from: 5n, to: 8n }))
    expect(done.earlier).toMatchObject(earlier)
    expect(topic.stats()).toMatchObject({ stoppedBy: null, earlier })
    expect(topic.incarnation).toBe(1)
    expect(await send(topic, 0, 'b0', 'b1')).toEqual([starts[0], starts[0]! + 1n])
    await following
    expect(followed).toEqual(['5', '6', '7', '8', '9', '10', String(starts[0])])
    const whole = [...placed(count('a', 0, 8)), ...placed(count('lost', 8, 11), 8)]
    const news = placed(count('b', 0, 2), Number(starts[0]))
    expect(await read(topic, 0)).toEqual([...whole, ...news])
    await close(log)

    const next = await openHere()
    const again = await topicOf(next)
    expect(again.stats().earlier).toMatchObject(earlier)
    expect(await read(again, 0)).toEqual([...whole, ...news])
    expect(await send(again, 1, 'c0')).toEqual([starts[1]])
    expect((await again.tier()).rows).toBe(3)
    await next.releaseNow()
    expect(again.stats().earlier).toMatchObject(earlier)
    const report = await again.audit({ deep: true })
    expect(report.clean).toBe(true)
    expect(report.gaps.map(({ incarnation, partition, reason }) => [incarnation, partition, reason])).toEqual([
      [1, 0, 'unknown'],
      [1, 1, 'unknown'],
    ])
    expect(await again.scan().count()).toBe(22)
    expect(await again.adoptTable()).toMatchObject({ outcome: 'none', incarnation: 1, rows: 22n })
    await close(next)

    const last = await openHere({ access: 'read-only' })
    expect(await read((await last.topic('rides')) as Topic<Uint8Array>, 1)).toEqual([
      ...placed(count('a', 0, 8)),
      `${starts[1]}:c0`,
    ])
  })

  it('keeps what was acked while the catalog was down apart, listed', async () => {
    await restored()
    isDown = true
    const log = await openHere()
    const topic = await topicOf(log)
    expect(await send(topic, 0, ...count('m', 8, 13))).toHaveLength(5)
    isDown = false
    await expect(topic.tier()).rejects.toMatchObject(behind)
    expect((await read(topic, 0, 8n)).at(-1)).toBe('12:m12')
    const done = await topic.adoptTable()
    expect(done.earlier).toMatchObject([
      { partition: 0, from: 5n, to: 13n },
      { partition: 1, from: 5n, to: 8n },
    ])
    expect((await read(topic, 0)).slice(-4)).toEqual(['7:a7', ...placed(count('lost', 8, 11), 8)])
    expect(await send(topic, 0, 'n')).toEqual([11n + JUMP])
    const kept = [...placed(count('a', 5, 8), 5), ...placed(count('m', 8, 13), 8)]
    expect(await read(topic, 0, 'earliest', 0)).toEqual(kept)
    await expect(read(topic, 0, 'earliest', 7)).rejects.toMatchObject({ kind: 'not-found', code: 'NO_INCARNATION' })
    await close(log)

    const next = await openHere()
    const again = await topicOf(next)
    expect(await read(again, 0, 9n, 0)).toEqual(kept.slice(4))
    const { liveBytes } = next.stats().wal
    await again.dropEarlier()
    expect(again.stats().earlier).toEqual([])
    expect(next.stats().wal.liveBytes).toBeLessThan(liveBytes)
    expect(await read(again, 0, 'earliest', 0)).toEqual([])
    await close(next)

    const last = await openHere()
    const dropped = await topicOf(last)
    expect(dropped.stats().earlier).toEqual([])
    expect((await read(dropped, 0)).at(-1)).toBe(`${11n + JUMP}:n`)
  })

  it('is refused again, and adopted again, by a copy that does not know the next incarnation', async () => {
    await restored()
    const log = await openHere()
    await (await topicOf(log)).adoptTable()
    await close(log)
    await rm(join(lake(), 'log'), { recursive: true })
    await cp(join(root, 'early'), join(lake(), 'log'), { recursive: true })
    const copy = await openHere()
    const topic = await topicOf(copy)
    await expect(send(topic, 0, 'x')).rejects.toMatchObject({ code: 'LOG_BEHIND_TABLE' })
    const done = await topic.adoptTable()
    expect(done).toMatchObject({ incarnation: 2, frontier: [11n + 2n * JUMP, 8n + 2n * JUMP] })
    await send(topic, 0, 'y')
    await topic.tier()
    expect((await topic.audit()).clean).toBe(true)
    expect(await topic.scan().count()).toBe(20)
  })
})

describe('onBroken', () => {
  /** 6 records, 4 tiered and released, 2 tiered and hot; then a rollback to the table's first commit, of 3 rows. */
  async function rolledBack(): Promise<void> {
    const log = await openHere()
    const topic = await topicOf(log)
    await send(topic, 0, ...count('a', 0, 3))
    await topic.tier()
    await send(topic, 0, 'a3')
    await topic.tier()
    await log.releaseNow()
    await send(topic, 0, 'a4', 'a5')
    await topic.tier()
    await close(log)
    await rollBack()
  }

  async function rollBack(): Promise<void> {
    const catalog = catalogOf()
    const identifier = { namespace: ['city'], name: 'rides' }
    const { metadata } = await catalog.loadTable(identifier)
    const first = metadata.snapshots![0]!['snapshot-id']
    await catalog.commitTable(identifier, {
      requirements: [],
      updates: [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': first }],
    })
  }

  it('error leaves the table alone, and sends go on', async () => {
    await rolledBack()
    const log = await openHere()
    const topic = await topicOf(log)
    expect(await send(topic, 0, 'a6')).toEqual([6n])
    await expect(topic.tier()).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
    expect(topic.stats().stoppedBy).toMatchObject({ code: 'LINEAGE_BROKEN' })
  })

  it('gap at openLog passes what is lost; restore does not', async () => {
    await rolledBack()
    const strict = await openHere({ onBroken: 'restore' })
    await expect((await topicOf(strict)).tier()).rejects.toMatchObject({
      code: 'LINEAGE_BROKEN',
      message: expect.stringMatching(/\[3, 4\)/),
    })
    await close(strict)
    const log = await openHere({ onBroken: 'gap' })
    const topic = await topicOf(log)
    expect((await topic.tier()).rows).toBe(2)
    await log.releaseNow()
    const want = [...placed(count('a', 0, 3)), '4:a4', '5:a5']
    expect(await read(topic, 0)).toEqual(want)
    expect(await topic.audit()).toMatchObject({ clean: true, gaps: [{ from: 3n, to: 4n, reason: 'skipped' }] })
  })

  it('per topic says otherwise than the log, at a commit, and at a read', async () => {
    const log = await openHere({ onBroken: 'error' })
    const topic = await log.ensureTopic('rides', { partitions: 2, table: 'city.rides', onBroken: 'restore' })
    await send(topic, 0, ...count('a', 0, 3))
    await topic.tier()
    await log.releaseNow()
    await send(topic, 0, 'a3', 'a4')
    await topic.tier()
    await rollBack()
    expect((await topic.tier()).rows).toBe(2)
    expect((await topic.audit()).clean).toBe(true)
    await rollBack()
    expect(await read(topic, 0)).toEqual(placed(count('a', 0, 5)))
    expect(topic.stats().stoppedBy).toBeNull()
    expect((await topic.tier()).rows).toBe(2)
    await log.topic('rides', { onBroken: 'error' })
    await rollBack()
    await expect(topic.tier()).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
    expect(await topic.adoptTable()).toMatchObject({
      outcome: 'recounted',
      incarnation: 0,
      rows: 3n,
      frontier: [3n, 0n],
    })
    expect((await topic.tier()).rows).toBe(2)
  })

  it('is followed by a search for a time and by a look at single places, too', async () => {
    const log = await openHere({ onBroken: 'gap' })
    const topic = await topicOf(log)
    await send(topic, 0, ...count('a', 0, 2))
    await topic.tier()
    await send(topic, 0, ...count('b', 2, 4))
    await topic.tier()
    await log.releaseNow()
    await send(topic, 0, 'c4')
    const found = async (): Promise<(bigint | undefined)[]> => {
      const offsets = []
      const places = [3n, 1n, 4n].map((offset) => ({ partition: 0, offset }))
      for await (const record of topic.readAt(places)) offsets.push(record?.offset)
      return offsets
    }
    const fromTime = async (): Promise<bigint[]> => {
      const offsets = []
      const options = { partition: 0, from: { timestamp: 1n }, to: 'end' } as const
      for await (const { offset } of topic.read(options)) offsets.push(offset)
      return offsets
    }
    await rollBack()
    expect(await topic.offsetFor(1n, { partition: 0 })).toBe(0n)
    expect(await found()).toEqual([undefined, 1n, 4n])
    for (const search of [found, fromTime]) {
      await send(topic, 0, 'd')
      await topic.tier()
      await log.releaseNow()
      await rollBack()
      const offsets = await search()
      expect(offsets).toContain(1n)
      expect(topic.stats().stoppedBy).toBeNull()
    }
  })

  it('mends once for all that meet a broken table at the same time', async () => {
    const log = await openHere({ onBroken: 'gap' })
    const topic = await topicOf(log)
    for (const partition of [0, 1]) await send(topic, partition, ...count('a', 0, 3))
    await topic.tier()
    for (const partition of [0, 1]) await send(topic, partition, ...count('b', 3, 5))
    await topic.tier()
    await log.releaseNow()
    for (const partition of [0, 1]) await send(topic, partition, 'c5')
    await rollBack()
    const want = [...placed(count('a', 0, 3)), '5:c5']
    const [first, second, again, tiered] = await Promise.all([
      read(topic, 0),
      read(topic, 1),
      read(topic, 0),
      topic.tier(),
    ])
    expect([first, second, again]).toEqual([want, want, want])
    expect(tiered.rows).toBe(2)
    const { metadata } = await catalogOf().loadTable({ namespace: ['city'], name: 'rides' })
    // Two commits that were rolled back to one, the adoption, and what was hot.
    expect(metadata.snapshots).toHaveLength(4)
    expect((await topic.audit()).clean).toBe(true)
  })

  it('is checked, wherever it is given', async () => {
    const wrong = { onBroken: 'ignore' as OnBroken }
    await expect(openHere(wrong)).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION' })
    await expect(openFolder(join(root, 'other'), wrong)).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION' })
    const log = await openHere()
    await expect(log.createTopic('rides', wrong)).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION' })
    await log.createTopic('rides')
    await expect(log.topic('rides', wrong)).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION' })
  })
})
