import { describe, expect, it } from 'vitest'
import { notFound, unavailable, unsupported } from '../model/errors.ts'
import type { LoadedTable } from '../doors/catalog.ts'
import type { ObjectStore } from '../doors/object-store.ts'
import type { TableFiles, TableStores } from '../doors/table-files.ts'
import { defineObjectStore } from './define-object-store.ts'
import { tableFiles } from './table-files.ts'

const LONG = '東'.repeat(40)

/** A store that has these keys, and cannot have long ones; it tells what it was asked for. */
function storeWith(present: readonly string[]): { asked: string[]; store: ObjectStore } {
  const asked: string[] = []
  const infoOf = (key: string) => {
    asked.push(key)
    if (key.length > 255) throw unsupported('KEY_SEGMENT_TOO_LONG', `${key} is too long`)
    return present.includes(key) ? { key, size: key.length, etag: '"1"', modifiedMs: 0 } : undefined
  }
  const unused = (): never => {
    throw new TypeError('not part of this test')
  }
  const store = defineObjectStore({
    name: 'fileSystem(/data/lake)',
    root: 'file:///data/lake/',
    capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },
    durability: 'memory',
    listOrder: 'bytes',
    head: async (key) => infoOf(key),
    get: async (key) => {
      const info = infoOf(key)
      if (info === undefined) throw notFound('OBJECT', `${key} is missing`)
      return { ...info, bytes: new Uint8Array(1) }
    },
    put: unused,
    delete: unused,
    list: unused,
  })
  return { asked, store }
}

function reading(present: readonly string[]): { asked: string[]; files: TableFiles } {
  const { asked, store } = storeWith(present)
  return { asked, files: tableFiles(store) }
}

describe('tableFiles of one store', () => {
  const encoded = '/data/lake/a%62c'

  it('asks for the raw object, and for the decoded one only where that is not there', async () => {
    const raw = reading(['a%62c', 'abc'])
    expect(await raw.files.head(encoded)).toMatchObject({ key: 'a%62c', size: 5 })
    expect(raw.asked).toEqual(['a%62c'])
    expect(await reading(['abc']).files.head(encoded)).toMatchObject({ key: 'abc', size: 3 })
    expect(await reading([]).files.head(encoded)).toBeUndefined()
    const both = reading(['a%62c', 'abc'])
    expect((await both.files.get(encoded)).key).toBe('a%62c')
    expect(both.asked).toEqual(['a%62c'])
  })

  it('stays with the spelling that answered, until it is gone', async () => {
    const present = ['abc']
    const { asked, files } = reading(present)
    expect((await files.get(encoded)).key).toBe('abc')
    await files.get(encoded, { range: { start: 0, end: 1 } })
    await files.getRanges(encoded, [{ start: 0, end: 1 }])
    expect(asked).toEqual(['a%62c', 'abc', 'abc', 'abc'])
    present[0] = 'a%62c'
    await expect(files.get(encoded)).rejects.toThrow('abc is missing')
    expect((await files.get(encoded)).key).toBe('a%62c')
  })

  it('finds under its decoded key what is too long for a store when encoded', async () => {
    const key = `k=${LONG}/x`
    const { files } = reading([key])
    const location = `file:///data/lake/k=${encodeURIComponent(LONG)}/x`
    expect((await files.get(location)).key).toBe(key)
    expect(await files.head(location)).toMatchObject({ key })
  })

  it('passes on every other fault of the raw key', async () => {
    const asked: string[] = []
    const refused = async (key: string): Promise<never> => {
      asked.push(key)
      throw unavailable('TIMEOUT', 'no answer')
    }
    const files = tableFiles({ ...storeWith([]).store, get: refused, head: refused })
    await expect(files.get(encoded)).rejects.toThrow('no answer')
    await expect(files.head(encoded)).rejects.toThrow('no answer')
    expect(asked).toEqual(['a%62c', 'a%62c'])
  })

  it('tells of the object that get reads, whichever of the two is asked first, and of the other once that is gone', async () => {
    for (const first of ['get', 'head'] as const) {
      const present = ['abc']
      const { files } = reading(present)
      await files[first](encoded)
      present.push('a%62c')
      expect([(await files.head(encoded))!.key, (await files.get(encoded)).key], first).toEqual(['abc', 'abc'])
      present.shift()
      expect(await files.head(encoded), first).toMatchObject({ key: 'a%62c' })
      expect((await files.get(encoded)).key, first).toBe('a%62c')
      present.shift()
      expect(await files.head(encoded), first).toBeUndefined()
    }
  })

  it('names the raw key when none is there', async () => {
    await expect(reading([]).files.get(encoded)).rejects.toThrow('a%62c is missing')
  })

  it('reads no other places', async () => {
    const { asked, files } = reading([])
    for (const location of ['s3://bucket/a', 'file:///data/lakeside/a', '/data/lake/../a', 'a']) {
      const refused = { code: expect.stringMatching(/^(OUTSIDE_STORE|KEY)$/) as string }
      await expect(files.get(location), location).rejects.toMatchObject(refused)
      await expect(files.head(location), location).rejects.toMatchObject(refused)
    }
    expect(asked).toEqual([])
  })
})

/** Deletes without asking for credentials. */
function anyway(objects: Map<string, Uint8Array>): ObjectStore['deleteMany'] {
  return async (keys) => {
    for (const key of keys) objects.delete(`attic/${key}`)
    return { failed: [] }
  }
}

describe('tableFiles of stores that are found by location', () => {
  const SECRET = 'hush-hush'

  /** Two buckets that take one secret; `made` are the secrets that stores were made with, by origin. */
  function world() {
    const objects = new Map<string, Uint8Array>()
    const made: string[] = []
    const state = { good: `${SECRET}1`, loads: 0, answer: undefined as LoadedTable | Error | undefined }
    const withSecret = (secret: string, config: LoadedTable['config'] = {}): LoadedTable =>
      ({ config, credentials: [{ prefix: 's3://', config: { secret } }] }) as unknown as LoadedTable
    const stores: TableStores = (location, _config, credentials) => {
      const [, bucket] = /^s3a?:\/\/(lake|attic)\//.exec(location) ?? []
      if (bucket === undefined) throw unsupported('STORE_SCHEME', `No store for ${location}.`)
      const secret = credentials[0]?.config['secret'] ?? ''
      made.push(`${location.split('/').slice(0, 3).join('/')} ${secret}`)
      const check = (): void => {
        if (secret !== state.good) throw unavailable('CREDENTIALS', `bucket ${bucket} refuses the credentials.`)
      }
      const at = (key: string): string => `${bucket}/${key}`
      return defineObjectStore({
        name: `bucket ${bucket}`,
        root: `s3://${bucket}/`,
        aliases: [`s3a://${bucket}/`],
        capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },
        durability: 'memory',
        listOrder: 'bytes',
        async get(key) {
          check()
          const bytes = objects.get(at(key))
          if (bytes === undefined) throw notFound('OBJECT', `${key} is missing`)
          return { key, size: bytes.length, etag: '"1"', modifiedMs: 0, bytes }
        },
        async head(key) {
          check()
          const bytes = objects.get(at(key))
          return bytes === undefined ? undefined : { key, size: bytes.length, etag: '"1"', modifiedMs: 0 }
        },
        async put(key, bytes) {
          check()
          objects.set(at(key), bytes)
          return { etag: '"1"' }
        },
        async delete(key) {
          check()
          if (key.endsWith('stubborn')) throw unavailable('BUSY', 'Not now.')
          objects.delete(at(key))
        },
        async *list({ prefix = '' } = {}) {
          for (const name of [...objects.keys()].filter((one) => one.startsWith(at(prefix)))) {
            check()
            yield { key: name.slice(bucket.length + 1), size: 1, etag: '"1"', modifiedMs: 0 }
          }
        },
      })
    }
    const reload = async (): Promise<LoadedTable> => {
      state.loads++
      await Promise.resolve()
      if (state.answer instanceof Error) throw state.answer
      return state.answer ?? withSecret(state.good)
    }
    const files = tableFiles(stores, { table: withSecret(state.good), reload })
    return { files, made, objects, state, withSecret, stores }
  }

  const bytes = new Uint8Array(1)

  it('keeps one for each scheme and authority, until the table comes with other credentials or config', async () => {
    const { files, made, withSecret, state } = world()
    for (const name of ['s3a://lake/t/a', 's3a://lake/t/b', 's3://lake/t/a', 's3://attic/t/a'])
      await files.put(name, bytes)
    const once = ['s3a://lake', 's3://lake', 's3://attic'].map((origin) => `${origin} ${state.good}`)
    expect(made).toEqual(once)
    files.renew(withSecret(state.good))
    await files.get('s3://lake/t/a')
    expect(made).toEqual(once)
    files.renew(withSecret(state.good, { region: 'x' }))
    await files.get('s3://lake/t/a')
    expect(made).toEqual([...once, once[1]])
    expect((await files.get('s3a://lake/t/a')).size).toBe(1)
  })

  it('loads the table once for all that are refused, and makes each call again', async () => {
    const { files, objects, state } = world()
    const names = Array.from({ length: 12 }, (_, i) => `s3${i % 2 === 0 ? '' : 'a'}://lake/t/${i}`)
    await Promise.all(names.map((name) => files.put(name, bytes)))
    state.good = `${SECRET}2`
    await Promise.all(names.map((name) => files.get(name)))
    expect(state.loads).toBe(1)
    state.good = `${SECRET}3`
    expect(await files.deleteMany(names.slice(1))).toEqual({ failed: [] })
    expect(state.loads).toBe(2)
    state.good = `${SECRET}4`
    const listed: string[] = []
    for await (const { location } of files.list('s3a://lake/t/')) listed.push(location)
    expect([listed, [...objects.keys()]]).toEqual([['s3://lake/t/0'], ['lake/t/0']])
    expect(state.loads).toBe(3)
  })

  it('makes a call again once only, and only where the table brought others', async () => {
    const { files, state, withSecret, made } = world()
    state.good = 'of nobody'
    state.answer = withSecret(`${SECRET}2`)
    await expect(files.get('s3://lake/t/a')).rejects.toMatchObject({ code: 'CREDENTIALS' })
    expect(state.loads).toBe(1)
    const before = made.length
    await expect(files.get('s3://lake/t/a')).rejects.toMatchObject({ code: 'CREDENTIALS' })
    expect([state.loads, made.length]).toEqual([2, before])
    state.answer = new Error('the catalog is down')
    const error: unknown = await files.put('s3://lake/t/a', bytes).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'CREDENTIALS', outcome: 'rejected' })
    expect(`${(error as Error).message} ${JSON.stringify(error)} ${files.name}`).not.toContain(SECRET)
  })

  it('does not load the table for each of many files that are forbidden whatever it brings, and again at once after one was let in', async () => {
    const { files, state, withSecret, objects } = world()
    state.good = 'of nobody'
    const reload = (): void => void (state.answer = withSecret(`${SECRET}${state.loads}`))
    const forbidden = async (count: number): Promise<number> => {
      const before = state.loads
      for (let at = 0; at < count; at++) {
        reload()
        await expect(files.get(`s3://lake/t/${at}`)).rejects.toMatchObject({ code: 'CREDENTIALS' })
      }
      return state.loads - before
    }
    expect(await forbidden(4)).toBe(4)
    expect(await forbidden(1_000)).toBeLessThan(30)
    // Credentials that run out are renewed all the same, a little later.
    objects.set('lake/t/a', bytes)
    state.good = `${SECRET}new`
    state.answer = withSecret(state.good)
    const tries: unknown[] = []
    while (tries.at(-1) !== 1 && tries.length < 100)
      tries.push(
        await files.get('s3://lake/t/a').then(
          ({ size }) => size,
          () => 0,
        ),
      )
    expect(tries.length).toBeLessThan(66)
    state.good = 'of nobody'
    expect(await forbidden(4)).toBe(4)
  })

  it('does not go on with a list that has begun', async () => {
    const { files, state } = world()
    for (const name of ['a', 'b', 'c']) await files.put(`s3://lake/t/${name}`, bytes)
    const seen: string[] = []
    const listing = async (): Promise<void> => {
      for await (const { location } of files.list('s3://lake/t/')) {
        seen.push(location)
        state.good = `${SECRET}2`
      }
    }
    await expect(listing()).rejects.toMatchObject({ code: 'CREDENTIALS' })
    expect(seen).toEqual(['s3://lake/t/a'])
  })

  it('says of each file that could not be deleted why, by the name that was given', async () => {
    const { files, objects } = world()
    const names = ['s3://lake/t/a', 's3a://lake/t/stubborn', 's3://attic/t/stubborn', 's3://attic/t/b']
    for (const name of names) await files.put(name, bytes)
    const { failed } = await files.deleteMany([...names, 's3://lake/t/stubborn'])
    expect(failed.map(({ location }) => location)).toEqual([names[1], names[2], 's3://lake/t/stubborn'])
    for (const { error } of failed) expect(error).toMatchObject({ code: 'BUSY' })
    expect([...objects.keys()].sort()).toEqual(['attic/t/stubborn', 'lake/t/stubborn'])
  })

  it('asks the stores that another load brought meanwhile before it loads the table, and loads it where they refuse as well', async () => {
    for (const [meanwhile, loads] of [
      [2, 0],
      [3, 1],
    ] as const) {
      const calls = {
        get: (files: TableFiles) => files.get('s3://lake/t/a'),
        deleteMany: (files: TableFiles) => files.deleteMany(['s3://lake/t/a', 's3a://lake/t/b']),
        list: async (files: TableFiles) => {
          for await (const { size } of files.list('s3://lake/t/')) expect(size).toBe(1)
        },
      }
      for (const [name, call] of Object.entries(calls)) {
        const { files, objects, state, withSecret } = world()
        for (const one of ['a', 'b']) await files.put(`s3://lake/t/${one}`, bytes)
        state.good = `${SECRET}2`
        const done = call(files)
        // It is refused by the old store after this.
        files.renew(withSecret(`${SECRET}${meanwhile}`))
        const result = await done
        expect(state.loads, name).toBe(loads)
        if (name === 'deleteMany') expect([result, objects.size], name).toEqual([{ failed: [] }, 0])
      }
    }
  })

  it('takes nothing for gone where the store speaks of another key', async () => {
    const { store } = storeWith([])
    const error = unavailable('BUSY', 'Not now.')
    const files = tableFiles({ ...store, deleteMany: async () => ({ failed: [{ key: '/a', error }] }) })
    const names = ['a', 'b'].map((name) => store.root + name)
    expect(await files.deleteMany(names)).toEqual({ failed: names.map((location) => ({ location, error })) })
  })

  it('says that some may be gone, whatever ends a delete after that', async () => {
    for (const [deleted, outcome] of [
      [['s3://attic/t/c', 's3://lake/t/a'], 'unknown'],
      [['s3://lake/t/a', 's3://lake/t/b'], 'rejected'],
    ] as const) {
      const { stores, objects, state, withSecret } = world()
      const stop = new AbortController()
      const files = tableFiles(
        (location, config, credentials) => {
          const store = stores(location, config, credentials)
          return location.startsWith('s3://attic/') ? { ...store, deleteMany: anyway(objects) } : store
        },
        {
          table: withSecret(state.good),
          reload: async () => {
            stop.abort()
            return withSecret(state.good)
          },
        },
      )
      for (const name of deleted.filter((one) => one.startsWith('s3://lake/'))) await files.put(name, bytes)
      objects.set('attic/t/c', bytes)
      state.good = `${SECRET}2`
      await expect(files.deleteMany(deleted, { signal: stop.signal })).rejects.toMatchObject({
        kind: 'aborted',
        outcome,
      })
      expect(objects.has('attic/t/c')).toBe(outcome === 'rejected')
    }
  })

  it('takes stores that name each other for one place, whichever is made first and whatever credentials come', async () => {
    const roots = ['s3://b/', 's3a://b/', 's3n://b/']
    const { store } = storeWith([])
    for (const first of roots) {
      // Each tells one other name only: it is enough that there is a chain.
      const files = tableFiles((location) => {
        const at = roots.findIndex((root) => location.startsWith(root))
        return { ...store, root: roots[at]!, aliases: [roots[(at + 1) % roots.length]!] }
      })
      const names = [first, ...roots].map((root) => `${root}t/a%20b`)
      const told = (): string[][] => names.map((name) => [files.canonical(name), ...files.spellings(name)])
      const before = told()
      expect(new Set(before.map(String)).size, first).toBe(1)
      for (const name of names) expect(files.isSame(names[0]!, name), name).toBe(true)
      files.renew({ config: { region: 'x' } })
      expect(names.toReversed().map((name) => files.canonical(name))).toEqual(before.map(([name]) => name))
      for (const name of names) expect(files.under(name.slice(0, -8), 't/x y')).toBe(`${name.slice(0, -8)}/t/x y`)
      expect(files.isSame(names[0]!, 's3://b/t/c')).toBe(false)
    }
  })

  it('lies nowhere else, and passes on what a function throws of its own', async () => {
    const { files } = world()
    await expect(files.get('gs://lake/a')).rejects.toMatchObject({ kind: 'invalid', code: 'OUTSIDE_STORE' })
    expect(files.isSame('gs://lake/a', 'gs://lake/a')).toBe(false)
    const broken = tableFiles(() => {
      throw unavailable('NO_KEY', 'The key cannot be had.')
    })
    await expect(broken.get('s3://lake/a')).rejects.toMatchObject({ code: 'NO_KEY' })
    expect(() => broken.isSame('s3://lake/a', 's3://lake/a')).toThrow('cannot be had')
  })
})
