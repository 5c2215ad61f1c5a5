/** What no error, log line or inspection of the S3 adapter shows, alone and below `retry`. */
import { inspect } from 'node:util'
import { isMoulinError, systemRuntime } from '@moulin/core'
import type { MoulinError, ObjectStore } from '@moulin/core'
import { retry } from '@moulin/storage'
import { s3, s3Stores } from '@moulin/storage-s3'
import { faultProxy, s3Fake, virtualRuntime } from '@moulin/testing'
import type { ProxyRule } from '@moulin/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

const { timers } = systemRuntime()
const MIB = 1024 * 1024
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const CANARY = 'canary4711'
const secret = (name: string): string => `${CANARY}-${name}`
const credentials = {
  accessKeyId: secret('id'),
  secretAccessKey: secret('secret'),
  sessionToken: secret('token'),
}

const calls: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  get: (store) => store.get('k'),
  range: (store) => store.get('k', { range: { start: 1, end: 3 } }),
  ranges: (store) => store.getRanges('k', [{ start: 0, end: 2 }, { suffix: 1 }]),
  head: (store) => store.head('k'),
  overwrite: (store) => store.put('k', bytesOf('x')),
  create: (store) => store.put('new', bytesOf('x'), { mode: 'create' }),
  swap: (store) => store.put('k', bytesOf('x'), { mode: { ifMatch: '"5"' } }),
  stream: (store) => store.putStream('s', [new Uint8Array(5 * MIB + 1)], { partBytes: 5 * MIB }),
  delete: (store) => store.delete('k'),
  deleteMany: async (store) => {
    const { failed } = await store.deleteMany(['k', 'l'])
    throw failed[0]!.error
  },
  list: (store) => store.list()[Symbol.asyncIterator]().next(),
}

const quoting = `<html>Authorization: ${Object.values(credentials).join(' ')}</html>`
const faults: Readonly<Record<string, NonNullable<ProxyRule['answer']>>> = {
  forbidden: 'forbidden',
  expired: 'expired',
  'of another region': 'wrong-region',
  reset: 'reset',
  silent: 'silence',
  'a page of HTML': { status: 502, headers: { 'content-type': 'text/html' }, body: quoting },
  'a page of HTML and a 200': { status: 200, headers: { 'content-type': 'text/html' }, body: quoting },
  'a code that quotes the request': { status: 403, code: quoting, message: quoting },
}

type Opened = (endpoint: string, runtime: ReturnType<typeof virtualRuntime>) => ObjectStore
const options = {
  userAgent: secret('agent'),
  storageClass: secret('class'),
  requesterPays: true,
} as const
const kinds: Readonly<Record<string, Opened>> = {
  s3: (endpoint, runtime) =>
    s3({
      bucket: 'moulin',
      endpoint: `${endpoint}/${secret('path')}`,
      credentials,
      region: secret('region'),
      encryption: { type: 'aws:kms', keyId: secret('key') },
      ...options,
      runtime,
    }),
  s3Stores: (endpoint, runtime) =>
    s3Stores({ ...options, runtime })(
      's3a://moulin/t/f',
      {
        'client.region': secret('region'),
        's3.endpoint': endpoint,
        's3.path-style-access': 'true',
        's3.sse.type': 'kms',
        's3.sse.key': secret('key'),
        [secret('property')]: secret('value'),
      },
      [
        {
          prefix: 's3://moulin/',
          config: {
            's3.access-key-id': credentials.accessKeyId,
            's3.secret-access-key': credentials.secretAccessKey,
            's3.session-token': credentials.sessionToken,
          },
        },
      ],
    ),
}
const cases = Object.keys(kinds).flatMap((kind) => Object.keys(faults).map((fault) => [kind, fault] as const))

describe('secrets', () => {
  it.each(cases)('%s holds none in any error of any call: %s', async (kind, fault) => {
    const printed = ['debug', 'info', 'log', 'warn', 'error'].map((name) => vi.spyOn(console, name as 'log'))
    const fake = await s3Fake()
    const rule = { fault: 'before', times: Infinity, answer: faults[fault]! } as const
    const proxy = await faultProxy({ target: fake.endpoint, rules: [rule] })
    onTestFinished(async () => {
      for (const each of printed) each.mockRestore()
      await proxy.close()
      await fake.close()
    })
    const runtime = virtualRuntime({ seed: 1 })
    const store = kinds[kind]!(proxy.endpoint, runtime)
    const lines: unknown[] = []
    const logger = { ...virtualRuntime({ seed: 1 }).logger, debug: (...line: unknown[]) => void lines.push(line) }
    const tried = retry(store, { maxTries: 2, minWaitMs: 0, runtime: { ...runtime, logger } })
    for (const [name, call] of Object.entries(calls)) {
      for (const from of [store, tried]) {
        const before = proxy.calls.length
        const over = failed(call(from))
        let isOver = false
        void over.finally(() => (isOver = true)).catch(() => {})
        // A call that hears nothing ends by its deadline; a second try waits for its time.
        for (let turns = 0; !isOver; turns++) {
          await timers.turn()
          if (turns % 100 === 99 && proxy.calls.length > before)
            await runtime.clock.advance(fault === 'silent' ? 60_000 : 1)
        }
        const error = await over.catch((thrown: unknown) => {
          throw new Error(`${name} did not fail`, { cause: thrown })
        })
        expect(proxy.calls.length, name).toBeGreaterThan(before)
        expect(shownOf(error), name).not.toContain(CANARY)
      }
    }
    expect(shownOf([store, tried, lines, printed.map(({ mock }) => mock.calls)])).not.toContain(CANARY)
  })

  it.each<[string, () => unknown]>([
    ['credentials of the wrong type', () => s3({ bucket: 'moulin', credentials: CANARY as never })],
    ['credentials without a secret', () => s3({ bucket: 'moulin', credentials: { accessKeyId: CANARY } as never })],
    ['an endpoint with a password', () => s3({ bucket: 'moulin', endpoint: `http://user:${CANARY}@127.0.0.1/` })],
    ['an endpoint that is none', () => s3({ bucket: 'moulin', endpoint: CANARY })],
    ['defaults of the wrong type', () => s3Stores({ defaults: { credentials: CANARY as never } })],
    [
      'an encryption that is none',
      () => s3Stores()('s3://moulin/t', { 's3.sse.type': CANARY, 's3.secret-access-key': CANARY }, []),
    ],
    [
      'an expiry that is none',
      () =>
        s3Stores()(
          's3://moulin/t',
          { 's3.access-key-id': CANARY, 's3.secret-access-key': CANARY, 's3.session-token-expires-at-ms': CANARY },
          [],
        ),
    ],
  ])('are not shown where %s is refused', async (_, call) => {
    const error = await failed((async () => call())().then((store) => (store as ObjectStore).head('k')))
    expect(shownOf(error)).not.toContain(CANARY)
  })

  it('of a function of credentials that fails, or gives what is none, are not shown', async () => {
    for (const given of [
      () => Promise.reject(new TypeError(CANARY)),
      () => Promise.resolve({ accessKeyId: CANARY } as never),
      () => {
        throw new Error(CANARY)
      },
    ]) {
      const store = s3({ bucket: 'moulin', endpoint: 'http://127.0.0.1:1', credentials: given })
      const error = await failed(store.put('k', bytesOf('x'), { mode: 'create' }))
      expect(error).toMatchObject({ code: 'CREDENTIALS', outcome: 'rejected' })
      expect(shownOf(error)).not.toContain(CANARY)
    }
  })
})

/** All that a log line, a trace or an inspection would show. */
function shownOf(value: unknown): string {
  const { stack, cause } = value as { readonly stack?: string; readonly cause?: unknown }
  return [
    inspect(value, { depth: 10, showHidden: true, getters: true }),
    JSON.stringify(value),
    stack,
    inspect(cause, { depth: 10, showHidden: true }),
    String(value),
  ].join('\n')
}

/** What a call failed with. */
async function failed(call: Promise<unknown>): Promise<MoulinError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (isMoulinError(error)) return error
  throw new TypeError(`It did not fail by an error of ours: ${String(error)}`, { cause: error })
}
