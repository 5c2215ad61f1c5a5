import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@moulin/core'
import type { FakeRequest } from './http-fake.ts'
import { decodePercent } from './http-fake.ts'
import { s3Refusal } from './s3-answers.ts'

/** A pair of keys that a fake knows. */
export interface FakeCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Where there is one, a request must bring it. */
  readonly sessionToken?: string
  /** Milliseconds since the epoch; from then on `ExpiredToken`. Default never. */
  readonly expiresMs?: number
}

export interface SignatureRules {
  readonly clock: Pick<Clock, 'now'>
  readonly region: string
  credentials(accessKeyId: string): FakeCredentials | undefined
}

/** Fifteen minutes, both ways. */
const MAX_SKEW_MS = 900_000

interface Signed {
  readonly credential: string
  readonly signedHeaders: string
  readonly signature: string
  readonly date: string
  readonly token: string | undefined
  /** Of a signed URL, whose query is signed but for the signature itself. */
  readonly isUrl: boolean
}

/**
 * By whom a request is signed. Throws the refusal of one that is not signed as Signature Version 4 asks, by a pair that is known, for this region and about this
 * time. The signature itself is worked out anew: a wrong secret is refused. `host` counts as the client said it, so a proxy may stand between.
 */
export function checkSignature(request: FakeRequest, rules: SignatureRules): FakeCredentials {
  const signed = request.query.has('X-Amz-Signature') ? ofUrl(request) : ofHeader(request)
  const [accessKeyId = '', day = '', region = '', service = '', end] = signed.credential.split('/')
  if (!['s3', 's3express'].includes(service) || end !== 'aws4_request' || !/^\d{8}$/.test(day))
    throw malformed(`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
  const pair = rules.credentials(accessKeyId)
  if (pair === undefined)
    throw s3Refusal('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', {
      AWSAccessKeyId: accessKeyId,
    })
  if (region !== rules.region) {
    const message = `the region '${region}' is wrong; expecting '${rules.region}'`
    throw malformed(message, { Region: rules.region })
  }
  checkTime(request, signed, day, rules)
  checkToken(pair, signed.token, rules)
  const names = signed.signedHeaders.split(';')
  if (request.headers['host'] === undefined || !names.includes('host')) throw malformed('host is not signed')
  const unsigned = Object.keys(request.headers).filter((name) => name.startsWith('x-amz-') && !names.includes(name))
  if (unsigned.length > 0)
    throw s3Refusal('AccessDenied', 'There were headers present in the request which were not signed', {
      HeadersNotSigned: unsigned.join(', '),
    })
  if (!isSignedBy(pair.secretAccessKey, request, signed, [day, region, service, 'aws4_request'])) {
    throw s3Refusal(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      { AWSAccessKeyId: accessKeyId },
    )
  }
  return pair
}

function malformed(why: string, more?: Readonly<Record<string, string>>): Error {
  return s3Refusal('AuthorizationHeaderMalformed', `The authorization header is malformed; ${why}`, more)
}

function ofHeader({ headers }: FakeRequest): Signed {
  const { authorization } = headers
  if (authorization === undefined) throw s3Refusal('AccessDenied', 'Access Denied')
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(authorization) ?? []
  if (signature === undefined) throw malformed('it does not have the parts of Signature Version 4.')
  return {
    credential: credential!,
    signedHeaders: signedHeaders!,
    signature,
    date: headers['x-amz-date'] ?? '',
    token: headers['x-amz-s3session-token'] ?? headers['x-amz-security-token'],
    isUrl: false,
  }
}

function ofUrl({ query }: FakeRequest): Signed {
  return {
    credential: query.get('X-Amz-Credential') ?? '',
    signedHeaders: query.get('X-Amz-SignedHeaders') ?? '',
    signature: query.get('X-Amz-Signature') ?? '',
    date: query.get('X-Amz-Date') ?? '',
    token: query.get('X-Amz-Security-Token'),
    isUrl: true,
  }
}

function checkTime(request: FakeRequest, { date, isUrl }: Signed, day: string, { clock }: SignatureRules): void {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? []
  if (s === undefined || !date.startsWith(day))
    throw s3Refusal('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  const signedMs = Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s))
  const now = clock.now()
  const lifeMs = isUrl ? Number(request.query.get('X-Amz-Expires')) * 1000 : MAX_SKEW_MS
  if (isUrl && !(now <= signedMs + lifeMs)) throw s3Refusal('AccessDenied', 'Request has expired')
  if (signedMs > now + MAX_SKEW_MS || (!isUrl && signedMs < now - MAX_SKEW_MS)) {
    throw s3Refusal(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      {
        RequestTime: date,
        ServerTime: new Date(now).toISOString(),
        MaxAllowedSkewMilliseconds: MAX_SKEW_MS,
      },
    )
  }
}

function checkToken(pair: FakeCredentials, token: string | undefined, { clock }: SignatureRules): void {
  if (token !== pair.sessionToken)
    throw s3Refusal('InvalidToken', 'The provided token is malformed or otherwise invalid.')
  if (pair.expiresMs !== undefined && clock.now() >= pair.expiresMs)
    throw s3Refusal('ExpiredToken', 'The provided token has expired.')
}

function isSignedBy(secret: string, request: FakeRequest, signed: Signed, scope: readonly string[]): boolean {
  const canonical = [
    request.method,
    encodePercent(decodePercent(request.path), '/'),
    canonicalQuery(request, signed.isUrl),
    ...signed.signedHeaders
      .split(';')
      .map((name) => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signed.signedHeaders,
    request.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD',
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', signed.date, scope.join('/'), sha256Hex(canonical)].join('\n')
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${secret}`)
  const given = Buffer.from(signed.signature, 'hex')
  const right = hmac(key, toSign)
  return given.length === right.length && timingSafeEqual(given, right)
}

function canonicalQuery({ query }: FakeRequest, isUrl: boolean): string {
  return [...query]
    .filter(([name]) => !(isUrl && name === 'X-Amz-Signature'))
    .map(([name, value]) => [encodePercent(name), encodePercent(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** All but letters, digits and `-._~`, as Signature Version 4 counts; `kept` stays as well. */
function encodePercent(text: string, kept: string = ''): string {
  const encoded = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return kept === '/' ? encoded.replaceAll('%2F', '/') : encoded
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
