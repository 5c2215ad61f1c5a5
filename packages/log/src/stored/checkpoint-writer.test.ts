import { unavailable } from '@moulin/core'
import type { WalWriter } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import type { CheckpointStore } from './checkpoint-store.ts'
import { CheckpointWriter } from './checkpoint-writer.ts'

describe('the removal of older checkpoints', () => {
  it('is tried again once, not over and over, while a checkpoint is being stored', async () => {
    const runtime = virtualRuntime({ seed: 2 })
    let removals = 0
    let answer: (() => void) | undefined
    let isSlow = false
    const store: CheckpointStore = {
      newest: async () => undefined,
      write: () => (isSlow ? new Promise((resolve) => (answer = resolve)) : Promise.resolve()),
      removeOlder: () => {
        removals++
        return Promise.reject(unavailable('EACCES', 'They cannot be removed.'))
      },
    }
    const writer = new CheckpointWriter(store, { epoch: 1n } as WalWriter, runtime)
    writer.begin()
    await writer.write()
    expect(removals).toBe(1)
    isSlow = true
    const slow = writer.write()
    await runtime.clock.advance(30_000)
    expect(removals).toBe(1)
    answer!()
    await slow
    await runtime.clock.advance(0)
    // With that checkpoint, and the one that waited behind it.
    expect(removals).toBe(3)
    writer.stop()
    expect(runtime.clock.waiting).toBe(0)
  })
})

describe('a checkpoint that could not be written', () => {
  function world() {
    const runtime = virtualRuntime({ seed: 2 })
    const disk = { isFull: true, written: 0 }
    const store: CheckpointStore = {
      newest: async () => undefined,
      write: async () => {
        if (disk.isFull) throw unavailable('ENOSPC', 'The disk is full.')
        disk.written++
      },
      removeOlder: async () => {},
    }
    const wal = { epoch: 1n, checkFence: async () => {}, release: async () => {} } as unknown as WalWriter
    const writer = new CheckpointWriter(store, wal, runtime)
    writer.begin()
    return { runtime, disk, writer }
  }

  it('is told to whoever asked, seen, and written by itself', async () => {
    const { runtime, disk, writer } = world()
    await expect(writer.write()).rejects.toMatchObject({ code: 'ENOSPC' })
    await runtime.clock.advance(10_000)
    expect(writer.failing).toMatchObject({ lastError: { code: 'ENOSPC' }, retries: 3 })
    disk.isFull = false
    await runtime.clock.advance(60_000)
    expect(disk.written).toBe(1)
    expect(writer.failing).toMatchObject({ lastError: null, retries: 0 })
    expect(runtime.clock.waiting).toBe(0)
    writer.stop()
  })

  it('is owed no more once another one has been written', async () => {
    const { runtime, disk, writer } = world()
    await expect(writer.write()).rejects.toMatchObject({ code: 'ENOSPC' })
    disk.isFull = false
    await writer.release({ partitions: [], pins: new Set() } as unknown as Parameters<typeof writer.release>[0], [])
    expect(disk.written).toBe(1)
    expect(writer.failing).toMatchObject({ lastError: null })
    await runtime.clock.advance(3_600_000)
    expect(disk.written).toBe(1)
    writer.stop()
  })
})
