import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCommand } from './cli-program.ts'
import { openLog } from './index.ts'

let dir = ''
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-catalog-'))))
afterEach(() => rm(dir, { recursive: true }))

/** The command, once it listens: its URL, and how it ends. */
async function serving(...argv: string[]) {
  const stop = new AbortController()
  const seen = { out: '', err: '' }
  let isUp = (): void => {}
  const up = new Promise<void>((resolve) => (isUp = resolve))
  const ended = runCommand(['catalog', ...argv, '--listen', '127.0.0.1:0'], {
    out(text) {
      seen.out += text
      isUp()
    },
    err: (text) => void (seen.err += text),
    stoppable: (work) => work(stop.signal),
  })
  await Promise.race([up, ended])
  const url = seen.out.split(' ', 1)[0]!
  return {
    seen,
    ended,
    stop: async () => {
      stop.abort()
      return await ended
    },
    rows: async () => {
      for (;;) {
        const answer = await fetch(`${url}/v1/namespaces/default/tables/rides`)
        const { metadata } = (await answer.json()) as {
          metadata: { snapshots: { summary: Record<string, string> }[] }
        }
        // On a busy machine a commit may take longer than an answer waits, which says so then.
        if (answer.headers.get('moulin-stale-ms') === null)
          return Number(metadata.snapshots.at(-1)?.summary['total-records'] ?? 0)
      }
    },
    url,
  }
}

describe('moulin catalog', () => {
  it('serves a folder beside its writer, without what is hot', async () => {
    const log = await openLog(dir, { threads: 0 })
    const topic = await log.ensureTopic('rides')
    const producer = topic.producer({ lingerMs: 0 })
    await producer.send({ value: Buffer.from('one') })
    await topic.tier()
    await producer.send({ value: Buffer.from('two') })

    const server = await serving(dir)
    try {
      expect(server.seen.out).toBe(`${server.url} serves the tables of ${dir}\n`)
      expect(await server.rows()).toBe(1)
      await topic.tier()
      expect(await server.rows()).toBe(2)
      // What an engine commits, the log finds.
      const commit = { requirements: [], updates: [{ action: 'set-properties', updates: { owner: 'ann' } }] }
      const committed = await fetch(`${server.url}/v1/namespaces/default/tables/rides`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(commit),
      })
      expect(committed.status).toBe(200)
      await producer.send({ value: Buffer.from('three') })
      await topic.tier()
      expect(await server.rows()).toBe(3)
      expect((await topic.audit()).clean).toBe(true)
    } finally {
      expect(await server.stop()).toBe(0)
      await log.close()
    }
    await expect(fetch(server.url)).rejects.toThrow()
  })

  it('opens the log when it is to be fresh, unless another has it', async () => {
    const writer = await openLog(dir, { threads: 0 })
    await (await writer.ensureTopic('rides')).producer({ lingerMs: 0 }).send({ value: Buffer.from('one') })
    const refused = await serving(dir, '--fresh')
    expect([await refused.ended, refused.seen.out]).toEqual([2, ''])
    expect(refused.seen.err).toMatch(/is being written by process/)
    await writer.close()

    const server = await serving(dir, '--fresh', '--max-staleness', '0')
    try {
      expect(server.seen.out).toContain('as fresh as its log')
      expect(await server.rows()).toBe(1)
    } finally {
      expect(await server.stop()).toBe(0)
    }
    // It has given the log up.
    await (await openLog(dir, { threads: 0 })).close()
  })

  it('refuses a folder that is not there, an address that others reach, and numbers that are none', async () => {
    const refusedBy = async (...argv: string[]): Promise<string> => {
      const seen = { err: '' }
      const status = await runCommand(['catalog', ...argv], {
        out: expect.unreachable,
        err: (text) => void (seen.err += text),
      })
      expect(status).toBe(2)
      return seen.err
    }
    expect(await refusedBy(join(dir, 'none'))).toMatch(/no log at/)
    expect(await refusedBy(dir, '--listen', '0.0.0.0:0')).toMatch(/give it auth/)
    expect(await refusedBy(dir, '--fresh', '--max-staleness', 'soon')).toMatch(/number from 0/)
    expect(await refusedBy('s3://moulin/lake', '--fresh')).toMatch(/--fresh needs .* give --wal DIR/)
  })
})
