import type { Files, Log, ObjectStore, Topic } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { virtualRuntime, type VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { bytesOf, LAKE, machine, openIn, valuesOf, type Machine } from './machine.ts'

async function send(topic: Topic<Uint8Array>, ...values: string[]): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  for (const value of values) await producer.send({ value: bytesOf(value) })
  await producer.close()
}

/** An opener that has taken its epoch and hangs in the claim: it is no source, and may become one. */
interface Hung {
  readonly runtime: VirtualRuntime
  readonly opening: Promise<Log>
  /** Lets it go on, or fail. */
  go(error?: Error): void
}

async function hungOpener(on: Machine, runtime = on.runtime(on.disk.process().files)): Promise<Hung> {
  const reached = Promise.withResolvers<void>()
  const goes = Promise.withResolvers<void>()
  const files = fileSystem({ root: LAKE, files: runtime.files })
  const store: ObjectStore = {
    ...files,
    async put(key, bytes, options) {
      if (key.startsWith('log/epochs/')) {
        reached.resolve()
        await goes.promise
      }
      return files.put(key, bytes, options)
    },
  }
  const opening = openIn(runtime, { store, takeover: 'newest' })
  opening.catch(() => undefined)
  await reached.promise
  return { runtime, opening, go: (error) => (error === undefined ? goes.resolve() : goes.reject(error)) }
}

/** A reader looks when it is asked to, or by its timer: not whenever the disk changes. */
const unwatched = (files: Files): Files => ({ ...files, watch: () => ({ close() {} }) })

interface Scene {
  readonly on: Machine
  readonly topic: Topic<Uint8Array>
  readonly reader: Log
  readonly beside: Topic<Uint8Array>
  readonly writer: VirtualRuntime
}

/** `early` is acked and seen by the reader; `acked` is acked, and the reader has not looked since. */
async function scene(on = machine()): Promise<Scene> {
  const writer = on.runtime(on.disk.process('writer').files)
  const log = await openIn(writer)
  const topic = await log.ensureTopic('orders')
  await send(topic, 'early')
  const reader = await openIn(on.runtime(unwatched(on.disk.process('beside').files)), { access: 'read-only' })
  const beside = await reader.topic<Uint8Array>('orders')
  expect(await valuesOf(beside)).toEqual(['early'])
  await send(topic, 'acked', 'also acked')
  return { on, topic, reader, beside, writer }
}

const ALL = ['early', 'acked', 'also acked']

async function lateReader(on: Machine): Promise<{ readonly log: Log; readonly topic: Topic<Uint8Array> }> {
  const log = await openIn(on.runtime(), { access: 'read-only' })
  return { log, topic: await log.topic<Uint8Array>('orders') }
}

describe('a read-only log beside an opener that is no source', () => {
  it('shows nothing new while that lives, and all when its process is gone', async () => {
    const { on, beside, reader } = await scene()
    const opener = await hungOpener(on)
    const late = await lateReader(on)
    expect(await valuesOf(beside)).toEqual(['early'])
    expect(await valuesOf(late.topic)).toEqual([])
    opener.runtime.exit()
    expect(await valuesOf(beside)).toEqual(ALL)
    // It began behind the opener: without a hole where the hidden ones were.
    expect(await valuesOf(late.topic)).toEqual(ALL)
    const next = await openIn(on.runtime(), { takeover: 'newest' })
    await send(await next.topic<Uint8Array>('orders'), 'new')
    for (const topic of [beside, late.topic]) expect(await valuesOf(topic)).toEqual([...ALL, 'new'])
    await Promise.all([next.close(), reader.close(), late.log.close()])
  })

  it('tells a tail by itself, with no new writer, within the second of its timer', async () => {
    const { on, beside, reader } = await scene()
    const opener = await hungOpener(on)
    const seen: string[] = []
    const following = (async () => {
      for await (const { bytes } of beside.read({ from: 'earliest' })) seen.push(Buffer.from(bytes!).toString())
    })()
    await on.clock.advance(3_000)
    expect(seen).toEqual(['early'])
    opener.runtime.exit()
    await on.clock.advance(1_500)
    expect(seen).toEqual(ALL)
    await reader.close()
    await following
  })

  it('shows all after another boot, though no one has opened the log since', async () => {
    const { on } = await scene()
    await hungOpener(on)
    on.disk.crash()
    on.processes.reboot()
    const { log, topic } = await lateReader(on)
    expect(await valuesOf(topic)).toEqual(ALL)
    expect(log.epoch).toBe(1n)
    await log.close()
  })

  it('shows all when the opener has given up, though its process goes on', async () => {
    const { on, beside, reader } = await scene()
    const opener = await hungOpener(on)
    expect(await valuesOf(beside)).toEqual(['early'])
    opener.go(new Error('the store is down'))
    await expect(opener.opening).rejects.toThrow('the store is down')
    expect(await valuesOf(beside)).toEqual(ALL)
    await reader.close()
  })

  it('waits for the last of several, and for one whose pids it cannot see', async () => {
    const { on, beside, reader } = await scene()
    const first = await hungOpener(on)
    const { clock, processes } = on
    const files = on.disk.process().files
    const inContainer = await hungOpener(on, virtualRuntime({ seed: 7, files, clock, processes, pidSpace: 'other' }))
    first.runtime.exit()
    expect(await valuesOf(beside)).toEqual(['early'])
    inContainer.runtime.exit()
    // Gone, but not to be seen from here: hidden until the next opener has decided.
    expect(await valuesOf(beside)).toEqual(['early'])
    const next = await openIn(on.runtime(), { takeover: 'newest' })
    expect(await valuesOf(beside)).toEqual(ALL)
    await Promise.all([next.close(), reader.close()])
  })

  it('goes on with the opener that was a source before it died', async () => {
    const { on, beside, reader } = await scene()
    const opener = await hungOpener(on)
    opener.go()
    const log = await opener.opening
    await send(await log.ensureTopic('orders'), 'by the heir')
    opener.runtime.exit()
    expect(await valuesOf(beside)).toEqual([...ALL, 'by the heir'])
    expect(reader.epoch).toBe(2n)
    await reader.close()
  })

  it('keeps hidden what a fenced writer wrote late as long as a living opener may have missed it', async () => {
    for (const dies of [true, false]) {
      const { on, topic, beside, reader } = await scene()
      const opener = await hungOpener(on)
      await expect(send(topic, 'in doubt')).rejects.toMatchObject({ kind: 'fenced' })
      expect(await valuesOf(beside)).toEqual(['early'])
      if (dies) opener.runtime.exit()
      else opener.go()
      // Beside a dead opener it is shown, and then the next one has it.
      const shown = dies ? await valuesOf(beside) : []
      if (dies) expect(shown).toEqual([...ALL, 'in doubt'])
      const next = dies ? await openIn(on.runtime(), { takeover: 'newest' }) : await opener.opening
      const settled = await valuesOf(await next.topic('orders'))
      expect(settled.slice(0, shown.length)).toEqual(shown)
      expect(await valuesOf(beside)).toEqual(settled)
      await Promise.all([next.close(), reader.close()])
    }
  })

  it('never shows what the next opener lacks, wherever that comes in between', { timeout: 60_000 }, async () => {
    let hidden = 0
    let shownInDoubt = 0
    for (const isBefore of [true, false]) {
      for (let call = 1; ; call++) {
        const where = `${isBefore ? 'flushed before' : 'flushed after'} call ${call}`
        const on = machine(call)
        const zombie = on.disk.process('zombie')
        const log = await openIn(on.runtime(zombie.files))
        const topic = await log.ensureTopic('orders')
        await send(topic, 'early')
        let calls = -Infinity
        const hook = { run: async (): Promise<void> => {} }
        const files = hooked(unwatched(on.disk.process('beside').files), () =>
          ++calls === call ? hook.run() : undefined,
        )
        const reader = await openIn(on.runtime(files), { access: 'read-only' })
        const beside = await reader.topic<Uint8Array>('orders')
        expect(await valuesOf(beside)).toEqual(['early'])
        await send(topic, 'acked')
        // An opener that is gone; then a flush of the fenced writer, which hangs before its write.
        const dead = await hungOpener(on)
        dead.runtime.exit()
        zombie.pauseAt({ effect: zombie.effectCount + 1, when: 'before' })
        const flushing = send(topic, 'in doubt').catch(() => undefined)
        await zombie.halted()
        const flush = async (): Promise<void> => {
          zombie.resume()
          await flushing
        }

        // In the middle of the reader's look a new opener reads all there is, and hangs before it becomes a source.
        let heir: HungAtLink | undefined
        hook.run = async () => {
          if (isBefore) await flush()
          heir = await hungAtLink(on)
          if (!isBefore) await flush()
        }
        calls = 0
        const shown = await valuesOf(beside)
        if (heir === undefined) {
          await flush()
          await reader.close()
          break
        }
        heir.go()
        const next = await heir.opening
        const settled = await valuesOf(await next.topic('orders'))
        expect(settled, where).toEqual(isBefore ? ['early', 'acked', 'in doubt'] : ['early', 'acked'])
        expect(settled.slice(0, shown.length), where).toEqual(shown)
        expect(await valuesOf(beside), where).toEqual(settled)
        if (shown.length === 1) hidden++
        if (shown.includes('in doubt')) shownInDoubt++
        await Promise.all([next.close(), reader.close()])
      }
    }
    expect(hidden).toBeGreaterThan(3)
    expect(shownInDoubt).toBe(0)
  })
})

interface HungAtLink {
  readonly opening: Promise<Log>
  go(): void
}

async function hungAtLink(on: Machine): Promise<HungAtLink> {
  const reached = Promise.withResolvers<void>()
  const goes = Promise.withResolvers<void>()
  const { files } = on.disk.process()
  const link: Files['link'] = async (from, to) => {
    if (to.endsWith('/open.json')) {
      reached.resolve()
      await goes.promise
    }
    return files.link(from, to)
  }
  const opening = openIn(on.runtime({ ...files, link }), { takeover: 'newest' })
  opening.catch(() => undefined)
  await reached.promise
  return { opening, go: () => goes.resolve() }
}

/** The same files; `before` runs before each call that looks at the disk or syncs. */
function hooked(files: Files, before: () => Promise<void> | undefined): Files {
  const first =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await before()
      return call(...args)
    }
  return {
    ...files,
    readdir: first(files.readdir),
    stat: first(files.stat),
    open: first(async (path, ...how) => {
      const handle = await files.open(path, ...how)
      return { ...handle, read: first(handle.read), datasync: first(handle.datasync) }
    }),
  }
}
