import { icebergTier } from '@moulin/lake'
import { memoryCatalog } from '@moulin/catalog'
import { isKind, type ObjectStore } from '@moulin/core'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem, memory, prefix } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { bytesOf, collect, machine, valuesOf } from './machine.ts'
import type { Machine } from './machine.ts'

const odd: Readonly<Record<string, string>> = {
  'a hash': 'a#b',
  'a question mark': 'why?',
  'a quote': 'a "b',
  'a line break': 'a\nb',
  'a zero': 'a\0b',
  'a delete character': 'a\u007fb',
  'half a surrogate pair': 'a\ud83d b',
  'the other half': '\udc00',
}

const stores: Readonly<Record<string, (name: string, on: Machine) => ObjectStore>> = {
  'a folder': (name, { disk }) => fileSystem({ root: `/data/${name}`, files: disk.files }),
  'a folder inside one': (name, { disk }) => fileSystem({ root: `/data/${name}/lake`, files: disk.files }),
  memory: (name) => memory({ name }),
  'a part of memory': (name) => ({ ...prefix(memory(), 'part/'), root: `memory://m/${name}/part/` }),
  'a part of a folder': (name, { disk }) =>
    prefix(fileSystem({ root: `/data/${name}`, files: disk.files }), 'lakes/one/'),
}

/** Every name of the disk. */
async function namesOn({ disk }: Machine, folder = ''): Promise<string[]> {
  const names: string[] = []
  for (const { name, kind } of await disk.files.readdir(folder === '' ? '/' : folder)) {
    names.push(`${folder}/${name}`)
    if (kind === 'directory') names.push(...(await namesOn({ disk } as Machine, `${folder}/${name}`)))
  }
  return names
}

describe.each(Object.entries(stores))('a log in %s', (place, storeOf) => {
  it.each(Object.entries(odd))('is refused for %s in its root, with nothing written or made', async (_what, name) => {
    const on = machine()
    // No path has a zero, so there is not even a store.
    if (name.includes('\0') && place.includes('folder')) {
      expect(() => storeOf(name, on)).toThrow(expect.toSatisfy((error) => isKind(error, 'invalid', 'PLACE')) as Error)
      return
    }
    for (const access of ['read-write', 'read-only'] as const) {
      const store = storeOf(name, on)
      let probed = false
      const opening = openLog({
        store,
        wal: fileWal({ dir: '/wal' }),
        runtime: on.runtime(),
        access,
        probe: async () => void (probed = true),
      })
      await expect(opening).rejects.toMatchObject({ kind: 'invalid', code: 'ROOT', context: { root: store.root } })
      await expect(opening).rejects.toThrow('Choose another place')
      expect(probed).toBe(false)
      expect(await namesOn(on)).toEqual([])
      if (!store.name.includes('fileSystem')) expect(await collect(store.list())).toEqual([])
    }
  })
})

describe('a part of a store', () => {
  it('whose own path engines cannot open is refused as a root', async () => {
    const on = machine()
    for (const path of ['a#b/', 'x/why?/', '"/']) {
      const store = memory()
      const part = prefix(store, path)
      const opening = openLog({ store: part, wal: fileWal({ dir: '/wal' }), runtime: on.runtime() })
      await expect(opening).rejects.toMatchObject({ kind: 'invalid', code: 'ROOT' })
      expect(await collect(store.list())).toEqual([])
    }
  })
})

describe('tables in a store of their own', () => {
  it('are refused before there is a log', () => {
    const runtime = machine().runtime()
    const store = memory({ name: 'lake?x' })
    expect(() => memoryCatalog({ store, runtime })).toThrow('holds "?"')
    const catalog = memoryCatalog({ store: memory(), runtime })
    const refused = (): unknown => icebergTier({ catalog, stores: store })
    expect(refused).toThrow(expect.toSatisfy((error) => isKind(error, 'invalid', 'ROOT')) as Error)
  })
})

describe('a log', () => {
  it.each(['my lake', 'Müll', 'a%41b', '%', '%2F', '[x]*', "it's; a+b=c&d:e\\", '🧊 '])(
    'lives in a folder named %s',
    async (name) => {
      const on = machine()
      const open = (): ReturnType<typeof openLog> => {
        const runtime = on.runtime()
        const store = fileSystem({ root: `/${name}`, files: runtime.files })
        return openLog({ store, wal: fileWal({ dir: `/${name}/log/wal` }), runtime })
      }
      const log = await open()
      const topic = await log.ensureTopic('orders')
      await topic.producer({ lingerMs: 0 }).send({ value: bytesOf('v') })
      await log.close()
      const again = await open()
      expect(await valuesOf(await again.topic('orders'))).toEqual(['v'])
      await again.close()
      expect((await on.disk.files.readdir('/')).map((entry) => entry.name)).toEqual([name])
    },
  )
})
