import { systemRuntime } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { gcsSaid, gcsWithClient } from './gcs-fake.test-support.ts'

const { timers } = systemRuntime()

describe('gcsFake: what is not there does not look like success', () => {
  it('of paths, of lists and of copies', async () => {
    const { fake, put, file, bucket } = await gcsWithClient()
    const at = async (path: string, init: RequestInit = {}): Promise<number> =>
      (await fetch(fake.endpoint + path, init)).status
    expect(await at('/batch/storage/v1', { method: 'POST' })).toBe(501)
    expect(await at('/storage/v1/projects/p/hmacKeys')).toBe(501)
    expect(await at('/storage/v1/b/lake/o/k/acl')).toBe(501)
    await put('k', 'bytes')
    for (const more of [
      { matchGlob: '*.x' },
      { versions: true },
      { softDeleted: true },
      { includeTrailingDelimiter: true },
    ])
      expect(await gcsSaid(bucket.getFiles(more)), JSON.stringify(more)).toBe('501 notImplemented')
    expect(await gcsSaid(file('k').copy(file('l')))).toBe('200')
  })
})

describe('gcsFake: as Google does', () => {
  it('copies by the conditions of the source, with the words that the copy asks for', async () => {
    const { fake, put } = await gcsWithClient()
    const generation = await put('k', 'bytes', undefined, { metadata: { contentType: 'a/b', metadata: { a: '1' } } })
    const copy = async (query: string, body?: object): Promise<number> => {
      const url = `${fake.endpoint}/storage/v1/b/lake/o/k/rewriteTo/b/lake/o/l?${query}`
      const init =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      return (await fetch(url, { method: 'POST', ...init })).status
    }
    expect(await copy('ifSourceGenerationMatch=1')).toBe(412)
    expect(await copy('sourceGeneration=1')).toBe(404)
    expect(await copy(`ifSourceGenerationMatch=${generation}&sourceGeneration=${generation}`)).toBe(200)
    const told = () => fake.objects('lake').find(({ key }) => key === 'l')!
    expect(told()).toMatchObject({ metadata: { a: '1' }, headers: { contentType: 'a/b' } })
    expect(await copy('', { contentType: 'c/d', metadata: { b: '2' } })).toBe(200)
    expect(told()).toMatchObject({ metadata: { b: '2' }, headers: { contentType: 'c/d' } })
  })

  it('takes metadata away by null', async () => {
    const { put, file, told } = await gcsWithClient()
    await put('k', 'bytes', undefined, { metadata: { metadata: { a: '1', b: '2' } } })
    await file('k').setMetadata({ metadata: { a: null, c: '3' } })
    expect((await told('k')).metadata).toEqual({ b: '2', c: '3' })
    await file('k').setMetadata({ metadata: null as never })
    expect((await told('k')).metadata).toBeUndefined()
  })

  it('tells metadata that no header can hold, and stays alive', async () => {
    const { put, text, told } = await gcsWithClient()
    await put('k', 'bytes', undefined, { metadata: { metadata: { snow: '☃', 'a b': 'x', line: 'a\nb' } } })
    expect(await text('k')).toBe('bytes')
    expect((await told('k')).metadata).toEqual({ snow: '☃', 'a b': 'x', line: 'a\nb' })
    await put('typed', 'bytes', undefined, { metadata: { contentType: 'text/☃' } })
    expect(await text('typed')).toBe('bytes')
  })

  it('keeps a session whose last chunk came too soon after another write of the name', async () => {
    let nowMs = 1_000_000
    const { fake, put, file, text } = await gcsWithClient({ everyMs: 1_000, clock: { now: () => nowMs } })
    const [uri] = await file('k').createResumableUpload()
    await put('k', 'theirs')
    const last = async (): Promise<number> =>
      (await fetch(uri, { method: 'PUT', body: 'mine', headers: { 'content-range': 'bytes 0-3/4' } })).status
    expect(await last()).toBe(429)
    expect(fake.uploads('lake').length).toBe(1)
    nowMs += 1_000
    expect(await last()).toBe(200)
    expect(await text('k')).toBe('mine')
    expect(fake.uploads('lake')).toEqual([])
    await timers.turn()
  })
})
