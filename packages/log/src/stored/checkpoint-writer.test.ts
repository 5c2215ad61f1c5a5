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
