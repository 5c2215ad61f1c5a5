import { schema, t, type ObjectStore } from '@moulin/core'
import { avro } from '@moulin/format'
import { planRepair } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { bytesOf, collect, LAKE, machine, openIn, WAL } from './machine.ts'

async function logOf(): Promise<{ on: ReturnType<typeof machine>; store: ObjectStore }> {
  const on = machine()
  const log = await openIn(on.runtime())
  const topic = await log.ensureTopic('levels', { value: avro(schema({ metres: t.double })) })
  await topic.producer({ lingerMs: 0 }).send({ value: { metres: 2.5 } })
  await log.close()
  return { on, store: fileSystem({ root: LAKE, files: on.disk.files }) }
}

const keysBelow = async (store: ObjectStore, prefix: string): Promise<string[]> =>
  (await collect(store.list({ prefix }))).map(({ key }) => key)

describe('a damaged object of the log', () => {
  for (const prefix of ['moulin.json', 'log/checkpoints/', 'log/topics/', 'log/schemas/']) {
    it(`below ${prefix} stops the log with the way back, which names it`, async () => {
      const { on, store } = await logOf()
      const keys = await keysBelow(store, prefix)
      for (const key of keys) await store.put(key, bytesOf('{ "format": 1, "minimum'))
      for (const access of ['read-write', 'read-only'] as const) {
        const opening = openIn(on.runtime(), { access }).then((log) => log.topic('levels'))
        const message: unknown = expect.stringMatching(new RegExp(`${prefix}.*\`moulin repair\``, 's'))
        await expect(opening).rejects.toMatchObject({ kind: 'corrupt', code: 'JSON_MALFORMED', message })
      }
      const { damages } = await planRepair({ store, walDir: WAL, runtime: on.runtime() })
      expect(damages.map(({ place }) => place).sort()).toEqual(keys)
    })
  }

  it('that is gone, and was the first, is told from a place that never was a log', async () => {
    const { on, store } = await logOf()
    await store.delete('moulin.json')
    await expect(openIn(on.runtime())).rejects.toMatchObject({
      code: 'NOT_A_LOG',
      message: expect.stringMatching(/`moulin repair`/),
    })
    const other = machine()
    await fileSystem({ root: LAKE, files: other.disk.files }).put('photos/1.jpg', bytesOf('x'))
    const error = await openIn(other.runtime()).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'NOT_A_LOG', message: expect.stringMatching(/photos/) })
    expect(String(error)).not.toMatch(/repair/)
  })
})
