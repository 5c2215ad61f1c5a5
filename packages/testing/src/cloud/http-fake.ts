import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@moulin/core'
import { joinBytes } from '@moulin/core'

/** One request, as its head said. Paths are read by hand: `URL` would resolve `a/../b`, which is a key like any other. */
export interface FakeRequest {
  /** Counts from 1. */
  readonly number: number
  readonly method: string
  /** Path and query as sent, nothing decoded. */
  readonly target: string
  /** The part before the `?`, still encoded. */
  readonly path: string
  /** Decoded; a parameter without a value has ''. */
  readonly query: ReadonlyMap<string, string>
  /** By lower-case name; of a repeated one the values with a comma between them. */
  readonly headers: Readonly<Record<string, string>>
  /** The whole body. Rejects where it is cut short; nothing is answered then. The same promise each time. */
  body(): Promise<Uint8Array>
}

export interface FakeAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Left out for none. Of a HEAD only the length that `content-length` tells is sent. */
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>
}

/** A request that a fake has seen, for a test to look at. */
export interface SeenRequest {
  readonly number: number
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  /** What the service calls it, e.g. `PutObject`; '' where nothing fits. */
  readonly operation: string
  /** Of the body; undefined until it is whole, for ever where it was cut short. */
  readonly bodyBytes: number | undefined
  /** Undefined until it is answered. */
  readonly status: number | undefined
  /** The service's own code of a refusal. */
  readonly code: string | undefined
}

export interface HttpFake {
  /** `http://127.0.0.1:PORT`, no slash behind. */
  readonly url: string
  readonly requests: readonly SeenRequest[]
  forgetRequests(): void
  /** Cuts all connections, and resolves when the port is free. */
  close(): Promise<void>
}

export interface HttpFakeOptions {
  /** For the `Date` of each answer, by which clients see how far off they are. */
  readonly clock: Pick<Clock, 'now'>
  readonly operationOf: (request: FakeRequest) => string
  /** A thrown {@link Refusal} is answered; any other error is a bug of the fake, and answered with 500 and its text. */
  readonly handle: (request: FakeRequest) => FakeAnswer | Promise<FakeAnswer>
}

/** A refusal on its way up: what a service answers in place of what was asked for. */
export class Refusal extends Error {
  readonly answer: FakeAnswer
  readonly code: string

  constructor(code: string, answer: FakeAnswer) {
    super(code)
    this.name = 'Refusal'
    this.code = code
    this.answer = answer
  }
}

/** A server on loopback, on a port that is free. Nothing in it ever times out: a test says how long things take. */
export async function httpFake(options: HttpFakeOptions): Promise<HttpFake> {
  const requests: SeenRequest[] = []
  let count = 0
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (incoming, outgoing) => {
    const request = requestOf(incoming, ++count)
    const seen = { ...shownOf(request, options.operationOf(request)) }
    requests.push(seen)
    void answer(request, seen, outgoing)
  })

  const answer = async (request: FakeRequest, seen: Writable<SeenRequest>, outgoing: ServerResponse): Promise<void> => {
    let given: FakeAnswer
    try {
      given = await options.handle(request)
    } catch (error) {
      given = error instanceof Refusal ? error.answer : bugOf(error)
      if (error instanceof Refusal) seen.code = error.code
    }
    try {
      // A service takes the body before it refuses it; a client that still sends would see a reset in place of the answer.
      seen.bodyBytes = (await request.body()).length
    } catch {
      outgoing.destroy()
      return
    }
    seen.status = given.status
    outgoing.setHeader('date', new Date(options.clock.now()).toUTCString())
    try {
      await send(given, request.method, outgoing)
    } catch (error) {
      if (outgoing.headersSent) {
        outgoing.destroy()
        return
      }
      // A head that cannot be written is a bug of the fake, too.
      for (const name of outgoing.getHeaderNames()) outgoing.removeHeader(name)
      seen.status = 500
      await send(bugOf(error), request.method, outgoing)
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    forgetRequests: () => void requests.splice(0),
    async close() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

function shownOf({ number, method, target, headers }: FakeRequest, operation: string): SeenRequest {
  return { number, method, target, headers, operation, bodyBytes: undefined, status: undefined, code: undefined }
}

export function requestOf(incoming: IncomingMessage, number: number): FakeRequest {
  const target = incoming.url ?? '/'
  const question = target.indexOf('?')
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(incoming.headers)) headers[name] = [value].flat().join(', ')
  let whole: Promise<Uint8Array> | undefined
  return {
    number,
    method: incoming.method ?? 'GET',
    target,
    path: question < 0 ? target : target.slice(0, question),
    query: queryOf(question < 0 ? '' : target.slice(question + 1)),
    headers,
    body: () => (whole ??= bodyOf(incoming)),
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of incoming) chunks.push(chunk as Uint8Array)
  return joinBytes(chunks)
}

/** Parameters of a query, decoded; the first of those with one name. */
export function queryOf(text: string): Map<string, string> {
  const query = new Map<string, string>()
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decodePercent(equals < 0 ? part : part.slice(0, equals))
    if (!query.has(name)) query.set(name, equals < 0 ? '' : decodePercent(part.slice(equals + 1)))
  }
  return query
}

/** What is no percent-encoding of UTF-8 stays as it is. */
export function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function bugOf(error: unknown): FakeAnswer {
  return {
    status: 500,
    body: `The fake failed: ${error instanceof Error ? (error.stack ?? error.message) : 'no error'}`,
  }
}

async function send(
  { status, headers = {}, body }: FakeAnswer,
  method: string,
  outgoing: ServerResponse,
): Promise<void> {
  outgoing.on('error', () => {})
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const length = bytes instanceof Uint8Array ? { 'content-length': String(bytes.length) } : {}
  const hasNoBody = status === 204 || status === 304
  outgoing.writeHead(status, {
    ...(hasNoBody ? {} : bytes === undefined ? { 'content-length': '0' } : length),
    ...headers,
  })
  if (method === 'HEAD' || hasNoBody || bytes === undefined) {
    outgoing.end()
    return
  }
  if (bytes instanceof Uint8Array) {
    outgoing.end(bytes)
    return
  }
  for await (const chunk of bytes) {
    if (outgoing.destroyed) return
    if (!outgoing.write(chunk)) await drained(outgoing)
  }
  outgoing.end()
}

/** Until there is room again, or the client has gone. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.on('drain', done)
    outgoing.on('close', done)
  })
}
