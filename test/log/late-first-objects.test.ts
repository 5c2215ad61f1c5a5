/** First objects of a log that a process which is gone, or another opener, wrote since we looked for them. */
import { hookedStore } from '@moulin/testing'
import type { HookedStore } from '@moulin/testing'
import { expect, it } from 'vitest'
import { machine, openIn } from './machine.ts'

const IDENTITY = 'moulin.json'
const TOPIC = 'log/topics/orders/0000000001.json'

/** What a log with one topic holds. */
async function begun(): Promise<(key: string) => Promise<Uint8Array>> {
  const made = hookedStore()
  const log = await openIn(machine(1).runtime(), { store: made })
  await log.ensureTopic('orders')
  await log.close()
  return async (key) => (await made.get(key)).bytes
}

/** Puts the object before the first call that is like that. */
function arriving(store: HookedStore, op: 'list' | 'put', before: string, key: string, bytes: Uint8Array): void {
  store.hooks.before = async (call) => {
    if (call.op !== op || call.key !== before) return
    delete store.hooks.before
    await store.put(key, bytes)
  }
}

it('a log that began between two looks at its place is opened', async () => {
  const bytesOf = await begun()
  const store = hookedStore()
  const identity = await bytesOf(IDENTITY)
  arriving(store, 'list', '', IDENTITY, identity)
  await (await openIn(machine(2).runtime(), { store })).close()
  expect((await store.get(IDENTITY)).bytes).toEqual(identity)
})

it('a topic that was made since it was looked for is the one that is ensured', async () => {
  const bytesOf = await begun()
  const store = hookedStore()
  const log = await openIn(machine(2).runtime(), { store })
  const made = await bytesOf(TOPIC)
  arriving(store, 'put', TOPIC, TOPIC, made)
  const { id } = JSON.parse(Buffer.from(made).toString()) as { id: string }
  expect((await log.ensureTopic('orders')).id).toBe(id)
  await expect(log.createTopic('orders')).rejects.toMatchObject({ code: 'TOPIC_EXISTS' })
  await log.close()
})
