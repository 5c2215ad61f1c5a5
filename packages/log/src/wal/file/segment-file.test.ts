import type { DiskSize, Files } from '@moulin/core'
import { simulatedDisk, type SimulatedDisk } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { SegmentFile } from './segment-file.ts'

it('is not grown again behind a cut by what was allocating ahead, but for its next use', async () => {
  const { files } = simulatedDisk({ seed: 1 })
  await files.mkdir('/wal/epoch-1', { recursive: true })
  const asked: PromiseWithResolvers<void>[] = []
  const spaceOf = async (): Promise<DiskSize> => {
    const answer = Promise.withResolvers<void>()
    asked.push(answer)
    await answer.promise
    return { totalBytes: 1e12, freeBytes: 1e12 }
  }
  const place = { files: { ...files, spaceOf }, dir: '/wal', logId: new Uint8Array(16), epoch: 1n }
  const segment = await SegmentFile.create(place, { slot: 1, generation: 1n, sizeBytes: 20_000 })
  await segment.file.writev([new Uint8Array(100)], 4096)
  segment.position = 4196
  const ahead = segment.allocateAhead()
  expect(await segment.trim()).toBe(4196)
  asked[0]!.resolve()
  await ahead
  expect(await segment.file.size()).toBe(4196)
  await segment.use(2n)
  const again = segment.allocateAhead()
  asked[1]!.resolve()
  await again
  expect(await segment.file.size()).toBe(20_000)
  expect(await segment.trim()).toBe(4096)
  await segment.close()
})

interface Opened {
  readonly files: Files
  readonly disk: SimulatedDisk
  /** Handles that are open. */
  readonly open: () => number
}

async function counted(syncedWrites: boolean): Promise<Opened> {
  const disk = simulatedDisk({ seed: 1, syncedWrites })
  await disk.files.mkdir('/wal/epoch-1', { recursive: true })
  let open = 0
  const files: Files = {
    ...disk.files,
    async open(...given) {
      const handle = await disk.files.open(...given)
      open++
      const close = (): Promise<void> => {
        open--
        return handle.close()
      }
      return { ...handle, close }
    },
  }
  return { files, disk, open: () => open }
}

const MiB = 1024 * 1024
/** Filled in two steps. */
const create = (files: Files, sizeBytes = 6 * MiB): Promise<SegmentFile> =>
  SegmentFile.create(
    { files, dir: '/wal', logId: new Uint8Array(16), epoch: 1n },
    { slot: 1, generation: 1n, sizeBytes },
  )

const frames = [new Uint8Array(500).fill(7)]

describe.each([
  ['with O_DSYNC', true],
  ['without', false],
])('a segment file %s', (_name, syncedWrites) => {
  it('is durable with its frames when they are stored, and so is what was allocated', async () => {
    const { files, disk } = await counted(syncedWrites)
    const segment = await create(files)
    await segment.allocate(8_000)
    await segment.store(frames, 4096)
    await disk.files.syncDirectory('/wal')
    await disk.files.syncDirectory('/')
    disk.crash()
    const file = await disk.files.open('/wal/epoch-1/0000000001.wal', 'read')
    expect(await file.read(4096, 500)).toEqual(frames[0])
    expect(await file.size()).toBe(4096 + 4 * MiB)
  })

  it('has no handle open any more, whichever call of its making fails, nor after its close', async () => {
    let failed = 0
    for (const [call, nth] of [
      ['create', 1],
      ['open', 1],
      ['write', 1],
      ['sync', 1],
      ['syncDirectory', 1],
    ] as const) {
      const { files, disk, open } = await counted(syncedWrites)
      disk.fail({ fault: 'EIO', call, nth })
      const segment = await create(files).catch(() => undefined)
      if (segment === undefined) failed++
      else await segment.close()
      expect(open(), call).toBe(0)
    }
    // A plain one is opened once.
    expect(failed).toBe(syncedWrites ? 5 : 4)
  })

  it('is final after an error that what is taken ahead was told beside a flush', async () => {
    const { files, disk } = await counted(syncedWrites)
    const segment = await create(files)
    await segment.allocate(8_000)
    disk.fail({ fault: 'EIO', call: 'sync' })
    const ahead = segment.allocateAhead().catch((error: unknown) => error)
    const stored = segment.store(frames, 4096).catch((error: unknown) => error)
    expect(await ahead).toMatchObject({ code: 'EIO' })
    // A synced write is told itself what became of its pages, so it need not wait for the other call.
    if (!syncedWrites) expect(await stored).toMatchObject({ code: 'EIO' })
    await stored
    await expect(segment.store(frames, 5_000)).rejects.toMatchObject({ code: 'EIO' })
    await segment.close()
  })

  it('tells a full disk as rejected only where it is known what that left', async () => {
    const { files, disk } = await counted(syncedWrites)
    const segment = await create(files)
    await segment.allocate(8_000)
    disk.fail({ fault: 'NO_SPACE', call: 'write' })
    const outcome = syncedWrites ? 'unknown' : 'rejected'
    await expect(segment.store(frames, 4096)).rejects.toMatchObject({ code: 'NO_SPACE', outcome })
    await segment.close()
  })

  it('says when the call begins that makes it durable', async () => {
    const { files, disk } = await counted(syncedWrites)
    const segment = await create(files)
    await segment.allocate(8_000)
    const before = disk.effects.length
    let at = 0
    await segment.store(frames, 4096, () => (at = disk.effects.length))
    const kinds = disk.effects.slice(before).map(({ kind }) => kind)
    expect(kinds).toEqual(syncedWrites ? ['syncedWrite'] : ['write', 'datasync'])
    expect(disk.effects[at]?.kind).toBe(kinds.at(-1))
    await segment.close()
  })
})
