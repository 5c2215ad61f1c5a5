/** What servers answer to the same calls, each in a word. Where they differ, docs/stores.md says who is right. */
import type { ObjectStore } from '@moulin/core'
import { afterAll } from 'vitest'

/** A call of it, by its name in the table. */
export type AnswerChecks = Readonly<Record<string, (store: ObjectStore) => Promise<string>>>

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** `ok`, or the status and the code of the error. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown as { readonly code?: string; readonly context?: { readonly status?: number } },
  )
  return error === undefined ? 'ok' : `${error.context?.status ?? ''} ${error.code ?? 'no error of ours'}`.trim()
}

export async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix })) keys.push(key)
  return keys
}

/** Those that every service has an answer to. */
export const commonChecks: AnswerChecks = {
  'create, there': async (store) => {
    await store.put('c', bytesOf('x'))
    return codeOf(store.put('c', bytesOf('y'), { mode: 'create' }))
  },
  'range past the end': async (store) => {
    await store.put('r', bytesOf('x'))
    return codeOf(store.get('r', { range: { start: 100 } }))
  },
  'unchanged since its tag': async (store) => {
    const { etag } = await store.put('u', bytesOf('x'))
    return codeOf(store.get('u', { ifNoneMatch: etag }))
  },
  'race of eight creates': async (store) => {
    const said = await Promise.all(
      Array.from({ length: 8 }, (_, i) => codeOf(store.put('race', bytesOf(`${i}`), { mode: 'create' }))),
    )
    return `${said.filter((code) => code === 'ok').length} of ${said.length}`
  },
  'order of a/b, a-b': async (store) => {
    for (const key of ['o/a/b', 'o/a-b']) await store.put(key, bytesOf('x'))
    return (await keysOf(store, 'o/')).join(' ')
  },
  'odd keys': async (store) => {
    const odd = ['a+b', 'a%2Bb', 'a b', 'a&b', 'ü', '😀', "a'b", 'a=b?c#d', '<a>']
    for (const key of odd) await store.put(`odd/${key}`, bytesOf(key))
    const keys = new Set((await keysOf(store, 'odd/')).map((key) => key.slice('odd/'.length)))
    const { failed } = await store.deleteMany(odd.map((key) => `odd/${key}`))
    const lost = odd.filter((key) => !keys.has(key))
    return lost.length + failed.length === 0 && keys.size === odd.length ? 'kept' : `lost ${lost.join(' ')}`
  },
  'a backslash': async (store) => {
    const said = await codeOf(store.put('back\\slash', bytesOf('x')))
    return said === 'ok' ? (await keysOf(store, 'back')).join(' ') : said
  },
  'delete, missing': (store) => codeOf(store.delete('none')),
  'equal bytes, equal tag': async (store) => {
    const tags = [await store.put('e', bytesOf('x')), await store.put('e', bytesOf('x'))].map(({ etag }) => etag)
    return tags[0] === tags[1] ? 'yes' : 'no'
  },
}

/** Swaps, with a tag that no version of the key has. */
export function swapChecks(stale: string): AnswerChecks {
  const mode = { ifMatch: stale }
  return {
    'swap, stale': async (store) => {
      await store.put('s', bytesOf('x'))
      return codeOf(store.put('s', bytesOf('y'), { mode }))
    },
    'swap, missing': (store) => codeOf(store.put('none', bytesOf('y'), { mode })),
    'swap of parts, stale': async (store) => {
      await store.put('p', bytesOf('x'))
      return codeOf(store.putStream('p', [new Uint8Array(6 * 1024 * 1024)], { mode, partBytes: 5 * 1024 * 1024 }))
    },
  }
}

/** A table check × server, printed when the tests of the suite around are over. */
export function answerTable(): (server: string, checks: AnswerChecks, store: ObjectStore) => Promise<AnswersTold> {
  const table = new Map<string, AnswersTold>()
  afterAll(() => {
    const checks = new Set([...table.values()].flatMap((told) => [...told.keys()]))
    const row = (check: string): object =>
      Object.fromEntries([...table].map(([server, told]) => [server, told.get(check) ?? '']))
    console.table([...checks].map((check) => ({ check, ...row(check) })))
  })
  return async (server, checks, store) => {
    const told = new Map<string, string>()
    for (const [check, ask] of Object.entries(checks)) told.set(check, await ask(store))
    table.set(server, told)
    return told
  }
}

export type AnswersTold = ReadonlyMap<string, string>
