import { objectStoreCatalog } from '@moulin/catalog'
import { schema, t, type Codec, type CodecFormat, type Log, type RegistryIdentity } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { collect, LAKE, machine, openIn, type Machine } from './machine.ts'

const Berth = avro(schema({ ship: t.string, lines: t.list(t.struct({ bollard: t.int })) })) as Codec
const byNumber: RegistryIdentity = { wire: 'magic', id: '7', subject: 'berths-value', version: 3, references: [] }
const byGuid: RegistryIdentity = {
  wire: 'header',
  id: '5c1b6b0e-0f5e-4f6c-8d3e-1b1f6c0a9e11',
  subject: null,
  version: null,
  references: [
    { name: 'port.Line', subject: 'lines', version: 2 },
    { name: 'port.Bollard', subject: 'bollards', version: 1 },
  ],
}

/** As a registry's codec would be: the same bytes, but it knows what the registry calls its schema. */
const of = (registry?: RegistryIdentity): Codec => ({ ...Berth, format: 'berth/1', ...(registry && { registry }) })
const restored: (RegistryIdentity | undefined)[] = []
const format: CodecFormat = {
  format: 'berth/1',
  restore(definition, registry) {
    expect(definition).toBe(Berth.definition)
    restored.push(registry)
    return of(registry)
  },
}

const storeOf = (on: Machine) => fileSystem({ root: LAKE, files: on.disk.files })

function openOn(on: Machine, access: 'read-write' | 'read-only' = 'read-write', hasTier = true): Promise<Log> {
  const runtime = on.runtime()
  const catalog = objectStoreCatalog({ store: storeOf(on), runtime, access })
  const tier = hasTier ? { tier: icebergTier({ catalog, threads: 0, codecs: [format] }) } : {}
  return openIn(runtime, { ...tier, access, codecs: [format] })
}

async function entries(on: Machine): Promise<Record<string, unknown>[]> {
  const found = []
  for (const { key } of await collect(storeOf(on).list({ prefix: 'log/schemas/' }))) {
    found.push(JSON.parse(Buffer.from((await storeOf(on).get(key)).bytes).toString()) as Record<string, unknown>)
  }
  return found.sort((a, b) => Number(a['id']) - Number(b['id']))
}

const berth = (ship: string): Record<string, unknown> => ({ ship, lines: [{ bollard: 4 }, { bollard: 5 }] })

describe('a schema with a registry identity', () => {
  it('is another than the same text under another id, or under none, through tables and reopenings', async () => {
    const on = machine()
    const topics = { plain: undefined, numbered: byNumber, named: byGuid, later: { ...byNumber, version: 4 } }
    const log = await openOn(on)
    for (const [name, registry] of Object.entries(topics)) {
      const topic = await log.ensureTopic(name, { value: of(registry) })
      await topic.producer({ lingerMs: 0 }).send({ value: berth(name) })
    }
    await log.ensureTopic('numbered-too', { value: of({ ...byNumber, references: [] }) })
    await log.close()
    const stored = await entries(on)
    expect(stored.map(({ registry }) => registry)).toEqual([null, byNumber, byGuid, topics.later])
    expect(new Set(stored.map(({ definition, sha256 }) => `${String(definition)} ${String(sha256)}`)).size).toBe(1)

    const again = await openOn(on)
    for (const [name, registry] of Object.entries(topics)) {
      restored.length = 0
      const topic = await again.ensureTopic(name, { value: of(registry) })
      expect(restored).toEqual([registry])
      await topic.tier()
      // Once more, by the task that encodes the files.
      expect(restored).toEqual([registry, registry])
    }
    await again.releaseNow()
    const refused = {
      code: 'SCHEMA_CHANGED',
      message: expect.stringContaining('registry: stored {"wire":"magic","id":"7"'),
    }
    await expect(again.ensureTopic('numbered', { value: of({ ...byNumber, id: '8' }) })).rejects.toMatchObject(refused)
    await expect(again.ensureTopic('numbered', { value: of() })).rejects.toMatchObject(refused)
    await again.close()
    expect(await entries(on)).toEqual(stored)

    const reader = await openOn(on, 'read-only')
    for (const name of Object.keys(topics)) {
      const [record] = await collect((await reader.topic(name)).read({ to: 'end' }))
      expect(JSON.parse(JSON.stringify(record!.value))).toEqual(berth(name))
    }
    await reader.close()
  })

  it.each([{ id: 7 }, { version: -1 }, { references: [{ name: 'port.Line' }] }])(
    'is refused when it says %j, before anything is stored',
    async (members) => {
      const on = machine()
      const log = await openOn(on)
      const registry = { ...byNumber, ...members } as unknown as RegistryIdentity
      await expect(log.ensureTopic('berths', { value: of(registry) })).rejects.toMatchObject({
        kind: 'invalid',
        code: 'REGISTRY_IDENTITY',
      })
      expect(await log.topics()).toEqual([])
      expect(await entries(on)).toEqual([])
      await log.close()
    },
  )
})

describe('the field ids in a schema entry', () => {
  it('are those that the table is asked for, nested ones too', async () => {
    const on = machine()
    const log = await openOn(on)
    await log.ensureTopic('berths', {
      value: of(),
      key: json(schema({ pier: t.map(t.string, t.int), 'a.b': t.long })),
    })
    await log.close()
    expect((await entries(on)).map(({ ids }) => ids)).toEqual([
      [
        { path: ['ship'], id: 1001 },
        { path: ['lines'], id: 1002 },
        { path: ['lines', 'element'], id: 1003 },
        { path: ['lines', 'element', 'bollard'], id: 1004 },
      ],
      [
        { path: ['pier'], id: 1001 },
        { path: ['pier', 'key'], id: 1002 },
        { path: ['pier', 'value'], id: 1003 },
        { path: ['a.b'], id: 1004 },
      ],
    ])
    const catalog = objectStoreCatalog({ store: storeOf(on), runtime: on.runtime(), access: 'read-only' })
    const { metadata } = await catalog.loadTable({ namespace: ['default'], name: 'berths' })
    const asked = metadata.schemas[0]!.fields.filter(({ id }) => id > 1000)
    expect(asked.map(({ name, id }) => [name, id])).toEqual([
      ['ship', 1001],
      ['lines', 1002],
    ])
    expect(asked[1]!.type).toMatchObject({ 'element-id': 1003, element: { fields: [{ name: 'bollard', id: 1004 }] } })
  })

  it('are null without a tier, or where values are no columns', async () => {
    const on = machine()
    const log = await openOn(on, 'read-write', false)
    await log.ensureTopic('berths', { value: of() })
    await log.close()
    const tiered = await openOn(on)
    const single = avro('"string"')
    expect(single.columnar).toBeUndefined()
    await tiered.ensureTopic('names', { key: single as Codec })
    await tiered.close()
    expect((await entries(on)).map(({ id, ids }) => [id, ids])).toEqual([
      [1, null],
      [2, null],
    ])
  })
})
