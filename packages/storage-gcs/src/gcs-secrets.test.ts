import { inspect } from 'node:util'
import { Storage } from '@google-cloud/storage'
import { systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { faultProxy, gcsFake, virtualRuntime } from '@moulin/testing'
import type { ProxyRule } from '@moulin/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { gcs } from './gcs.ts'
import { bytesOf, failed } from './gcs.test-support.ts'

const { timers } = systemRuntime()
const CANARY = 'canary-4711'
const token = `${CANARY}-token`

const calls: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  get: (store) => store.get('k'),
  range: (store) => store.get('k', { range: { start: 1, end: 3 } }),
  ranges: (store) => store.getRanges('k', [{ start: 0, end: 2 }, { suffix: 1 }]),
  head: (store) => store.head('k'),
  overwrite: (store) => store.put('k', bytesOf('x')),
  create: (store) => store.put('new', bytesOf('x'), { mode: 'create' }),
  swap: (store) => store.put('k', bytesOf('x'), { mode: { ifMatch: '5' } }),
  stream: (store) => store.putStream('s', [new Uint8Array(600_000)], { partBytes: 256 * 1024 }),
  delete: (store) => store.delete('k'),
  list: (store) => store.list()[Symbol.asyncIterator]().next(),
}

const told = { headers: { 'content-type': 'text/html' }, body: `<html>Authorization: Bearer ${token}</html>` }
const faults: Readonly<Record<string, NonNullable<ProxyRule['answer']>>> = {
  forbidden: 'forbidden',
  expired: 'expired',
  'of another place': 'wrong-region',
  reset: 'reset',
  silent: 'silence',
  'a page of HTML': { status: 502, ...told },
  'a page of HTML that quotes the request': { status: 403, ...told },
  'a code that quotes the request': { status: 400, code: `Bearer ${token}`, message: token },
}

describe('gcs: secrets', () => {
  it.each(Object.keys(faults))('holds none in any error of any call: %s', async (fault) => {
    const fake = await gcsFake({ tokens: [{ token }], anonymous: false })
    const rule = { fault: 'before', times: Infinity, answer: faults[fault]! } as const
    const proxy = await faultProxy({ target: fake.endpoint, rules: [rule] })
    onTestFinished(async () => {
      await proxy.close()
      await fake.close()
    })
    const runtime = virtualRuntime({ seed: 1 })
    const store = gcs({ bucket: 'moulin', apiEndpoint: proxy.endpoint, token: async () => ({ token }), runtime })
    for (const [name, call] of Object.entries(calls)) {
      const before = proxy.calls.length
      const over = failed(call(store))
      let isOver = false
      void over.finally(() => (isOver = true))
      // A call that hears nothing ends by its deadline.
      for (let seen = before; !isOver; await timers.turn()) {
        if (proxy.calls.length === seen) continue
        seen = proxy.calls.length
        if (fault === 'silent') await runtime.clock.advance(60_000)
      }
      const error = await over
      expect(proxy.calls.length, name).toBeGreaterThan(before)
      expect(shownOf(error), name).not.toContain(CANARY)
    }
    expect(shownOf(store)).not.toContain(CANARY)
  })

  it('holds none of a service account whose key nobody takes, nor of a token that cannot be had', async () => {
    const account = await gcsFake()
    const tokens = await faultProxy({
      target: account.endpoint,
      rules: [
        {
          fault: 'before',
          times: Infinity,
          answer: { status: 400, body: `{"error":"invalid_grant"}`, headers: { 'content-type': 'application/json' } },
        },
      ],
    })
    onTestFinished(async () => {
      await tokens.close()
      await account.close()
    })
    const user = { type: 'authorized_user', client_id: CANARY, client_secret: CANARY, refresh_token: CANARY }
    const unknown = { client_email: `${CANARY}@example.org`, private_key: CANARY }
    const stores = [
      gcs({ bucket: 'moulin', apiEndpoint: account.endpoint, credentials: unknown }),
      gcs({
        bucket: 'moulin',
        client: new Storage({
          apiEndpoint: account.endpoint,
          useAuthWithCustomEndpoint: true,
          retryOptions: { autoRetry: false },
          credentials: user as never,
          clientOptions: { endpoints: { oauth2TokenUrl: tokens.endpoint } } as never,
        }),
      }),
      gcs({
        bucket: 'moulin',
        apiEndpoint: account.endpoint,
        token: () => Promise.reject(new TypeError(`${CANARY} is gone`)),
      }),
    ]
    for (const store of stores)
      for (const [name, call] of Object.entries(calls)) {
        const error = await failed(call(store))
        expect(shownOf(error), name).not.toContain(CANARY)
        expect(error, name).toMatchObject({ code: 'CREDENTIALS', outcome: 'rejected', retryable: false })
      }
    expect(account.requests).toEqual([])
  })
})

/** All that a log line, a trace or an inspection would show. */
function shownOf(value: unknown): string {
  const { stack, cause } = value as { readonly stack?: string; readonly cause?: unknown }
  return [
    inspect(value, { depth: Infinity, showHidden: true, getters: true }),
    JSON.stringify(value),
    stack,
    inspect(cause, { depth: Infinity, showHidden: true }),
    String(value),
  ].join('\n')
}
