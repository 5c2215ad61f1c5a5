import { schema, t, type Codec, type Log, type ObjectStore } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, LAKE, machine, openIn, type Machine } from './machine.ts'

const Tide = avro(schema({ cm: t.int }))
const Wind = json(schema({ knots: t.double }))
const Wave = avro(schema({ period: t.float }))

type Json = Record<string, unknown>

const storeOf = (on: Machine): ObjectStore => fileSystem({ root: LAKE, files: on.disk.files })

async function entries(store: ObjectStore): Promise<{ key: string; json: Json }[]> {
  const keys = await collect(store.list({ prefix: 'log/schemas/' }))
  return Promise.all(
    keys.map(async ({ key }) => ({
      key,
      json: JSON.parse(Buffer.from((await store.get(key)).bytes).toString()) as Json,
    })),
  )
}

const put = (store: ObjectStore, key: string, members: Json): Promise<unknown> =>
  store.put(key, bytesOf(JSON.stringify(members)))

async function send(log: Log, name: string, value: Codec, values: readonly Json[]): Promise<void> {
  const producer = (await log.ensureTopic(name, { value })).producer({ lingerMs: 0 })
  for (const record of values) await producer.send({ value: record })
  await producer.close()
}

const valuesIn = async (log: Log, name: string): Promise<unknown[]> =>
  (await collect((await log.topic(name)).read({ to: 'end' }))).map(({ value }) => ({ ...(value as object) }))

describe('a schema that needs a newer reader', () => {
  it('refuses the topics that use it and nothing else, and nothing of theirs goes', async () => {
    const on = machine()
    const store = storeOf(on)
    const tier = fakeColdTier(fakeTables())
    const log = await openIn(on.runtime(), { tier })
    await send(log, 'winds', Wind, [{ knots: 7 }])
    await send(log, 'tides', Tide, [{ cm: 310 }, { cm: -40 }])
    await log.close()
    const kept = (await entries(store)).find(({ json: { id } }) => id === 2)!
    const later = { format: 9, minimumReader: 9, id: 2, epoch: 1, definition: { of: 'a later kind' } }
    await put(store, kept.key, later)

    for (const access of ['read-write', 'read-write', 'read-only'] as const) {
      const older = await openIn(on.runtime(), { tier, access })
      expect(await older.topics()).toEqual(['tides', 'winds'])
      const refused = {
        kind: 'unsupported',
        code: 'FORMAT_VERSION',
        message: expect.stringContaining('schema format 9'),
      }
      await expect(older.topic('tides')).rejects.toMatchObject(refused)
      await expect(older.ensureTopic('tides', { value: Tide })).rejects.toMatchObject(refused)
      expect((await valuesIn(older, 'winds'))[0]).toEqual({ knots: 7 })
      if (access === 'read-write') {
        await send(older, 'winds', Wind, [{ knots: 8.5 }])
        await (await older.topic('winds')).tier()
        await older.releaseNow()
      }
      await older.close()
    }

    // The reader that it needs.
    expect((await entries(store)).find(({ key }) => key === kept.key)?.json).toEqual(later)
    await put(store, kept.key, kept.json)
    const newer = await openIn(on.runtime(), { tier })
    expect(await valuesIn(newer, 'tides')).toEqual([{ cm: 310 }, { cm: -40 }])
    expect(await valuesIn(newer, 'winds')).toHaveLength(3)
    await newer.close()
  })

  it('keeps its id to itself, also from the same schema', async () => {
    const on = machine()
    const store = storeOf(on)
    const log = await openIn(on.runtime())
    await send(log, 'tides', Tide, [{ cm: 1 }])
    await log.close()
    const [first] = await entries(store)
    await put(store, first!.key, { minimumReader: 2, id: 40, epoch: 1 })
    const older = await openIn(on.runtime())
    await send(older, 'waves', Wave, [{ period: 8 }])
    await send(older, 'tides-too', Tide, [{ cm: 2 }])
    await send(older, 'tides-again', Tide, [{ cm: 3 }])
    await older.close()
    const found = await entries(store)
    expect(found.map(({ json: { id } }) => id).sort()).toEqual([40, 41, 42])
    const reader = await openIn(on.runtime(), { access: 'read-only' })
    for (const [name, cm] of [
      ['tides-too', 2],
      ['tides-again', 3],
    ] as const) {
      expect(await valuesIn(reader, name)).toEqual([{ cm }])
    }
    await reader.close()
  })

  it.each([{ epoch: 1 }, { id: 3 }, { id: '3', epoch: 1 }])('is damaged when it says %j', async (members) => {
    const on = machine()
    const log = await openIn(on.runtime())
    await send(log, 'tides', Tide, [{ cm: 1 }])
    await log.close()
    const [first] = await entries(storeOf(on))
    await put(storeOf(on), first!.key, { minimumReader: 2, ...members })
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt' })
  })
})
