import { createHash, createHmac } from 'node:crypto'
import { request } from 'node:http'
import { systemRuntime } from '@moulin/core'
import type { S3Fake } from './s3-fake.ts'

/** A PUT whose body is in the caller's hands, signed by hand: nothing of an SDK buffers or retries. */
export interface SignedPut {
  write(text: string): void
  end(text: string): void
  destroy(): void
  /** Resolves when the fake has seen the head. */
  arrived(): Promise<void>
  /** `412 PreconditionFailed`, `200` or `no answer`. */
  readonly answer: Promise<string>
}

export interface SignedMore {
  /** Default PUT. */
  readonly method?: string
  /** As sent, in the order of its names. */
  readonly query?: string
  /** Sent beside those that are signed. */
  readonly unsigned?: Readonly<Record<string, string>>
}

/** `bucket` '' where the host names it. */
export function signedPut(
  fake: S3Fake,
  bucket: string,
  key: string,
  length: number,
  headers: Readonly<Record<string, string>> = {},
  { method = 'PUT', query = '', unsigned = {} }: SignedMore = {},
): SignedPut {
  const { clock, timers } = systemRuntime()
  const url = new URL(fake.endpoint)
  const path = bucket === '' ? `/${key}` : `/${bucket}/${key}`
  const date = dateOf(clock.now())
  const all: Record<string, string> = {
    host: url.host,
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': date,
    ...headers,
  }
  const { scope, signature, names } = signatureOf(fake, method, path, query, all, date)
  const authorization = `AWS4-HMAC-SHA256 Credential=${fake.credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  const before = fake.requests.length
  const sent = request({
    host: url.hostname,
    port: url.port,
    method,
    path: query === '' ? path : `${path}?${query}`,
    headers: { ...all, ...unsigned, authorization, 'content-length': length },
  })
  sent.flushHeaders()
  const answer = new Promise<string>((resolve) => {
    sent.on('error', () => resolve('no answer'))
    sent.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve(`${response.statusCode} ${/<Code>(.*?)</.exec(body)?.[1] ?? ''}`.trim()))
    })
  })
  return {
    write: (text) => void sent.write(text),
    end: (text) => void sent.end(text),
    destroy: () => void sent.destroy(),
    answer,
    async arrived() {
      while (fake.requests.length === before) await timers.turn()
    },
  }
}

/** A URL that lets whoever has it PUT an object, for so many seconds. */
export function signedUrl(fake: S3Fake, bucket: string, key: string, nowMs: number, seconds: number): string {
  const date = dateOf(nowMs)
  const path = `/${bucket}/${key}`
  const query = [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${fake.credentials.accessKeyId}/${date.slice(0, 8)}/${fake.region}/s3/aws4_request`],
    ['X-Amz-Date', date],
    ['X-Amz-Expires', String(seconds)],
    ['X-Amz-SignedHeaders', 'host'],
  ]
    .map(([name, value]) => `${name}=${encodeURIComponent(value!)}`)
    .join('&')
  const { signature } = signatureOf(fake, 'PUT', path, query, { host: new URL(fake.endpoint).host }, date)
  return `${fake.endpoint}${path}?${query}&X-Amz-Signature=${signature}`
}

function dateOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

function signatureOf(
  { credentials, region }: S3Fake,
  method: string,
  path: string,
  query: string,
  headers: Readonly<Record<string, string>>,
  date: string,
) {
  const sorted = Object.keys(headers).sort()
  const names = sorted.join(';')
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
  const lines = sorted.map((name) => `${name}:${headers[name]}`)
  const canonical = [method, path, query, ...lines, '', names, 'UNSIGNED-PAYLOAD'].join('\n')
  const scope = [date.slice(0, 8), region, 's3', 'aws4_request']
  const key = scope.reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  )
  const toSign = ['AWS4-HMAC-SHA256', date, scope.join('/'), hash(canonical)].join('\n')
  return { scope: scope.join('/'), names, signature: createHmac('sha256', key).update(toSign).digest('hex') }
}
