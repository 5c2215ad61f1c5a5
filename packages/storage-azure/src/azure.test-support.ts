import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ObjectStore } from '@moulin/core'
import { azure } from './azure.ts'
import type { AzureOptions } from './azure-options.ts'

export interface Asked {
  readonly method: string
  /** Decoded, below the account. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Said {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** The answer of something between, without what every answer of the service has. */
  readonly isStranger?: boolean
}

/** A server whose every answer a test gives: what the emulator cannot be made to say. */
export interface ToldServer {
  readonly url: string
  readonly asked: Asked[]
  answer: (request: Asked) => Said
  close(): Promise<void>
}

export const ACCOUNT = 'lake'
/** Of no account. */
export const KEY = Buffer.from('canary-of-a-key').toString('base64')

export async function toldServer(answer: ToldServer['answer'] = () => created): Promise<ToldServer> {
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { pathname, searchParams } = new URL(incoming.url!, 'http://host')
      const request: Asked = {
        method: incoming.method!,
        path: decodeURIComponent(pathname.slice(`/${ACCOUNT}`.length)),
        query: searchParams,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('latin1'),
      }
      told.asked.push(request)
      const { status, headers = {}, body = '', isStranger = false } = told.answer(request)
      const own = isStranger ? {} : { 'x-ms-request-id': 'request-1', 'x-ms-version': '2025-01-01' }
      const fixed = request.method === 'HEAD' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      outgoing.writeHead(status, { ...own, ...fixed, ...headers })
      outgoing.end(request.method === 'HEAD' ? undefined : body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const told: ToldServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    answer,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return told
}

export const LAST_MODIFIED = 'Mon, 30 Nov 2026 00:00:00 GMT'
export const created: Said = { status: 201, headers: { etag: '"0x1"', 'last-modified': LAST_MODIFIED } }

/** A refusal in the service's own form. */
export function refusal(status: number, code: string): Said {
  return {
    status,
    headers: { 'content-type': 'application/xml', 'x-ms-error-code': code },
    body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>As told.</Message></Error>`,
  }
}

export function opened(url: string, options: Partial<AzureOptions> = {}): ObjectStore {
  return azure({
    container: 'logs',
    account: ACCOUNT,
    endpoint: `${url}/${ACCOUNT}`,
    credential: { accountKey: KEY },
    ...options,
  })
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export interface Failed {
  readonly kind?: string
  readonly code?: string
  readonly outcome?: string
}

export const failed = (work: Promise<unknown>): Promise<Failed> =>
  work.then(
    () => ({ code: 'it succeeded' }),
    (error: unknown) => error as Failed,
  )
