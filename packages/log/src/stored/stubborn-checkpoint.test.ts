import { unavailable } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'
import { checkpointStore } from './checkpoint-store.ts'

it('says which older checkpoint stays, and removes the others', async () => {
  const store = hookedStore()
  const checkpoints = checkpointStore(store, { logId: 'a log', runtime: virtualRuntime({ seed: 1 }) })
  for (let epoch = 1n; epoch <= 6n; epoch++) await checkpoints.write({ epoch, topics: [] })
  const keys = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const { key } of store.list()) found.push(key.replace(/^.*\/0*|0*\d\.json$/g, ''))
    return found
  }
  store.hooks.before = ({ op, key }) => {
    if (op === 'delete' && /\/0+20+2\.json$/.test(key)) throw unavailable('BUSY', 'Not now.')
  }
  await expect(checkpoints.removeOlder()).rejects.toMatchObject({ code: 'BUSY' })
  expect(await keys()).toEqual(['2', '5', '6'])
  delete store.hooks.before
  await checkpoints.removeOlder()
  expect(await keys()).toEqual(['5', '6'])
})
