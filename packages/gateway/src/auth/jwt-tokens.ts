import { createLocalJWKSet, createRemoteJWKSet, jwtVerify } from 'jose'
import type { JSONWebKeySet, JWTVerifyGetKey, JWTVerifyOptions } from 'jose'
import { checkOptions, invalid, isBytes, option, systemRuntime, unavailable } from '@moulin/core'
import type { Clock, OptionCheck, OptionTable, Runtime } from '@moulin/core'
import type { Authorizer, Caller, GatewayAuth } from './caller.ts'

export interface JwtTokensOptions {
  /** Where the issuer publishes its keys, the keys themselves (RFC 7517), or the secret that `HS…` algorithms share. */
  readonly keys: URL | JSONWebKeySet | Uint8Array
  /** `iss` must be this. */
  readonly issuer: string
  /** `aud` must be this, or name it. */
  readonly audience: string
  /** What a token may be signed by, such as `['ES256']`. A token that says another, or `none`, is nobody's. */
  readonly algorithms: readonly string[]
  /** The claim that says who it is; default `sub`. */
  readonly nameClaim?: string
  /** How far clocks may differ; default 5000. */
  readonly clockToleranceMs?: number
  /** Default: whoever has a token may do everything. */
  readonly authorize?: Authorizer
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock'>
}

/** By secrets, and by key pairs: a public key must never be taken for a secret. */
const secretAlgorithms: ReadonlySet<string> = new Set(['HS256', 'HS384', 'HS512'])
const pairAlgorithms: ReadonlySet<string> = new Set(
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' '),
)

const keysCheck: OptionCheck = {
  expected: 'a URL object, a JSON Web Key Set or a Uint8Array of 32 bytes or more',
  accepts: (value) =>
    value instanceof URL ||
    (isBytes(value) && value.length >= 32) ||
    Array.isArray((value as { readonly keys?: unknown } | null)?.keys),
}

const optionTable: OptionTable<JwtTokensOptions> = {
  keys: option.secret(option.required(keysCheck)),
  issuer: option.required(option.textOf('the issuer')),
  audience: option.required(option.textOf('the audience')),
  algorithms: option.required(option.listOf(option.oneOf(...secretAlgorithms, ...pairAlgorithms))),
  nameClaim: option.textOf('the name of a claim'),
  clockToleranceMs: option.milliseconds(),
  authorize: option.callback,
  runtime: option.runtimeOf('clock'),
}

/**
 * Callers that an issuer vouches for by JSON Web Tokens (RFC 7519), which must expire.
 * @throws `invalid` for a bad option, algorithms that do not fit the keys among them.
 * @example jwtTokens({ keys: new URL('https://login.example.com/keys'), issuer: 'https://login.example.com/', audience: 'lake', algorithms: ['RS256'] })
 */
export function jwtTokens(options: JwtTokensOptions): GatewayAuth {
  checkOptions('jwtTokens', options, optionTable)
  const { keys, issuer, audience, algorithms, nameClaim = 'sub', clockToleranceMs = 5000, authorize } = options
  checkAlgorithms(keys, algorithms)
  const { clock } = options.runtime ?? systemRuntime()
  const verify = verifierOf(keys)
  const rules: JWTVerifyOptions = {
    issuer,
    audience,
    algorithms: [...algorithms],
    clockTolerance: clockToleranceMs / 1000,
    requiredClaims: ['exp', nameClaim],
  }
  return {
    async authenticate(token) {
      const claims = await verified(verify, token, rules, clock)
      const name = claims?.[nameClaim]
      return typeof name === 'string' && name !== '' ? ({ name, claims: claims! } satisfies Caller) : undefined
    },
    ...(authorize === undefined ? {} : { authorize }),
  }
}

function checkAlgorithms(keys: JwtTokensOptions['keys'], algorithms: readonly string[]): void {
  const allowed = isBytes(keys) ? secretAlgorithms : pairAlgorithms
  if (algorithms.length > 0 && algorithms.every((name) => allowed.has(name))) return
  const fitting = [...allowed].join(', ')
  const message = `jwtTokens: algorithms must be some of ${fitting}, those of the given keys.`
  throw invalid('OPTION', message, { context: { option: 'algorithms' } })
}

type Claims = Readonly<Record<string, unknown>>
type Verifier = (token: string, rules: JWTVerifyOptions) => Promise<{ readonly payload: Claims }>

function verifierOf(keys: JwtTokensOptions['keys']): Verifier {
  if (isBytes(keys)) {
    const secret = Uint8Array.from(keys)
    return (token, rules) => jwtVerify(token, secret, rules)
  }
  const find: JWTVerifyGetKey =
    keys instanceof URL ? createRemoteJWKSet(keys) : createLocalJWKSet(keys as JSONWebKeySet)
  return (token, rules) => jwtVerify(token, find, rules)
}

/** Undefined for a token that proves nothing. @throws `unavailable` where the issuer's keys cannot be had. */
async function verified(
  verify: Verifier,
  token: string,
  rules: JWTVerifyOptions,
  clock: Clock,
): Promise<Claims | undefined> {
  try {
    const { payload } = await verify(token, { ...rules, currentDate: new Date(clock.now()) })
    return payload
  } catch (cause) {
    if (faultsOfTokens.has((cause as { readonly code?: unknown }).code)) return undefined
    throw unavailable('AUTH_KEYS', "The issuer's keys could not be had; the token was not judged.", { cause })
  }
}

/** For all else, a key set that does not answer among it, the caller is not to blame. */
const faultsOfTokens: ReadonlySet<unknown> = new Set([
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_EXPIRED',
  'ERR_JWT_INVALID',
])
