import { schema, t } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { collect, LAKE, machine, openIn } from './machine.ts'

const City = avro(schema({ city: t.string }))
const Price = avro(schema({ price: t.double }))

describe('the schema ledger', () => {
  it('gives one id per definition and encoder, from 1, across topics and reopenings', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    await log.ensureTopic('a', { value: City, key: Price })
    await log.ensureTopic('b', { value: City })
    await log.close()
    const again = await openIn(on.runtime())
    await again.ensureTopic('c', { value: json(City.schema) })
    await again.ensureTopic('d', { value: City })
    await again.close()
    const store = fileSystem({ root: LAKE, files: on.disk.files })
    const ids: unknown[] = []
    for await (const { key } of store.list({ prefix: 'log/schemas/' })) {
      const { id, codec } = JSON.parse(Buffer.from((await store.get(key)).bytes).toString()) as {
        id: number
        codec: string
      }
      ids.push([id, codec])
    }
    expect(ids.sort()).toEqual([
      [1, 'avro/1'],
      [2, 'avro/1'],
      [3, 'json/1'],
    ])
  })

  it('never lets a fenced writer’s entry stand for another schema', async () => {
    const on = machine()
    const fenced = await openIn(on.runtime(on.disk.process('fenced').files))
    const log = await openIn(on.runtime(), { takeover: 'newest' })
    // Too late: it writes an entry with id 1, then learns that it is fenced.
    await expect(fenced.ensureTopic('lost', { value: City })).rejects.toMatchObject({ kind: 'fenced' })
    const prices = await log.ensureTopic('prices', { value: Price })
    const cities = await log.ensureTopic('cities', { value: City })
    await prices.producer({ lingerMs: 0 }).send({ value: { price: 9.5 } })
    await cities.producer({ lingerMs: 0 }).send({ value: { city: 'ams' } })
    await log.close()

    const reader = await openIn(on.runtime(), { access: 'read-only' })
    const valuesIn = async (topic: string): Promise<unknown[]> =>
      (await collect((await reader.topic(topic)).read({ to: 'end' }))).map(({ value }) => ({ ...(value as object) }))
    expect(await valuesIn('prices')).toEqual([{ price: 9.5 }])
    expect(await valuesIn('cities')).toEqual([{ city: 'ams' }])
    await reader.close()
    await fenced.close()
  })

  it('is refused by name when no given codec knows an entry', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    await log.ensureTopic('a', { value: City })
    await log.close()
    const again = await openIn(on.runtime(), { codecs: [] })
    await expect(again.topic('a')).rejects.toMatchObject({ kind: 'unsupported', code: 'CODEC_FORMAT' })
    await again.close()
  })
})
