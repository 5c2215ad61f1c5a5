/** What keeps a process alive: a read that follows, and nothing of a log that only lies there. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Log, Runtime, Topic } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesOf, machine, openIn, textOf } from './machine.ts'

/** The runtime, and how many of its timers keep the process alive. */
function counted(runtime: Runtime): { readonly runtime: Runtime; readonly refs: () => number } {
  const held = new Set<object>()
  const { timers } = runtime
  return {
    refs: () => held.size,
    runtime: {
      ...runtime,
      timers: {
        ...timers,
        after(ms, run, options) {
          const token = {}
          if (options?.ref === true) held.add(token)
          const ran = (): void => {
            held.delete(token)
            run()
          }
          const timer = timers.after(ms, ran, options)
          const cancel = (): void => {
            held.delete(token)
            timer.cancel()
          }
          return { cancel }
        },
      },
    },
  }
}

async function setting(): Promise<{ log: Log; topic: Topic; refs: () => number; turns: () => Promise<void> }> {
  const { clock, runtime: newRuntime } = machine()
  const { runtime, refs } = counted(newRuntime())
  const log = await openIn(runtime)
  const topic = await log.createTopic('orders', { partitions: 2 })
  // Time stands still: only what is due runs.
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await clock.advance(0)
  }
  return { log, topic, refs, turns }
}

describe('a following read', () => {
  it('holds one timer that keeps the process alive while it waits, and none before and after', async () => {
    const { log, topic, refs, turns } = await setting()
    const producer = topic.producer({ lingerMs: 0 })
    await producer.send({ value: bytesOf('a') })
    expect(refs()).toBe(0)
    const stop = new AbortController()
    const reader = topic.read({ signal: stop.signal })[Symbol.asyncIterator]()
    expect(textOf((await reader.next()).value)).toBe('a')
    expect(refs()).toBe(0)
    const second = reader.next()
    await turns()
    expect(refs()).toBe(1)
    await producer.send({ value: bytesOf('b') })
    expect(textOf((await second).value)).toBe('b')
    expect(refs()).toBe(0)
    const third = reader.next().catch((error: Error) => error.message)
    await turns()
    expect(refs()).toBe(1)
    stop.abort()
    expect(await third).toMatch(/aborted/)
    expect(refs()).toBe(0)
    await log.close()
  })

  it('ends with the log, timer and all', async () => {
    const { log, topic, refs, turns } = await setting()
    const next = topic.read({ from: 'latest' })[Symbol.asyncIterator]().next()
    await turns()
    expect(refs()).toBe(1)
    await log.close()
    expect((await next).done).toBe(true)
    expect(refs()).toBe(0)
  })

  it.each([
    ['read', 'alive'],
    ['sit', 'ended'],
  ])('in a process of its own: %s → %s', async (what, outcome) => {
    const dir = await mkdtemp(join(tmpdir(), 'moulin-follow-'))
    try {
      const program = fileURLToPath(new URL('../support/following-reader.ts', import.meta.url))
      const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=moulin-source', program, dir, what])
      expect(stdout.trim()).toBe(outcome)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})
