import { fenced, unavailable } from '@moulin/core'
import type { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { foreignAppend } from '../foreign.test-support.ts'
import { checkTable, settled } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { dataFiles, keysBelow, outside, racedLog, sendTwo, tierAll } from './commit-races.test-support.ts'

describe('a commit that lost its race and cannot go on', () => {
  const staged = (log: TestLog): Promise<string[]> => keysBelow(log, 'log/staged/')

  it('is held for the next call, however often that comes to nothing too, and committed with the same files', async () => {
    const { log, races } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    const names = new Set<string>()
    for (let call = 0; call < 6; call++) {
      const stop = new AbortController()
      // The third race is lost to a caller that gives up while it waits for the fourth.
      for (let race = 0; race < 3; race++) {
        races.push(async () => {
          for (const name of await dataFiles(log)) if (!name.includes('foreign')) names.add(name)
          await foreignAppend(outside(log))
          if (race === 2) setImmediate(() => stop.abort())
        })
      }
      await expect(topic.tier({ upTo: log.hot.committedOffsets(), signal: stop.signal })).rejects.toMatchObject({
        kind: 'aborted',
      })
      races.splice(0)
      expect(await staged(log)).toHaveLength(1)
    }
    expect(names.size).toBe(1)
    expect(await tierAll(log, topic)).toMatchObject({ rows: 4 })
    expect((await dataFiles(log)).filter((key) => !key.includes('foreign'))).toEqual([...names])
    expect(await staged(log)).toEqual([])
    await checkTable(topic, log)
  })

  it('is discarded where the next call may not move as much', async () => {
    const { log, races } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    const stop = new AbortController()
    races.push(async () => {
      await foreignAppend(outside(log))
      stop.abort()
    })
    const lost = topic.tier({ upTo: [2n, 2n], signal: stop.signal })
    await expect(lost).rejects.toMatchObject({ kind: 'aborted' })
    const [key] = (await dataFiles(log)).filter((name) => !name.includes('foreign'))
    expect(await settled(log.runtime, topic.tier({ upTo: [0n, 2n] }))).toMatchObject({ rows: 2 })
    expect(await dataFiles(log)).not.toContain(key)
    expect(await staged(log)).toEqual([])
    await tierAll(log, topic)
    await checkTable(topic, log)
  })

  it('is removed by a writer that finds itself fenced', async () => {
    const { log, races } = racedLog()
    const topic = await log.attach()
    const next = outside(log)
    const newer = await next.attach()
    sendTwo(log)
    log.hot.reopen()
    // The newer one knows nothing of what is staged now, and commits no more.
    races.push(async () => void (await newer.tier({ upTo: [1n, 1n] })))
    await expect(tierAll(log, topic)).rejects.toMatchObject({ kind: 'fenced' })
    expect(await dataFiles(log)).toHaveLength(1)
    expect(await staged(log)).toEqual([])
    await tierAll(next, newer)
    await checkTable(newer, next)
  })

  it('is not committed after a newer writer has settled it, and deleted what it wrote', async () => {
    let isFenced = false
    const checkFence = async (): Promise<void> => {
      if (isFenced) throw fenced('FENCED', 'A newer writer has taken over.')
    }
    const { log, races } = racedLog({ checkFence })
    const topic = await log.attach()
    sendTwo(log)
    const stop = new AbortController()
    races.push(async () => {
      await foreignAppend(outside(log))
      stop.abort()
    })
    const upTo = log.hot.committedOffsets()
    await expect(topic.tier({ upTo, signal: stop.signal })).rejects.toMatchObject({ kind: 'aborted' })
    isFenced = true
    const next = outside(log, { checkFence: async () => {} })
    const newer = await next.attach()
    expect(await staged(log)).toEqual([])
    await expect(tierAll(log, topic)).rejects.toMatchObject({ kind: 'fenced' })
    await tierAll(next, newer)
    expect(newer.frontier()).toEqual([2n, 2n])
    expect(await staged(log)).toEqual([])
    await checkTable(newer, next)
  })

  it('goes with its next attempt, and what the first one wrote goes too, as soon as the store lets it', async () => {
    const { log, races } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    races.push(async () => foreignAppend(outside(log)))
    const { hooks } = log.store as ReturnType<typeof hookedStore>
    const stubborn = new Set<string>()
    hooks.before = ({ op, key }) => {
      if (op !== 'delete' || !key.endsWith('-0-m0.avro')) return
      stubborn.add(key)
      throw unavailable('BUSY', 'Not now.')
    }
    await tierAll(log, topic)
    const [manifest] = stubborn
    const commit = manifest!.split('/').at(-1)!.replace('-0-m0.avro', '')
    const ofAttempt = async (): Promise<string[]> => {
      const keys = await keysBelow(log, 'tables/shop/orders/metadata/')
      return keys.filter((key) => key === manifest || key.endsWith(`-0-${commit}.avro`))
    }
    expect(stubborn.size).toBe(1)
    expect(await ofAttempt()).toEqual([manifest])
    delete hooks.before
    sendTwo(log)
    await tierAll(log, topic)
    expect(await ofAttempt()).toEqual([])
    await checkTable(topic, log)
  })

  it('is removed after a later commit where the store did not let it go at its time', async () => {
    const { log, races } = racedLog({ tier: { retryMs: 0 } })
    const topic = await log.attach()
    sendTwo(log)
    races.push(async () => {
      await foreignAppend(outside(log))
      await log.runtime.clock.advance(1)
    })
    const { hooks } = log.store as ReturnType<typeof hookedStore>
    hooks.before = ({ op, key }) => {
      if (op === 'delete' && key.endsWith('.parquet')) throw unavailable('BUSY', 'Not now.')
    }
    await expect(tierAll(log, topic)).rejects.toMatchObject({ code: 'COMMIT_CONTENTION' })
    expect(await staged(log)).toHaveLength(1)
    delete hooks.before
    await tierAll(log, topic)
    expect((await dataFiles(log)).filter((key) => !key.includes('foreign'))).toHaveLength(1)
    expect(await staged(log)).toEqual([])
    await checkTable(topic, log)
  })
})
