import { inspect } from 'node:util'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { bearerTokens } from './bearer-tokens.ts'
import { jwtTokens } from './jwt-tokens.ts'
import type { JwtTokensOptions } from './jwt-tokens.ts'

describe('bearerTokens', () => {
  const auth = bearerTokens({ tokens: { spark: 'spark-spark-spark', duck: 'duck-duck-duck-duck' } })

  it('knows each caller by his token', () => {
    expect(auth.authenticate('duck-duck-duck-duck')).toEqual({ name: 'duck' })
    expect(auth.authenticate('spark-spark-spark')).toEqual({ name: 'spark' })
    for (const other of ['', 'spark', 'spark-spark-spark ', 'duck-duck-duck-duckk'])
      expect(auth.authenticate(other)).toBeUndefined()
  })

  it('refuses tokens that are short, none, or of two callers, and shows none', () => {
    const refused = (tokens: Record<string, string>): unknown => {
      try {
        return bearerTokens({ tokens })
      } catch (error) {
        return error
      }
    }
    const long = 'x'.repeat(20)
    for (const tokens of [{}, { a: 'short' }, { a: long, b: long }, { a: `${long} ${long}` }]) {
      const error = refused(tokens)
      expect(error).toMatchObject({ kind: 'invalid', code: 'OPTION' })
      for (const secret of Object.values(tokens)) expect(inspect(error)).not.toContain(secret)
    }
  })
})

describe('jwtTokens', async () => {
  const runtime = virtualRuntime({ seed: 1, startMs: 1_800_000_000_000 })
  const nowS = 1_800_000_000
  const pair = await generateKeyPair('ES256', { extractable: true })
  const stranger = await generateKeyPair('ES256')
  const foreign = await generateKeyPair('ES256', { extractable: true })
  const publicKey = { ...(await exportJWK(pair.publicKey)), alg: 'ES256', kid: 'one' }
  const options: JwtTokensOptions = {
    keys: { keys: [publicKey] },
    issuer: 'https://login.example.com/',
    audience: 'lake',
    algorithms: ['ES256'],
    runtime,
  }
  const auth = jwtTokens(options)
  const claims = { sub: 'spark', iss: options.issuer, aud: 'lake', exp: nowS + 60 }
  const signed = (payload: object, key = pair.privateKey): Promise<string> =>
    new SignJWT({ ...payload }).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(key)

  it('takes what the issuer has signed for this audience and is still good', async () => {
    expect(await auth.authenticate(await signed({ ...claims, role: 'writer' }))).toEqual({
      name: 'spark',
      claims: { ...claims, role: 'writer' },
    })
    expect(await auth.authenticate(await signed({ ...claims, aud: ['other', 'lake'] }))).toMatchObject({
      name: 'spark',
    })
  })

  it.each<[string, () => Promise<string> | string]>([
    ['of another issuer', () => signed({ ...claims, iss: 'https://else.example.com/' })],
    ['for another audience', () => signed({ ...claims, aud: 'pond' })],
    ['that is over', () => signed({ ...claims, exp: nowS - 6 })],
    ['that never ends', () => signed({ ...claims, exp: undefined })],
    ['that begins later', () => signed({ ...claims, nbf: nowS + 60 })],
    ['of nobody', () => signed({ ...claims, sub: undefined })],
    ['of an empty name', () => signed({ ...claims, sub: '' })],
    ['of another key', () => signed(claims, stranger.privateKey)],
    ['that nobody signed', () => new UnsecuredJWT(claims).encode()],
    [
      'signed with the public key as if it were a secret',
      () =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256', kid: 'one' })
          .sign(new TextEncoder().encode(JSON.stringify(publicKey))),
    ],
    ['for no audience', () => signed({ ...claims, aud: [] })],
    ['for an audience that is none', () => signed({ ...claims, aud: { lake: true } })],
    ['that ends at a time that is none', () => signed({ ...claims, exp: String(nowS + 60) })],
    ['of a name that is none', () => signed({ ...claims, sub: ['spark'] })],
    [
      'with a key that the issuer does not have',
      () => new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'two' }).sign(pair.privateKey),
    ],
    [
      'that must be understood in a way that nobody does here',
      () =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'ES256', kid: 'one', crit: ['lake'], lake: true })
          .sign(pair.privateKey, { crit: { lake: true } }),
    ],
    [
      'that brings its own key',
      async () =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'ES256', kid: 'one', jwk: await exportJWK(foreign.publicKey) })
          .sign(foreign.privateKey),
    ],
    ['that is no token', () => 'a.b.c'],
    ['that is nothing', () => ''],
  ])('knows nobody by one %s', async (_, token) => {
    expect(await auth.authenticate(await token())).toBeUndefined()
  })

  it('changes what was signed by a byte: nobody', async () => {
    const [header, payload, signature] = (await signed(claims)).split('.')
    const other = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')
    expect(await auth.authenticate([header, other, signature].join('.'))).toBeUndefined()
    expect(payload).not.toBe(other)
  })

  it('lets clocks differ a little', async () => {
    const late = await signed({ ...claims, exp: nowS - 3 })
    expect(await auth.authenticate(late)).toMatchObject({ name: 'spark' })
    expect(await jwtTokens({ ...options, clockToleranceMs: 0 }).authenticate(late)).toBeUndefined()
  })

  it('shares a secret with the issuer, where that is how it is', async () => {
    const keys = new Uint8Array(32).map((_, at) => at)
    const shared = jwtTokens({ ...options, keys, algorithms: ['HS256'] })
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(keys)
    expect(await shared.authenticate(token)).toMatchObject({ name: 'spark' })
    expect(await shared.authenticate(await signed(claims))).toBeUndefined()
  })

  it('does not blame the token when the keys cannot be had', async () => {
    const far = jwtTokens({ ...options, keys: new URL('http://127.0.0.1:1/keys') })
    await expect(far.authenticate(await signed(claims))).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'AUTH_KEYS',
    })
  })

  it('refuses algorithms that are none, or not of its keys', () => {
    for (const algorithms of [[], ['none'], ['HS256'], ['ES256', 'HS256']])
      expect(() => jwtTokens({ ...options, algorithms })).toThrow(/algorithms/)
    expect(() => jwtTokens({ ...options, keys: new Uint8Array(32), algorithms: ['RS256'] })).toThrow(/algorithms/)
    expect(() => jwtTokens({ ...options, keys: new Uint8Array(8), algorithms: ['HS256'] })).toThrow(/keys/)
  })
})
