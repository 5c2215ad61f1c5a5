/** Very many appends that wait: they go out by halves, each answered while the next is written, and whatever ends that loses none. */
import type { DiskSize, Files, WalWriter } from '@moulin/core'
import { simulatedDisk, virtualRuntime, type SimulatedDisk, type VirtualClock } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { frameBytes, frameEnd } from './frame.ts'
import { ends, headerOf, life, openWriter, settled } from './many-in-flight.test-support.ts'

const KiB = 1024
const kinds = [
  ['with O_DSYNC', true],
  ['without', false],
] as const

describe('a flush', () => {
  const BYTES = 100
  const FRAME = frameEnd(0, BYTES)
  const sizes = { segmentBytes: 512 * KiB, maxFlushBytes: 256 * KiB }

  interface Written {
    /** Of how many sections. */
    readonly sections: number
    /** How many acks had been heard when it began. */
    readonly heard: number
  }

  interface Subject {
    readonly disk: SimulatedDisk
    readonly writer: WalWriter
    readonly clock: VirtualClock
    readonly written: Written[]
    /** How many writes made their file longer. */
    readonly grown: () => number
    readonly fates: ('acked' | 'failed')[]
    send(count: number, batches?: Uint8Array): Promise<void>[]
  }

  async function subject(syncedWrites: boolean, space?: DiskSize): Promise<Subject> {
    const disk = simulatedDisk({ seed: 1, syncedWrites })
    const { files } = disk
    let grown = 0
    const written: Written[] = []
    const fates: Subject['fates'] = []
    const watched: Files = {
      ...files,
      spaceOf: async (path) => space ?? files.spaceOf(path),
      async open(path, mode, options) {
        const handle = await files.open(path, mode, options)
        return {
          ...handle,
          writev(parts, position) {
            const bytes = parts.reduce((sum, { length }) => sum + length, 0)
            const isFrames = position > 0 && path.endsWith('.wal')
            if (isFrames && position + bytes > files.statNow(path)!.size) grown++
            if (isFrames) written.push({ sections: bytes / FRAME, heard: fates.length })
            return handle.writev(parts, position)
          },
        }
      },
    }
    const runtime = virtualRuntime({ seed: 1, files: watched })
    const { writer } = await openWriter(runtime, sizes)
    let sent = 0
    return {
      disk,
      writer,
      clock: runtime.clock,
      grown: () => grown,
      written,
      fates,
      send: (count, batches = new Uint8Array(BYTES)) =>
        Array.from({ length: count }, () =>
          writer.append({ ...headerOf(sent++), batches }).then(
            () => void fates.push('acked'),
            () => void fates.push('failed'),
          ),
        ),
    }
  }

  it.each(kinds)(
    'of a long queue takes half, and the next begins before its acks are heard: %s',
    async (_name, synced) => {
      const { clock, written, send } = await subject(synced)
      await settled(clock, Promise.all(send(1_200)))
      expect(written.slice(0, 3)).toEqual([
        { sections: 600, heard: 0 },
        { sections: 300, heard: 0 },
        { sections: 150, heard: 600 },
      ])
      expect(written.reduce((sum, { sections }) => sum + sections, 0)).toBe(1_200)
    },
  )

  it.each(kinds)('of the other half begins before the acks of the first are heard: %s', async (_name, synced) => {
    const { clock, written, send } = await subject(synced)
    await settled(clock, Promise.all(send(300)))
    expect(written).toEqual([
      { sections: 150, heard: 0 },
      { sections: 150, heard: 0 },
    ])
  })

  it.each(kinds)(
    'where few wait takes all, those with it who go on at the ack of the last: %s',
    async (_name, synced) => {
      const { clock, written, send } = await subject(synced)
      const one = send(1).map(async (acked) => {
        await acked
        await Promise.all(send(1))
      })
      while (written.length === 0) await Promise.resolve()
      await settled(clock, Promise.all([...one, ...send(100)]))
      expect(written).toEqual([
        { sections: 1, heard: 0 },
        { sections: 101, heard: 1 },
      ])
    },
  )

  it.each(kinds)('goes where room was made, though none is taken ahead of it: %s', async (_name, synced) => {
    // All but the reserve.
    const { clock, written, grown, send } = await subject(synced, { totalBytes: 1.6e9, freeBytes: 64 * 1024 * KiB })
    await settled(clock, Promise.all(send(1_200)))
    expect(written.length).toBeGreaterThan(3)
    expect(grown()).toBe(0)
  })

  it.each(kinds)(
    'that finds but the reserve is held, and is all there is held at the close: %s',
    async (_name, synced) => {
      const space = { totalBytes: 1.6e9, freeBytes: 0 }
      const { clock, writer, send, fates } = await subject(synced, space)
      const held = send(600)
      await clock.advance(1_000)
      expect(fates).toEqual([])
      space.freeBytes = 64 * 1024 * KiB
      await settled(clock, Promise.all(held))
      space.freeBytes = 0
      const refused = send(600)
      await clock.advance(1_000)
      expect(fates).toEqual(Array.from(held, () => 'acked'))
      await settled(clock, writer.close())
      await Promise.all(refused)
      expect(fates.slice(600)).toEqual(Array.from(refused, () => 'failed'))
      expect(writer.usage()).toMatchObject({ liveBytes: 600 * frameBytes(BYTES) })
    },
  )

  it.each(kinds)('goes into no sealed segment, though it fits behind the seal: %s', async (_name, synced) => {
    const { clock, disk, send, fates } = await subject(synced)
    const rule = disk.fail({ fault: 'NO_SPACE', call: 'create', times: Infinity })
    // Sealed for the large one, for which there is no other.
    await settled(clock, Promise.all([...send(1_500), ...send(1, new Uint8Array(sizes.segmentBytes / 2))]))
    await settled(clock, Promise.all(send(1)))
    rule.remove()
    await settled(clock, Promise.all(send(1)))
    expect(fates.slice(1_499)).toEqual(['acked', 'failed', 'failed', 'acked'])
  })

  it.each(kinds)('that cannot be laid out fails after the acks of the last: %s', async (_name, synced) => {
    const { clock, written, send, fates } = await subject(synced)
    const gone = new Uint8Array(BYTES)
    const all = [...send(600), ...send(1, gone), ...send(300)]
    while (written.length === 0) await Promise.resolve()
    structuredClone(gone, { transfer: [gone.buffer] })
    await settled(clock, Promise.all(all))
    expect(written[0]).toMatchObject({ sections: 450 })
    expect(fates.slice(0, 450)).toEqual(Array.from({ length: 450 }, () => 'acked'))
    expect(fates.filter((fate) => fate !== 'acked')).toHaveLength(451)
  })
})

describe.each(kinds)('a life with hundreds in flight on a disk %s', (_name, syncedWrites) => {
  const lives = process.env['MOULIN_LONG'] === '1' ? 50 : 1

  it.each(ends)('keeps its word, ended by %s', { timeout: 600_000 }, async (end) => {
    for (let seed = 1; seed <= lives; seed++) await life(seed, syncedWrites, end)
  })
})
