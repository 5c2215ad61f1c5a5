import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FileHandle, Files } from '../doors/files.ts'
import { isKind } from '../model/errors.ts'
import { pooledFiles } from './pooled-files.test-support.ts'
import { gatedReads, processReads, ReadGate, readsAtATime } from './read-gate.ts'
import { systemFiles } from './system-files.ts'

/** Lets everything happen that waits for nothing but a promise. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Work that begins when it may, and ends when it is told to. */
function works(gate: ReadGate): {
  begin(name: string, signal?: AbortSignal): Promise<string>
  end(name: string, failure?: Error): void
  readonly begun: readonly string[]
} {
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<string>>()
  return {
    begun,
    begin(name, signal) {
      const end = Promise.withResolvers<string>()
      ends.set(name, end)
      const work = (): Promise<string> => {
        begun.push(name)
        return end.promise
      }
      const running = gate.run(work, signal)
      running.catch(() => {})
      return running
    },
    end(name, failure) {
      if (failure === undefined) ends.get(name)!.resolve(name)
      else ends.get(name)!.reject(failure)
    },
  }
}

describe('ReadGate', () => {
  it('lets in as many as there are places, and the others in the order of their coming', async () => {
    const gate = new ReadGate(2)
    const { begun, begin, end } = works(gate)
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => begin(name))
    await settled()
    expect(begun).toEqual(['a', 'b'])
    expect(gate.waiting).toBe(3)
    end('b')
    await settled()
    expect(begun).toEqual(['a', 'b', 'c'])
    // Who comes now is behind those that wait.
    all.push(begin('f'))
    for (const name of ['c', 'a', 'd', 'e', 'f']) {
      end(name)
      await settled()
    }
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(gate.waiting).toBe(0)
  })

  it('has the place back of work that failed, also of work that throws at once', async () => {
    const gate = new ReadGate(1)
    const { begun, begin, end } = works(gate)
    const failing = begin('a')
    const next = begin('b')
    end('a', new TypeError('broken'))
    await expect(failing).rejects.toThrow('broken')
    await settled()
    expect(begun).toEqual(['a', 'b'])
    end('b')
    expect(await next).toBe('b')
    const thrown = gate.run(() => {
      throw new TypeError('at once')
    })
    await expect(thrown).rejects.toThrow('at once')
    expect(await gate.run(async () => 'c')).toBe('c')
  })

  it('forgets who is aborted while he waits, and waits for work that has begun', async () => {
    const gate = new ReadGate(1)
    const { begun, begin, end } = works(gate)
    const [first, second] = [new AbortController(), new AbortController()]
    const running = begin('a', first.signal)
    const leaving = begin('b', second.signal)
    const last = begin('c')
    second.abort()
    expect(await leaving.catch((error: unknown) => error)).toSatisfy((error) => isKind(error, 'aborted'))
    expect(gate.waiting).toBe(1)
    first.abort()
    await settled()
    // Its thread is still at work.
    expect(begun).toEqual(['a'])
    end('a')
    expect(await running).toBe('a')
    end('c')
    expect(await last).toBe('c')
    expect(begun).toEqual(['a', 'c'])
    const late = begin('d', second.signal)
    expect(await late.catch((error: unknown) => error)).toSatisfy((error) => isKind(error, 'aborted'))
    expect(begun).not.toContain('d')
  })
})

describe('gatedReads', () => {
  /** A disk whose reads end when they are told to. */
  function stuck(): { files: Pick<Files, 'open' | 'stat'>; release(): void } {
    const held = Promise.withResolvers<void>()
    const bytes = new Uint8Array(1)
    const handle = {
      read: () => held.promise.then(() => bytes),
      writev: async () => {},
      datasync: async () => {},
      close: async () => {},
    } as unknown as FileHandle
    return { files: { open: async () => handle, stat: async () => undefined }, release: held.resolve }
  }

  it('keeps threads free for writes, syncs and looks, however many reads hang', async () => {
    const { files, release } = stuck()
    const pooled = pooledFiles(files) as Files
    const gate = new ReadGate(readsAtATime(undefined))
    const gated = gatedReads(pooled, gate)
    const handle = await gated.open('/a', 'write')
    const reads = Array.from({ length: 20 }, () => handle.read(0, 1))
    await settled()
    expect([gate.waiting, gated.waitingReads!()]).toEqual([18, 18])
    // Whoever else opens files at that time has a thread, too.
    const others = [handle.writev([], 0), handle.datasync(), gated.stat('/b'), gated.open('/c', 'read')]
    let ended = 0
    for (const other of others) void Promise.resolve<unknown>(other).then(() => ended++)
    await settled()
    expect(ended).toBe(4)
    const straight = await pooled.open('/a', 'read')
    const past = Array.from({ length: 2 }, () => straight.read(0, 1))
    let isSynced = false
    const sync = straight.datasync().then(() => (isSynced = true))
    await settled()
    // So it is the gate that keeps them.
    expect(isSynced).toBe(false)
    release()
    expect(await Promise.all([...reads, ...past])).toHaveLength(22)
    await sync
  })

  it('lets a file be read by what another one says, with one place', async () => {
    const { files, release } = stuck()
    const gated = gatedReads(pooledFiles(files, 1) as Files, new ReadGate(1))
    const handle = await gated.open('/a', 'read')
    const all = Array.from({ length: 5 }, async () => handle.read((await handle.read(0, 1))[0]!, 1))
    release()
    expect(await Promise.all(all)).toHaveLength(5)
  })
})

describe('readsAtATime', () => {
  it.each([
    [undefined, 2],
    ['4', 2],
    ['16', 14],
    [' 8 threads', 6],
    ['3', 1],
    ['2', 1],
    ['1', 1],
    ['0', 1],
    ['', 1],
    ['many', 1],
    ['5000', 1022],
    ['-1', 1022],
  ])('of UV_THREADPOOL_SIZE %j is %d', (threads, expected) => {
    expect(readsAtATime(threads)).toBe(expected)
  })
})

describe('systemFiles', () => {
  it('reads through the gate of the process, and does nothing else through it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'moulin-gate-'))
    const path = join(dir, 'a')
    await writeFile(path, 'bytes')
    const reads = processReads()
    const full = Promise.withResolvers<void>()
    const places = Array.from({ length: readsAtATime(process.env['UV_THREADPOOL_SIZE']) }, () =>
      reads.run(() => full.promise),
    )
    // Another one shares it.
    const handle = await systemFiles().open(path, 'write')
    const stop = new AbortController()
    const aborted = handle.read(0, 5, { signal: stop.signal }).catch((error: unknown) => error)
    let isRead = false
    const read = handle.read(0, 5).finally(() => (isRead = true))
    expect(reads.waiting).toBe(2)
    stop.abort()
    expect(await aborted).toSatisfy((error) => isKind(error, 'aborted'))
    await handle.writev([Buffer.from('B')], 0)
    await handle.datasync()
    expect(await systemFiles().stat(path)).toMatchObject({ size: 5 })
    expect(isRead).toBe(false)
    full.resolve()
    expect(Buffer.from(await read).toString()).toBe('Bytes')
    await Promise.all(places)
    await handle.close()
    await rm(dir, { recursive: true })
  })
})
