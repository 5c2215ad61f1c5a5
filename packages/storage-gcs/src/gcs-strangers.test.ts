import type { ObjectStore } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesOf, failed, gcsBench, textIn } from './gcs.test-support.ts'

const html = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Welcome to this hotel.</html>' }
const answers = {
  'a page': html,
  'an empty page': { ...html, body: '' },
  'JSON of something else': { ...html, headers: { 'content-type': 'application/json' }, body: '{"items":[{}]}' },
  'no content': { status: 204, headers: {}, body: '' },
}
const calls: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  get: (store) => store.get('k'),
  range: (store) => store.get('k', { range: { start: 2, end: 5 } }),
  head: (store) => store.head('k'),
  overwrite: (store) => store.put('k', bytesOf('x')),
  create: (store) => store.put('new', bytesOf('x'), { mode: 'create' }),
  swap: (store) => store.put('k', bytesOf('x'), { mode: { ifMatch: '5' } }),
  stream: (store) => store.putStream('s', [new Uint8Array(600_000)], { partBytes: 256 * 1024 }),
  list: (store) => store.list()[Symbol.asyncIterator]().next(),
}

describe('gcs: the answers of something between', () => {
  it.each(Object.keys(answers))('are none: %s', async (what) => {
    const { fake, proxy, direct, store } = await gcsBench()
    await direct.put('k', bytesOf('0123456789'))
    proxy.addRule({ fault: 'before', times: Infinity, answer: answers[what as keyof typeof answers] })
    for (const [name, call] of Object.entries(calls)) {
      const outcome = ['overwrite', 'create', 'swap'].includes(name) ? 'unknown' : 'rejected'
      expect(await failed(call(store)), name).toMatchObject({ kind: 'unavailable', code: 'STORE_FAILED', outcome })
    }
    // No request of an upload without a name is one about the bucket.
    expect(proxy.countCalls({ operation: 'other' })).toBe(0)
    expect(textIn(fake, 'k')).toBe('0123456789')
  })

  it('are none to a delete: a page', async () => {
    const { proxy, store } = await gcsBench()
    proxy.addRule({ fault: 'before', times: Infinity, answer: html })
    const told = { kind: 'unavailable', code: 'STORE_FAILED', outcome: 'unknown' }
    expect(await failed(store.delete('k'))).toMatchObject(told)
    expect((await store.deleteMany(['k', 'l'])).failed).toMatchObject([{ error: told }, { error: told }])
  })

  it('are none to the end of a stream, and leave no session', async () => {
    const { fake, proxy, store } = await gcsBench()
    proxy.addRule({ fault: 'before', operation: 'upload-complete', answer: html })
    const stream = store.putStream('s', [new Uint8Array(600_000)], { partBytes: 256 * 1024 })
    expect(await failed(stream)).toMatchObject({ code: 'STORE_FAILED', outcome: 'unknown' })
    expect([fake.objects('moulin'), fake.uploads('moulin')]).toEqual([[], []])
  })

  it('do not make an object missing, whose bucket may be', async () => {
    const { proxy, store } = await gcsBench()
    const unknown = { status: 404, code: 'notFound', message: 'Not Found' }
    proxy.addRule({ fault: 'before', operation: ['head', 'get'], times: Infinity, answer: unknown })
    proxy.addRule({ fault: 'before', operation: 'list', times: Infinity, answer: html })
    for (const call of [store.head('k'), store.get('k')])
      expect(await failed(call)).toMatchObject({ kind: 'unavailable', code: 'STORE_FAILED' })
  })

  it('are none where the bytes are of another range, or all of them', async () => {
    const { proxy, store } = await gcsBench()
    const range = { start: 2, end: 5 }
    const answer = (body: string, contentRange?: string): void =>
      void proxy.addRule({
        fault: 'before',
        operation: 'get',
        answer: {
          status: contentRange === undefined ? 200 : 206,
          headers: {
            'x-goog-generation': '5',
            'content-type': 'text/plain',
            ...(contentRange === undefined ? {} : { 'content-range': contentRange }),
          },
          body,
        },
      })
    answer('0123456789')
    expect(await failed(store.get('k', { range }))).toMatchObject({ code: 'STORE_FAILED' })
    for (const [body, told] of [
      ['345', 'bytes 3-5/10'],
      ['23', 'bytes 2-3/10'],
      ['23', 'bytes 2-4/10'],
    ] as const) {
      answer(body, told)
      expect(await failed(store.get('k', { range })), told).toMatchObject({ code: 'STORE_FAILED' })
    }
    answer('0123456789')
    expect((await store.get('k', { range: { start: 0 } })).size).toBe(10)
    answer('234', 'bytes 2-4/10')
    expect(await store.get('k', { range })).toMatchObject({ size: 10, bytes: bytesOf('234') })
  })
})
