import { createHash, createHmac } from 'node:crypto'
import type { Hash, Hmac } from 'node:crypto'
import { inspect } from 'node:util'
import { SignatureV4 } from '@smithy/signature-v4'
import { describe, expect, it } from 'vitest'
import { bearer } from './auth.ts'
import { oauth2 } from './oauth2.ts'
import type { OAuth2Options } from './oauth2.ts'
import { sigV4 } from './sig-v4.ts'
import {
  commit,
  configured,
  errorBody,
  failureOf,
  opened,
  orders,
  passing,
  scripted,
  table,
} from './rest.test-support.ts'
import type { Answer, Script } from './rest.test-support.ts'

/** A catalog that wants the newest token, and where that comes from. */
async function guarded(
  options: { readonly lifeSeconds?: number | string; readonly token?: () => Answer | undefined } = {},
) {
  const issued: string[] = []
  const state = { revoked: new Set<string>(), refuses: false }
  const script: Script = ({ path, headers }) => {
    if (path.endsWith('/oauth/tokens')) {
      if (state.refuses) return { status: 401, body: { error: 'invalid_client', error_description: 'hunter2' } }
      const given = options.token?.()
      if (given !== undefined) return given
      issued.push(`token-${issued.length + 1}`)
      const life = options.lifeSeconds === undefined ? {} : { expires_in: options.lifeSeconds }
      return { body: { access_token: issued.at(-1)!, token_type: 'bearer', ...life } }
    }
    const token = String(headers['authorization']).replace('Bearer ', '')
    if (!issued.includes(token) || state.revoked.has(token)) return errorBody(401, 'NotAuthorizedException')
    return path.endsWith('/config') ? { body: { defaults: {}, overrides: {} } } : { body: table }
  }
  return { server: await scripted(script), issued, state }
}

const secret = 'hunter2-hunter2'
const client: OAuth2Options = { clientId: 'moulin', clientSecret: secret }

describe('oauth2', () => {
  it('fetches one token for however many calls, as the catalog reads it', async () => {
    const { server, issued } = await guarded()
    const { catalog } = opened(server.uri, { auth: oauth2({ ...client, scope: 'PRINCIPAL_ROLE:ALL' }) })
    await Promise.all([1, 2, 3, 4].map((n) => catalog.loadTable({ ...orders, name: `t${n}` })))
    expect(issued).toEqual(['token-1'])
    const { text, headers } = server.told.find(({ path }) => path === '/v1/oauth/tokens')!
    expect(Object.fromEntries(new URLSearchParams(text))).toEqual({
      grant_type: 'client_credentials',
      client_id: 'moulin',
      client_secret: secret,
      scope: 'PRINCIPAL_ROLE:ALL',
    })
    expect(headers['authorization']).toBeUndefined()
  })

  it('sends the secret as basic authorization to another place, where that is wanted', async () => {
    const { server } = await guarded()
    const tokens = await scripted(() => ({ body: { access_token: 'token-1', token_type: 'bearer' } }))
    const auth = oauth2({
      ...client,
      clientId: 'a b',
      send: 'basic',
      tokenUri: `${tokens.uri}/t`,
      parameters: { audience: 'x' },
    })
    await failureOf(opened(server.uri, { auth }).catalog.loadTable(orders))
    const [{ headers, text, path }] = tokens.told as [(typeof tokens.told)[0]]
    expect(path).toBe('/t')
    const sent = String(headers['authorization']).replace('Basic ', '')
    expect(Buffer.from(sent, 'base64').toString()).toBe(`a+b:${secret}`)
    expect(text).toBe('grant_type=client_credentials&scope=catalog&audience=x')
  })

  it('fetches the next one before the old one runs out, and uses the old one while there is no other', async () => {
    const { server, issued, state } = await guarded({ lifeSeconds: 3600 })
    const { catalog, clock } = opened(server.uri, { auth: oauth2(client) })
    await catalog.loadTable(orders)
    await clock.advance(3_500_000)
    await catalog.loadTable(orders)
    expect(issued).toEqual(['token-1'])
    await clock.advance(50_000)
    state.refuses = true
    await catalog.loadTable(orders)
    expect(issued).toEqual(['token-1'])
    state.refuses = false
    // Nobody is asked again and again, and nobody waits for the answer.
    const asked = (): number => server.calls().filter((call) => call.endsWith('/tokens')).length
    await expect.poll(asked).toBe(2)
    await catalog.loadTable(orders)
    await clock.advance(5_000)
    await catalog.loadTable(orders)
    expect(asked()).toBe(2)
    await clock.advance(5_000)
    await catalog.loadTable(orders)
    await expect.poll(() => issued).toEqual(['token-1', 'token-2'])
    state.refuses = true
    await clock.advance(3_700_000)
    expect(await failureOf(catalog.loadTable(orders))).toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('is over when it says, also where it says so as text', async () => {
    const { server, issued } = await guarded({ lifeSeconds: '600' })
    const { catalog, clock } = opened(server.uri, { auth: oauth2(client) })
    await catalog.loadTable(orders)
    await clock.advance(700_000)
    await catalog.loadTable(orders)
    expect(issued).toEqual(['token-1', 'token-2'])
  })

  it('is good to its end while whoever gives tokens says nothing', async () => {
    let isSilent = false
    const token = () =>
      isSilent ? undefined : { body: { access_token: 't-1', token_type: 'bearer', expires_in: 600 } }
    const script: Script = ({ path }) => (path.endsWith('/tokens') ? token() : { body: table })
    const server = await scripted(configured(script))
    const { catalog, clock } = opened(server.uri, { auth: oauth2(client), requestTimeoutMs: 5_000 })
    await catalog.loadTable(orders)
    isSilent = true
    await clock.advance(550_000)
    const startMs = clock.monotonic()
    await catalog.loadTable(orders)
    expect(clock.monotonic()).toBe(startMs)
    await clock.advance(100_000)
    const late = await passing(clock, failureOf(catalog.loadTable(orders)), 100)
    expect(late).toMatchObject({ code: 'CATALOG_TIMEOUT', outcome: 'rejected' })
  })

  it.each(['no url', 'ftp://host/t', 'data:application/json,{}', 'https://id:secret@host/t'])(
    'takes no tokens from %s',
    (tokenUri) => {
      expect(() => oauth2({ ...client, tokenUri })).toThrow(expect.objectContaining({ kind: 'invalid', code: 'URI' }))
    },
  )

  it('renews a token that is refused in mid-commit, once: the refused commit never happened', async () => {
    const { server, issued, state } = await guarded()
    const { catalog } = opened(server.uri, { auth: oauth2(client) })
    await catalog.loadTable(orders)
    state.revoked.add('token-1')
    await catalog.commitTable(orders, commit)
    expect(issued).toEqual(['token-1', 'token-2'])
    expect(server.calls().filter((call) => call.startsWith('POST /v1/namespaces'))).toHaveLength(2)
    for (const token of ['token-2', 'token-3']) state.revoked.add(token)
    expect(await failureOf(catalog.commitTable(orders, commit))).toMatchObject({
      kind: 'unavailable',
      code: 'UNAUTHENTICATED',
      outcome: 'rejected',
    })
    expect(issued).toEqual(['token-1', 'token-2', 'token-3'])
  })

  it('is fetched once more for all calls that were refused at the same time', async () => {
    const { server, issued, state } = await guarded()
    const { catalog } = opened(server.uri, { auth: oauth2(client) })
    await catalog.loadTable(orders)
    state.revoked.add('token-1')
    await Promise.all([1, 2, 3, 4].map((n) => catalog.loadTable({ ...orders, name: `t${n}` })))
    expect(issued).toEqual(['token-1', 'token-2'])
  })

  it.each([
    [
      'refuses',
      () => ({ status: 400, body: { error: 'invalid_scope', error_description: secret } }),
      'UNAUTHENTICATED',
    ],
    ['answers a page', () => ({ body: `<p>${secret}</p>` }), 'CATALOG_ANSWER'],
    ['answers no token', () => ({ body: { access_token: `${secret}\n`, token_type: 'bearer' } }), 'TOKEN'],
    ['is down', () => ({ status: 503, body: '' }), 'CATALOG_BUSY'],
    ['hangs', undefined, 'CATALOG_TIMEOUT'],
  ] as const)('says what is wrong where who gives tokens %s, and no word of a secret', async (_, token, code) => {
    const server = await scripted(({ path }) => (path.endsWith('/tokens') ? token?.() : { body: table }))
    const { catalog, clock, logs } = opened(server.uri, { auth: oauth2(client), requestTimeoutMs: 3_000 })
    const error = await passing(clock, failureOf(catalog.loadTable(orders)), 20)
    expect(error).toMatchObject({ code, outcome: 'rejected' })
    expect(inspect([error, catalog, logs, oauth2(client)], { depth: 20, showHidden: true })).not.toContain(secret)
  })
})

describe('bearer', () => {
  it('is asked again where it is a function, and gives up where it is a text', async () => {
    const server = await scripted(({ headers }) =>
      headers['authorization'] === 'Bearer new'
        ? { body: { ...table, defaults: {}, overrides: {} } }
        : errorBody(401, 'NotAuthorizedException'),
    )
    const tokens = ['old', 'new', 'newer']
    const { catalog } = opened(server.uri, { auth: bearer({ token: () => Promise.resolve(tokens.shift()!) }) })
    await catalog.loadTable(orders)
    expect(tokens).toEqual(['newer'])
    const fixed = opened(server.uri, { auth: bearer({ token: 'old' }) })
    expect(await failureOf(fixed.catalog.loadTable(orders))).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(server.told.filter((each) => each.headers['authorization'] === 'Bearer old')).toHaveLength(2)
  })

  it('asks its function once for all calls, and again where that was never answered', async () => {
    const server = await scripted(configured(() => ({ body: table })))
    const answers = [Promise.reject(new Error('later')), new Promise<string>(() => {}), Promise.resolve('a')]
    answers[0]!.catch(() => {})
    let asked = 0
    const auth = bearer({ token: () => answers[asked++]! })
    const { catalog, clock } = opened(server.uri, { auth, requestTimeoutMs: 1_000 })
    const load = (n: number): Promise<unknown> => catalog.loadTable({ ...orders, name: `t${n}` })
    expect(await failureOf(load(1))).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(await passing(clock, failureOf(load(1)), 100)).toMatchObject({ code: 'CATALOG_TIMEOUT' })
    await Promise.all([1, 2, 3, 4].map(load))
    expect(asked).toBe(3)
  })

  it('takes a text or a function', () => {
    for (const options of [{ token: 5 }, { token: '' }, { token: null }, {}, { token: 'a', tokne: 'b' }, null]) {
      expect(() => bearer(options as never)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'OPTION' }))
    }
  })

  it('takes no token that is no header, and tells nothing of a source that fails', async () => {
    const { catalog, clock } = opened('http://127.0.0.1:9', { auth: bearer({ token: () => 'a\nb' }) })
    expect(await failureOf(catalog.loadTable(orders))).toMatchObject({ kind: 'invalid', code: 'TOKEN' })
    const failing = bearer({ token: () => Promise.reject(new Error('secret-7')) })
    const other = await failureOf(opened('http://127.0.0.1:9', { auth: failing }).catalog.loadTable(orders))
    expect(other).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(inspect(other, { depth: 9, showHidden: true })).not.toContain('secret-7')
    const hanging = opened('http://127.0.0.1:9', { auth: bearer({ token: () => new Promise<string>(() => {}) }) })
    const late = await passing(hanging.clock, failureOf(hanging.catalog.loadTable(orders)), 1_000)
    expect(late).toMatchObject({ code: 'CATALOG_TIMEOUT' })
    expect(clock.waiting).toBe(0)
  })
})

describe('sigV4', () => {
  /** As the signer of the SDK wants it. */
  class Sha256 {
    readonly #hash: Hash | Hmac
    constructor(key?: string | Uint8Array) {
      this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key)
    }
    update(bytes: string | Uint8Array): void {
      this.#hash.update(bytes)
    }
    digest(): Promise<Uint8Array> {
      return Promise.resolve(new Uint8Array(this.#hash.digest()))
    }
  }

  it('sends just what the signer of the SDK has signed', async () => {
    const credentials = { accessKeyId: 'AKID', secretAccessKey: 'canary-secret', sessionToken: 'canary-session' }
    const signer = new SignatureV4({ service: 's3tables', region: 'eu-west-1', credentials, sha256: Sha256 as never })
    const config = { overrides: { prefix: 'arn%3Aaws%3As3tables%3Aeu-west-1%3A1%3Abucket%2Flake' } }
    const server = await scripted(configured(() => ({ body: table }), config))
    const { catalog } = opened(`${server.uri}/iceberg`, {
      warehouse: 'arn:aws:x/lake',
      auth: sigV4({ signer: signer as never }),
    })
    await catalog.commitTable({ namespace: ['a b'], name: 'c' }, commit)
    expect(server.told).toHaveLength(2)
    for (const { method, path, query, headers, text } of server.told) {
      const { authorization, ...sent } = headers as Record<string, string>
      const named = /SignedHeaders=([^,]*)/.exec(authorization!)![1]!.split(';')
      const again = await signer.sign(
        {
          method,
          protocol: 'http:',
          hostname: '127.0.0.1',
          path,
          query: Object.fromEntries(query),
          headers: Object.fromEntries(named.map((name) => [name, sent[name]!])),
          ...(text === '' ? {} : { body: text }),
        },
        { signingDate: dateOf(sent['x-amz-date']!) },
      )
      expect(again.headers['authorization']).toBe(authorization)
      expect(named).toContain('host')
      expect(authorization).toContain('/eu-west-1/s3tables/aws4_request')
    }
  })

  it('tells nothing of a signer that fails', async () => {
    const signer = { sign: () => Promise.reject(new Error('canary-secret')) }
    const error = await failureOf(opened('http://127.0.0.1:9', { auth: sigV4({ signer }) }).catalog.loadTable(orders))
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', outcome: 'rejected' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary-secret')
  })
})

/** `20260101T000000Z` */
function dateOf(text: string): Date {
  return new Date(text.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
}
