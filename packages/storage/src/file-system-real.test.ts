import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ObjectStore } from '@moulin/core'
import { compareKeys, isKind, keyOf, uriOf } from '@moulin/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileSystem } from './file-system.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

let dir: string
let store: ObjectStore
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-storage-'))
  store = fileSystem({ root: join(dir, 'lake') })
})
afterEach(() => rm(dir, { recursive: true }))

async function refuses(promise: Promise<unknown>, kind: 'invalid' | 'unsupported', code: string): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(isKind(error, kind, code), String(error)).toBe(true)
}

async function keysOf(list: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of list) keys.push(key)
  return keys
}

describe('fileSystem on a real disk', () => {
  it('keeps objects as plain files at their keys, and nothing else in sight', async () => {
    await store.put('tables/t/data/1.parquet', bytesOf('rows'))
    expect(await readFile(join(dir, 'lake/tables/t/data/1.parquet'), 'utf8')).toBe('rows')
    expect((await readdir(join(dir, 'lake'))).sort()).toEqual(['.moulin-tmp', 'tables'])
    expect(await readdir(join(dir, 'lake/.moulin-tmp'))).toEqual([])
    const uri = uriOf(store, 'tables/t/data/1.parquet')
    expect(uri).toBe(`file://${dir}/lake/tables/t/data/1.parquet`)
    expect(keyOf(store, uri)).toBe('tables/t/data/1.parquet')
  })

  it('follows no symbolic link out of the root, nor inside it', async () => {
    await store.put('in/side', bytesOf('x'))
    await mkdir(join(dir, 'outside'))
    await writeFile(join(dir, 'outside/secret'), 'secret')
    await symlink(join(dir, 'outside'), join(dir, 'lake/folder'))
    await symlink(join(dir, 'outside/secret'), join(dir, 'lake/file'))
    await symlink(join(dir, 'lake/in'), join(dir, 'lake/alias'))
    for (const key of ['folder/secret', 'file', 'alias/side']) {
      for (const call of [store.get, store.head, store.delete]) await refuses(call(key), 'invalid', 'NOT_A_PLAIN_PATH')
      await refuses(store.put(key, bytesOf('y')), 'invalid', 'NOT_A_PLAIN_PATH')
    }
    await refuses(store.put('folder/new/deep', bytesOf('y')), 'invalid', 'NOT_A_PLAIN_PATH')
    await refuses(keysOf(store.list({ prefix: 'folder/' })), 'invalid', 'NOT_A_PLAIN_PATH')
    expect(await keysOf(store.list())).toEqual(['in/side'])
    expect(await readdir(join(dir, 'outside'))).toEqual(['secret'])
    expect(await readFile(join(dir, 'outside/secret'), 'utf8')).toBe('secret')
  })

  it('follows no link that took the place of what it holds open', async () => {
    await store.put('in/side', bytesOf('x'))
    await store.get('in/side')
    await rm(join(dir, 'lake/in/side'))
    await writeFile(join(dir, 'outside'), 'secret')
    await symlink(join(dir, 'outside'), join(dir, 'lake/in/side'))
    for (const call of [store.get, store.head, store.delete])
      await refuses(call('in/side'), 'invalid', 'NOT_A_PLAIN_PATH')
    await rm(join(dir, 'lake/in/side'))
    await store.put('in/side', bytesOf('y'))
    await store.get('in/side')
    // The same file, by another way: nothing is changed through that.
    await rename(join(dir, 'lake/in'), join(dir, 'moved'))
    await symlink(join(dir, 'moved'), join(dir, 'lake/in'))
    await refuses(store.delete('in/side'), 'invalid', 'NOT_A_PLAIN_PATH')
    await refuses(store.put('in/side', bytesOf('z')), 'invalid', 'NOT_A_PLAIN_PATH')
    expect(await readFile(join(dir, 'moved/side'), 'utf8')).toBe('y')
  })

  it('may itself be a symbolic link', async () => {
    await mkdir(join(dir, 'real'))
    await symlink(join(dir, 'real'), join(dir, 'link'))
    const linked = fileSystem({ root: join(dir, 'link') })
    await linked.put('a/b', bytesOf('x'))
    expect(await keysOf(linked.list())).toEqual(['a/b'])
    expect(await readFile(join(dir, 'real/a/b'), 'utf8')).toBe('x')
  })

  it('refuses by name what a folder cannot hold', async () => {
    await store.put('a/b', bytesOf('x'))
    await refuses(store.put('a', bytesOf('y')), 'unsupported', 'KEY_IS_FOLDER')
    await refuses(store.put('a', bytesOf('y'), { mode: 'create' }), 'unsupported', 'KEY_IS_FOLDER')
    await refuses(store.put('a/b/c', bytesOf('y')), 'unsupported', 'KEY_UNDER_OBJECT')
    await refuses(store.put('x'.repeat(256), bytesOf('y')), 'unsupported', 'KEY_SEGMENT_TOO_LONG')
    await refuses(store.get('é'.repeat(128)), 'unsupported', 'KEY_SEGMENT_TOO_LONG')
    await refuses(store.put('.moulin-tmp/x', bytesOf('y')), 'unsupported', 'KEY_RESERVED')
    await refuses(store.put('.Moulin-TMP', bytesOf('y')), 'unsupported', 'KEY_RESERVED')
    await refuses(store.put('a/b', bytesOf('y'), { mode: { ifMatch: 'x' } }), 'unsupported', 'SWAP')
    expect(await keysOf(store.list())).toEqual(['a/b'])
    const deep = fileSystem({ root: join(dir, ...Array.from({ length: 16 }, () => 'd'.repeat(250))) })
    await refuses(deep.put(`${'k'.repeat(200)}/x`, bytesOf('y')), 'unsupported', 'KEY_PATH_TOO_LONG')
    await writeFile(join(dir, 'plain'), '')
    await refuses(fileSystem({ root: join(dir, 'plain') }).put('a', bytesOf('y')), 'invalid', 'ROOT_IS_NO_FOLDER')
  })

  it('sees a missing object where there is a folder, a link to nowhere or a file on the way', async () => {
    await store.put('a/b', bytesOf('x'))
    await symlink(join(dir, 'nowhere'), join(dir, 'lake/dangling'))
    for (const key of ['a', 'a/b/c', 'dangling']) {
      expect(await store.head(key)).toBeUndefined()
      await store.delete(key)
    }
    expect(await keysOf(store.list())).toEqual(['a/b'])
  })

  it('lists nothing by a prefix that is no path inside, whatever it looks like', async () => {
    await store.put('a/b', bytesOf('x'))
    for (const prefix of ['../', '/', 'a//', 'a/../', './', '.moulin-tmp/', `${'x'.repeat(300)}/`, 'a/b/'])
      expect(await keysOf(store.list({ prefix })), prefix).toEqual([])
  })

  it('leaves names out of its lists that no key can have', async () => {
    await store.put('a', bytesOf('x'))
    await writeFile(join(dir, 'lake/line\nbreak'), '')
    await writeFile(Buffer.concat([Buffer.from(join(dir, 'lake/bad-')), Buffer.from([0xff])]), '')
    expect(await keysOf(store.list())).toEqual(['a'])
  })

  it('lists folders and files in the order of whole keys', async () => {
    const keys = ['a!', 'a-b/x', 'a.b', 'a/x', 'a/x-', 'a/y/z', 'a0', 'ab']
    for (const key of [...keys].reverse()) await store.put(key, bytesOf('x'))
    const listed = await keysOf(store.list())
    expect(listed).toEqual([...keys].sort(compareKeys))
    for (const after of [...keys, 'a', 'a/', 'a/x!', 'a.', 'zz', '!'])
      expect(await keysOf(store.list({ after })), after).toEqual(listed.filter((key) => compareKeys(key, after) > 0))
  })

  it('gives a new tag to every version, also when inode, size and millisecond are the same', async () => {
    const tags = new Set<string>()
    for (let i = 0; i < 100; i++) {
      const { etag } = await store.put('k', bytesOf(String(i % 10)))
      expect((await store.head('k'))!.etag).toBe(etag)
      tags.add(etag)
      if (i % 3 === 1) await store.delete('k')
    }
    expect(tags.size).toBe(100)
    expect(Math.abs((await stat(join(dir, 'lake/k'))).mtimeMs - Date.now())).toBeLessThan(60_000)
  })

  it('lets one of the creates of many stores on one folder win', async () => {
    const stores = Array.from({ length: 5 }, () => fileSystem({ root: join(dir, 'lake') }))
    for (let round = 0; round < 5; round++) {
      const puts = stores.flatMap((each, i) =>
        [0, 1].map((j) => each.put(`r${round}/v1`, bytesOf(`${i}-${j}`), { mode: 'create' })),
      )
      const results = await Promise.allSettled(puts)
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const result of results)
        if (result.status === 'rejected') expect(isKind(result.reason, 'exists'), String(result.reason)).toBe(true)
    }
    expect(await readdir(join(dir, 'lake/.moulin-tmp'))).toEqual([])
  })
})
