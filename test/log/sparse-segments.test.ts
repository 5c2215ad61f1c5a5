/** Nearly empty segments are freed: what lives in them is appended again, and whoever reads the log finds it there. */
import { unavailable, type Files, type Log, type ObjectStore, type Topic } from '@moulin/core'
import { planRepair, repairLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables, stalledTier, type FakeTables } from './fake-cold-tier.ts'
import { bytesOf, LAKE, machine, openIn, SEGMENT_BYTES, valuesOf, WAL, type Machine } from './machine.ts'

const limits = { maxWalBytes: 6 * SEGMENT_BYTES }

interface Pinned {
  readonly on: Machine
  readonly tables: FakeTables
  readonly log: Log
  readonly quiet: Topic<Uint8Array>
  /** What was sent to `quiet`. */
  readonly sent: string[]
  /** One record of `quiet`, and a segment full of another topic's, which are released at once. */
  round(): Promise<void>
}

async function pinned(on = machine(), tables = fakeTables()): Promise<Pinned> {
  const log = await openIn(on.runtime(), { tier: stalledTier(fakeColdTier(tables), 'quiet'), graceMs: 0, limits })
  const quiet = await log.ensureTopic('quiet')
  const busy = await log.ensureTopic('busy')
  const few = quiet.producer({ lingerMs: 0 })
  const many = busy.producer({ lingerMs: 0 })
  const sent: string[] = []
  const round = async (): Promise<void> => {
    const text = `quiet ${sent.length}`
    await few.send({ value: bytesOf(text) })
    sent.push(text)
    for (let n = 0; n < 3; n++) await many.send({ value: new Uint8Array(5_000) })
    await busy.tier()
    await log.releaseNow()
    await on.clock.advance(0)
  }
  return { on, tables, log, quiet, sent, round }
}

async function bytesOnDisk({ disk }: Machine): Promise<number> {
  let bytes = 0
  for (const { name } of await disk.files.readdir(`${WAL}/epoch-1`)) {
    bytes += (await disk.files.stat(`${WAL}/epoch-1/${name}`))!.size
  }
  return bytes
}

describe('a topic that pins a little of every segment', () => {
  it('keeps no more of the disk than maxWalBytes and the segments at hand, and loses nothing', async () => {
    const { on, log, quiet, sent, round } = await pinned()
    for (let n = 0; n < 60; n++) await round()
    // The active segment, two free ones and a prepared one come on top.
    expect(await bytesOnDisk(on)).toBeLessThan(limits.maxWalBytes + 4 * SEGMENT_BYTES)
    expect(log.stats()).toMatchObject({ walFull: null })
    expect(log.stats().wal.heldBytes).toBeLessThanOrEqual(limits.maxWalBytes)
    expect(await valuesOf(quiet)).toEqual(sent)
    await log.close()
  })

  it('is recovered in the order of its offsets, with the ages that its records had', async () => {
    const { on, tables, log, sent, round } = await pinned()
    const beganMs = on.clock.now()
    for (let n = 0; n < 12; n++) {
      await round()
      await on.clock.advance(1_000)
    }
    // Appended again by now, behind later ones.
    expect(log.stats().wal.liveSegments).toBeLessThan(8)
    await log.close()
    const second = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    const quiet = await second.topic('quiet')
    expect(await valuesOf(quiet)).toEqual(sent)
    expect(tables.tables.get(idOf(tables))!.frontier).toEqual([0n])
    // 10 min after the append of the first one, however often it has been appended since.
    await on.clock.advance(600_000 - (on.clock.now() - beganMs) - 1)
    expect(quiet.offsets()[0]!.frontier).toBe(0n)
    await on.clock.advance(1)
    expect(quiet.offsets()[0]!.frontier).toBe(12n)
    await second.close()
  })

  it('is read to the end by readers that began before, meanwhile, and behind an opener that is no source', async () => {
    const { on, log, sent, round, tables } = await pinned()
    const open = (files: Files): Promise<Log> =>
      openIn(on.runtime(unwatched(files)), { access: 'read-only', tier: fakeColdTier(tables) })
    for (let n = 0; n < 3; n++) await round()
    const early = await open(on.disk.files)
    const seenEarly = await early.topic('quiet')
    expect(await valuesOf(seenEarly)).toEqual(sent)

    // The segment that holds the first record is read last; by then it has been used anew.
    let hasMoved = false
    const late = await open(
      beforeOpening(on.disk.files, '0000000001.wal', async (nth) => {
        if (nth !== 3) return
        hasMoved = true
        for (let n = 0; n < 8; n++) await round()
      }),
    )
    expect(hasMoved).toBe(true)
    expect(await valuesOf(await late.topic('quiet'))).toEqual(sent)
    expect(await valuesOf(seenEarly)).toEqual(sent)

    for (let n = 0; n < 20; n++) await round()
    const known = sent.slice(0, 11)
    await hungOpener(on)
    // What it has not shown may not outlast the opener; what it has, it finds where it was copied to.
    expect((await valuesOf(seenEarly)).slice(0, known.length)).toEqual(known)
    await Promise.all([early.close(), late.close(), log.close().catch(() => undefined)])
  })

  it('is counted once by a reader that is shown it again and again, as an opener that is no source hangs', async () => {
    const { on, log, sent, round, tables } = await pinned()
    for (let n = 0; n < 3; n++) await round()
    const reader = await openIn(on.runtime(unwatched(on.disk.files)), {
      access: 'read-only',
      tier: fakeColdTier(tables),
    })
    const seen = await reader.topic('quiet')
    const known = sent.length
    const before = reader.stats().wal
    for (let n = 0; n < 20; n++) await round()
    await hungOpener(on)
    for (let n = 0; n < 3; n++) {
      expect(await valuesOf(seen)).toEqual(sent.slice(0, known))
      expect(reader.stats().wal.liveBytes).toBeLessThanOrEqual(before.liveBytes)
    }
    // They stand together now.
    expect(reader.stats().wal.liveSegments).toBeLessThan(known)
    await Promise.all([reader.close(), log.close().catch(() => undefined)])
  })
})

describe('a writer that dies between the copy and the end of what was copied', () => {
  interface Dead {
    readonly on: Machine
    readonly tables: FakeTables
    readonly sent: readonly string[]
    readonly copy: { readonly path: string; readonly position: number }
  }

  /** The first record of `quiet` stands in two segments. */
  async function dead(): Promise<Dead> {
    const on = machine()
    const copies: { path: string; position: number }[] = []
    const files = watchingWrites(on.disk.files, 'quiet 0', (path, position) => copies.push({ path, position }))
    const never = new Promise<undefined>(() => {})
    const stat: Files['stat'] = (path) => (copies.length > 1 ? never : files.stat(path))
    const statNow: Files['statNow'] = () => {
      throw unavailable('EIO', 'Only the asynchronous look hangs.')
    }
    const writer = on.runtime({ ...files, stat, statNow })
    const { tables, sent, round } = await pinned({ ...on, runtime: () => writer })
    const fill = async (): Promise<void> => {
      while (copies.length < 2) await round()
    }
    await Promise.race([fill(), until(on, () => copies.length > 1)])
    on.disk.kill()
    writer.exit()
    return { on, tables, sent, copy: copies[1]! }
  }

  it('leaves sections that are found twice, and count once', async () => {
    const { on, tables, sent } = await dead()
    const log = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    const quiet = await log.topic('quiet')
    expect((await valuesOf(quiet)).slice(0, sent.length)).toEqual(sent)
    // Where they were copied from keeps nothing.
    expect(log.stats().wal.liveSegments).toBeLessThan(3)
    await quiet.tier()
    await (await log.topic('busy')).tier()
    await log.releaseNow()
    expect(log.stats().wal).toMatchObject({ liveBytes: 0, heldBytes: 0, liveSegments: 0 })
    await log.close()
  })

  it('leaves them in their first place where the second one is damaged, for a repair to find', async () => {
    const { on, tables, sent, copy } = await dead()
    const file = await on.disk.files.open(copy.path, 'write')
    await file.writev([bytesOf('!')], copy.position)
    await file.sync()
    await file.close()
    const options = {
      store: fileSystem({ root: LAKE, files: on.disk.files }),
      walDir: WAL,
      tier: fakeColdTier(tables),
      runtime: on.runtime(),
    }
    const plan = await planRepair(options)
    expect(plan.damages).toHaveLength(1)
    expect(plan.givenUp.filter(({ topic }) => topic === 'quiet')).toEqual([])
    await repairLog(options, plan)
    const log = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    expect((await valuesOf(await log.topic('quiet'))).slice(0, sent.length)).toEqual(sent)
    await log.close()
  })

  it('leaves no damage where it was about to use the first place anew', async () => {
    const on = machine()
    const copies: unknown[] = []
    const files = watchingWrites(on.disk.files, 'quiet 0', (...copy) => copies.push(copy))
    let isTorn = false
    const writer = on.runtime(
      aroundHeaders(files, async (write, parts) => {
        if (copies.length < 2) return write(parts)
        // Half of the generation is there.
        await write([parts[0]!.subarray(0, 32), new Uint8Array(8).fill(1)])
        isTorn = true
        return new Promise(() => {})
      }),
    )
    const { tables, sent, round } = await pinned({ ...on, runtime: () => writer })
    const fill = async (): Promise<void> => {
      while (!isTorn) await round()
    }
    await Promise.race([fill(), until(on, () => isTorn)])
    on.disk.kill()
    writer.exit()
    const store = fileSystem({ root: LAKE, files: on.disk.files })
    const plan = await planRepair({ store, walDir: WAL, tier: fakeColdTier(tables), runtime: on.runtime() })
    expect(plan).toMatchObject({ damages: [], givenUp: [], isNeeded: false })
    const log = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    expect((await valuesOf(await log.topic('quiet'))).slice(0, sent.length)).toEqual(sent)
    await log.close()
  })
})

/** `around` runs in place of each write of a segment's header. */
function aroundHeaders(
  files: Files,
  around: (write: (parts: readonly Uint8Array[]) => Promise<void>, parts: readonly Uint8Array[]) => Promise<void>,
): Files {
  return {
    ...files,
    async open(path, ...how) {
      const handle = await files.open(path, ...how)
      if (!path.endsWith('.wal')) return handle
      const writev = (parts: readonly Uint8Array[], at: number): Promise<void> =>
        at === 0 ? around((some) => handle.writev(some, at), parts) : handle.writev(parts, at)
      return { ...handle, writev }
    },
  }
}

const idOf = (tables: FakeTables): string => [...tables.tables.keys()][0]!

/** A reader looks when it is asked to. */
const unwatched = (files: Files): Files => ({ ...files, watch: () => ({ close() {} }) })

async function until(on: Machine, isSo: () => boolean): Promise<void> {
  while (!isSo()) await on.clock.advance(0)
}

function beforeOpening(files: Files, name: string, before: (nth: number) => Promise<void>): Files {
  let opened = 0
  return {
    ...files,
    async open(path, ...how) {
      if (path.endsWith(name)) await before(++opened)
      return files.open(path, ...how)
    },
  }
}

/** Tells where the text was written, once it is durable. */
function watchingWrites(files: Files, text: string, seen: (path: string, position: number) => void): Files {
  return {
    ...files,
    async open(path, ...how) {
      const handle = await files.open(path, ...how)
      let at: number | undefined
      const tell = (): void => {
        if (at !== undefined) seen(path, at)
        at = undefined
      }
      return {
        ...handle,
        async writev(parts, position) {
          await handle.writev(parts, position)
          const found = Buffer.concat(parts).indexOf(text)
          if (found >= 0) at = position + found
          if (handle.isSynced) tell()
        },
        async datasync() {
          await handle.datasync()
          tell()
        },
      }
    },
  }
}

/** Takes the next epoch and hangs in the claim. */
async function hungOpener(on: Machine): Promise<void> {
  const runtime = on.runtime(on.disk.process().files)
  const reached = Promise.withResolvers<void>()
  const files = fileSystem({ root: LAKE, files: runtime.files })
  const store: ObjectStore = {
    ...files,
    put(key, bytes, options) {
      if (!key.startsWith('log/epochs/')) return files.put(key, bytes, options)
      reached.resolve()
      return new Promise(() => {})
    },
  }
  openIn(runtime, { store, takeover: 'newest' }).catch(() => undefined)
  await reached.promise
}
