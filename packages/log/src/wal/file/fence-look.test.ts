import { unavailable, type Files, type Runtime } from '@moulin/core'
import { recordingMeter, simulatedDisk, virtualRuntime, type RecordingMeter } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { FenceLook } from './fence-look.ts'

interface Setting {
  readonly look: FenceLook
  readonly meter: RecordingMeter
  readonly files: Files
  /** How long a look at once takes, or what it throws. */
  now: number | Error
  /** Of the runtime's clock. */
  pass(ms: number): void
  readonly asked: string[]
}

async function setting(mount: 'local' | 'network' = 'local'): Promise<Setting> {
  const { files } = simulatedDisk({ seed: 1, mount })
  await files.mkdir('/wal/epoch-1', { recursive: true })
  const meter = recordingMeter()
  const virtual = virtualRuntime({ seed: 1, files, meter })
  let passedMs = 0
  const asked: string[] = []
  const clock = { now: () => virtual.clock.now(), monotonic: () => virtual.clock.monotonic() + passedMs }
  const look: Setting = {
    look: undefined as never,
    meter,
    files,
    now: 0,
    pass: (ms) => (passedMs += ms),
    asked,
  }
  const watched: Files = {
    ...files,
    stat(path) {
      asked.push('queued')
      return files.stat(path)
    },
    statNow(path) {
      asked.push('direct')
      if (look.now instanceof Error) throw look.now
      passedMs += look.now
      return files.statNow(path)
    },
  }
  const runtime = { ...virtual, clock, files: watched } as Runtime
  return Object.assign(look, {
    look: await FenceLook.begin(runtime, { files: watched, dir: '/wal', logId: new Uint8Array(16), epoch: 1n }),
  })
}

/** How the next look was made. */
async function nextOf(at: Setting): Promise<string> {
  at.asked.length = 0
  await at.look.pass()
  return at.asked.join()
}

describe('FenceLook', () => {
  it('is made at once on a local disk, and not on a network mount', async () => {
    const [local, network] = [await setting(), await setting('network')]
    expect(await nextOf(local)).toBe('direct')
    expect(await nextOf(network)).toBe('queued')
    const of = (look: string) => ({ 'moulin.wal.look': look })
    expect(local.meter.seen('moulin.wal.fence.duration', of('direct'))).toHaveLength(1)
    expect(network.meter.seen('moulin.wal.fence.duration', of('queued'))).toHaveLength(1)
  })

  it('rests for a hundred times what a slow one took', async () => {
    const at = await setting()
    at.now = 5
    expect(await nextOf(at)).toBe('direct')
    at.now = 6
    expect([await nextOf(at), await nextOf(at)]).toEqual(['direct', 'queued'])
    at.pass(599)
    expect(await nextOf(at)).toBe('queued')
    at.now = 0
    at.pass(1)
    expect([await nextOf(at), await nextOf(at)]).toEqual(['direct', 'direct'])
    expect(at.meter.seen('moulin.wal.fence.duration').map(({ value }) => value)).toEqual([0.005, 0.006, 0, 0, 0, 0])
  })

  it('asks again with patience where it was not possible', async () => {
    const at = await setting()
    at.now = unavailable('EMFILE', 'Too many.')
    expect(await nextOf(at)).toBe('direct,queued')
  })

  it('finds a newer writer, either way', async () => {
    for (const mount of ['local', 'network'] as const) {
      const at = await setting(mount)
      await at.look.pass()
      await at.files.mkdir('/wal/epoch-2')
      await expect(at.look.pass()).rejects.toMatchObject({ kind: 'fenced' })
      await expect(at.look.pass()).rejects.toMatchObject({ kind: 'fenced' })
    }
  })
})
