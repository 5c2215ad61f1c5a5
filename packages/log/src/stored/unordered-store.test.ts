import { listInOrder } from '@moulin/core'
import { partedStore, virtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'
import { checkpointStore } from './checkpoint-store.ts'

it('reads and keeps the newest checkpoints of a store that lists in no order', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const runtime = virtualRuntime({ seed })
    const store = partedStore({ seed, runtime })
    const checkpoints = checkpointStore(store, { logId: 'a log', runtime })
    for (let epoch = 1n; epoch <= 6n; epoch++) {
      await checkpoints.write({ epoch, topics: [] })
      await checkpoints.removeOlder()
      expect((await checkpoints.newest())?.epoch, `seed ${seed}`).toBe(epoch)
    }
    const left: string[] = []
    for await (const { key } of listInOrder(store)) left.push(key.replace(/^.*\/0*/, ''))
    expect(left).toEqual(['50000000005.json', '60000000006.json'])
  }
})
