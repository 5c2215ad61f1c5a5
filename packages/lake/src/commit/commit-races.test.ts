import { isKind } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { change, foreignAppend, tableOf } from '../foreign.test-support.ts'
import { checkTable, settled, utf8 } from '../lake.test-support.ts'
import { dataFiles, keysBelow, outside, racedLog, sendTwo, tierAll } from './commit-races.test-support.ts'

describe('a lost commit race', () => {
  it('commits the same data files on top of what came first', async () => {
    const { log, races, commits } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    races.push(() => foreignAppend(outside(log)))
    races.push(() => foreignAppend(outside(log), [{ partition: null, offset: null }]))
    const result = await tierAll(log, topic)
    expect(result.rows).toBe(4)
    expect(commits).toHaveLength(3)
    expect((await dataFiles(log)).filter((key) => !key.includes('foreign'))).toHaveLength(1)
    expect(await keysBelow(log, 'log/staged/')).toEqual([])
    // Of the lost attempts no manifest stays.
    expect((await keysBelow(log, 'tables/shop/orders/metadata/')).filter((key) => key.includes('snap-'))).toHaveLength(
      3,
    )
    await checkTable(topic, log)
  })

  it('plans anew where an older writer of the log came first', async () => {
    const { log, races, commits } = racedLog({ epoch: 7n })
    const zombie = outside(log, { epoch: 3n })
    const old = await zombie.attach()
    const topic = await log.attach()
    sendTwo(log)
    // Acked by the older writer: ours found it when it opened the log.
    log.hot.reopen()
    races.push(async () => void (await old.tier({ upTo: [1n, 2n] })))
    const result = await tierAll(log, topic)
    expect(result).toMatchObject({ rows: 1, frontier: [2n, 2n] })
    expect(commits).toHaveLength(2)
    expect(await dataFiles(log)).toHaveLength(2)
    expect(await keysBelow(log, 'log/staged/')).toEqual([])
    await checkTable(topic, log)
  })

  it('plans anew for any move of the frontier, also by one that claims the same epoch', async () => {
    const { log, races } = racedLog({ epoch: 7n })
    const twin = await outside(log, { epoch: 7n }).attach()
    const topic = await log.attach()
    sendTwo(log)
    // Acked by the older writer: ours found it when it opened the log.
    log.hot.reopen()
    races.push(async () => void (await twin.tier({ upTo: [1n, 2n] })))
    expect(await tierAll(log, topic)).toMatchObject({ rows: 1, frontier: [2n, 2n] })
    await checkTable(topic, log)
  })

  it('does not spare files for a partition that the older writer left alone', async () => {
    const { log, races } = racedLog({ epoch: 7n })
    const old = await outside(log, { epoch: 3n }).attach()
    const topic = await log.attach()
    sendTwo(log)
    // Acked by the older writer: ours found it when it opened the log.
    log.hot.reopen()
    races.push(async () => void (await old.tier({ upTo: [0n, 2n] })))
    const result = await settled(log.runtime, topic.tier({ upTo: [2n, 0n] }))
    expect(result).toMatchObject({ rows: 2, frontier: [2n, 2n] })
    await checkTable(topic, log)
  })

  it('fences the older writer, and removes what it wrote', async () => {
    const { log, races } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    const next = outside(log)
    races.push(async () => void (await (await next.attach()).tier({ upTo: next.hot.committedOffsets() })))
    await expect(tierAll(log, topic)).rejects.toMatchObject({
      kind: 'fenced',
      outcome: 'rejected',
      context: { epoch: 2n },
    })
    expect(await dataFiles(log)).toHaveLength(1)
    expect(await keysBelow(log, 'log/staged/')).toEqual([])
    await checkTable(topic, log)
    await expect(tierAll(log, topic)).rejects.toMatchObject({ kind: 'fenced' })
  })

  it('encodes anew what has waited for more than an hour', async () => {
    const { log, races, commits } = racedLog({ tier: { retryMs: 7_200_000 } })
    const topic = await log.attach()
    sendTwo(log)
    let files: string[] = []
    races.push(async () => {
      files = await dataFiles(log)
      await foreignAppend(outside(log))
      await log.runtime.clock.advance(3_600_000)
    })
    await tierAll(log, topic)
    expect(commits).toHaveLength(2)
    expect(files).toHaveLength(1)
    expect(await dataFiles(log)).toHaveLength(1)
    expect(await dataFiles(log)).not.toEqual(files)
    await checkTable(topic, log)
  })

  it('encodes anew for a partition spec or schema that changed', async () => {
    const { log, races } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    races.push(() =>
      change(outside(log), [
        { action: 'add-spec', spec: { fields: [{ 'source-id': 1, name: 'log_partition', transform: 'identity' }] } },
        { action: 'set-default-spec', 'spec-id': -1 },
      ]),
    )
    await tierAll(log, topic)
    expect(await dataFiles(log)).toHaveLength(2)
    expect((await tableOf(log)).metadata['default-spec-id']).toBe(1)
    await checkTable(topic, log)
  })

  it('ends after its time, not after a count, and leaves nothing behind', async () => {
    const { log, races } = racedLog({ tier: { retryMs: 60_000 } })
    const topic = await log.attach()
    sendTwo(log)
    for (let round = 0; round < 500; round++) races.push(() => foreignAppend(outside(log)))
    const error: unknown = await tierAll(log, topic).catch((thrown: unknown) => thrown)
    expect(isKind(error, 'conflict', 'COMMIT_CONTENTION')).toBe(true)
    expect(error).toMatchObject({ retryable: true, outcome: 'rejected' })
    expect(races.length).toBeLessThan(450)
    expect(races.length).toBeGreaterThan(0)
    expect(await dataFiles(log)).toEqual([])
    races.splice(0)
    await tierAll(log, topic)
    await checkTable(topic, log)
  })
})

describe('tier', () => {
  it('makes no commit when there is nothing to move', async () => {
    const { log, commits } = racedLog()
    const topic = await log.attach()
    expect(await topic.tier({ upTo: [0n, 0n] })).toEqual({ snapshotId: null, rows: 0, frontier: [0n, 0n] })
    sendTwo(log)
    const { snapshotId } = await tierAll(log, topic)
    expect(await tierAll(log, topic)).toEqual({ snapshotId, rows: 0, frontier: [2n, 2n] })
    expect(commits).toHaveLength(1)
  })

  it('never goes above what is committed, or below the frontier', async () => {
    const { log } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    expect(await topic.tier({ upTo: [1n, 99n] })).toMatchObject({ rows: 3, frontier: [1n, 2n] })
    expect(await topic.tier({ upTo: [0n, 0n] })).toMatchObject({ rows: 0, frontier: [1n, 2n] })
    await tierAll(log, topic)
    await checkTable(topic, log)
  })

  it('shares one commit among parallel calls', async () => {
    const { log, commits } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    const results = await Promise.all([1, 2, 3].map(() => topic.tier({ upTo: [2n, 2n] })))
    expect(new Set(results.map(({ snapshotId }) => snapshotId)).size).toBe(1)
    expect(commits).toHaveLength(1)
    sendTwo(log)
    await Promise.all([topic.tier({ upTo: [3n, 2n] }), topic.tier({ upTo: [4n, 4n] }), topic.tier({ upTo: [3n, 3n] })])
    expect(commits).toHaveLength(3)
    await checkTable(topic, log)
  })

  it('stops before its commit when it is aborted, and cleans up', async () => {
    const { log, commits } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    const stop = new AbortController()
    const result = topic.tier({ upTo: [2n, 2n], signal: stop.signal })
    stop.abort()
    await expect(result).rejects.toMatchObject({ kind: 'aborted' })
    expect(commits).toEqual([])
    expect(await dataFiles(log)).toEqual([])
    await tierAll(log, topic)
    await checkTable(topic, log)
  })

  it('goes on for a caller whose companion gave up', async () => {
    const { log } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    const stop = new AbortController()
    const first = topic.tier({ upTo: [2n, 2n], signal: stop.signal })
    const second = topic.tier({ upTo: [2n, 2n] })
    stop.abort()
    await expect(first).rejects.toMatchObject({ kind: 'aborted' })
    expect(await second).toMatchObject({ rows: 4 })
    await checkTable(topic, log)
  })

  it('does not take a hole in what the log gives for a gap', async () => {
    const { log } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    sendTwo(log)
    const { read } = log.hot
    log.hot.read = async function* (request) {
      for await (const run of read.call(log.hot, request)) if (run.baseOffset !== 0n) yield run
    }
    await expect(tierAll(log, topic)).rejects.toMatchObject({ kind: 'internal', code: 'HOT_GAP' })
    log.hot.read = read
    await tierAll(log, topic)
    await checkTable(topic, log)
  })

  it('is refused on a read-only log', async () => {
    const { log } = racedLog()
    await log.attach()
    const reader = await log.reopen({ access: 'read-only' }).attach()
    await expect(reader.tier({ upTo: [1n, 1n] })).rejects.toMatchObject({ kind: 'invalid', code: 'READ_ONLY' })
  })
})

describe('a staged record that was left behind', () => {
  it('never takes the files of a commit along that did happen', async () => {
    const { log } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    let place: string | undefined
    let record: Uint8Array | undefined
    const put = log.store.put.bind(log.store)
    log.store.put = async (key, bytes, options) => {
      if (key.startsWith('log/staged/') && place === undefined) [place, record] = [key, bytes]
      return put(key, bytes, options)
    }
    await tierAll(log, topic)
    // Main has moved on, and the snapshot of the commit is gone, when the next writer finds the record.
    for (let round = 0; round < 3; round++) {
      sendTwo(log)
      await tierAll(log, topic)
      if (round === 0) await put(place!, record!)
    }
    const { snapshots } = (await tableOf(log)).metadata
    await change(outside(log), [
      { action: 'remove-snapshots', 'snapshot-ids': snapshots!.slice(0, 2).map((s) => s['snapshot-id']) },
    ])
    await checkTable(await outside(log).attach(), log)
  })

  it('keeps nobody from the table while an old snapshot has lost its manifests', async () => {
    const { log } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    await tierAll(log, topic)
    const old = (await tableOf(log)).metadata.snapshots![0]!['manifest-list'].slice(log.store.root.length)
    sendTwo(log)
    let record: [string, Uint8Array] | undefined
    const put = log.store.put.bind(log.store)
    log.store.put = async (key, bytes, options) => {
      if (key.startsWith('log/staged/')) record = [key, bytes]
      return put(key, bytes, options)
    }
    await tierAll(log, topic)
    sendTwo(log)
    await tierAll(log, topic)
    // As if a third writer had staged it and died.
    const [key, bytes] = record!
    const dead = '99999999-9999-4999-8999-999999999999'
    const commit = /[^/]+(?=\.json$)/.exec(key)![0]
    const text = new TextDecoder()
      .decode(bytes)
      .replaceAll(commit, dead)
      .replace(/snap-\d+-/, 'snap-1-')
    await put(key.replace(commit, dead), utf8(text))
    await put(`tables/shop/orders/data/${dead}-0.parquet`, utf8('x'))
    const kept = await log.store.get(old)
    await log.store.delete(old)
    const next = outside(log)
    await checkTable(await next.attach(), next)
    expect(await keysBelow(log, 'log/staged/')).toHaveLength(1)
    expect((await dataFiles(log)).some((name) => name.includes(dead))).toBe(true)
    await put(old, kept.bytes)
    await checkTable(await outside(log).attach(), log)
    expect(await keysBelow(log, 'log/staged/')).toEqual([])
    expect((await dataFiles(log)).some((name) => name.includes(dead))).toBe(false)
  })
})
