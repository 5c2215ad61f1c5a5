import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { jsonBytes, parseJson } from '@moulin/core'
import type { JsonObject } from '@moulin/core'
import { newTableMetadata } from '@moulin/iceberg'
import { virtualRuntime } from '@moulin/testing'
import type { VirtualClock } from '@moulin/testing'
import { onTestFinished } from 'vitest'
import { restCatalog } from './rest-catalog.ts'
import type { RestCatalog } from './rest-catalog.ts'
import type { RestCatalogOptions } from './rest-options.ts'

/** A request as the server got it. */
export interface Told {
  readonly method: string
  /** As it came, encoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly text: string
  readonly body: JsonObject
}

export interface Answer {
  /** Default 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** JSON, or the text as it is. */
  readonly body?: object | string
}

/** undefined: the script has answered by itself, or never will. */
export type Script = (told: Told, response: ServerResponse) => Answer | undefined | Promise<Answer | undefined>

export interface ScriptedServer {
  readonly uri: string
  readonly told: Told[]
  /** `GET /v1/config`, … of all requests so far. */
  calls(): string[]
  /** Before the test ends. */
  close(): Promise<void>
}

/** A server that says what the script says, on loopback. Ends with the test. */
export async function scripted(script: Script): Promise<ScriptedServer> {
  const told: Told[] = []
  const server = createServer((request, response) => {
    void toldOf(request).then(async (each) => {
      told.push(each)
      const answer = await script(each, response)
      if (answer === undefined) return
      const { status = 200, headers = {}, body } = answer
      const bytes = body === undefined ? '' : typeof body === 'string' ? body : jsonBytes(body)
      const type = typeof body === 'string' ? 'text/html' : 'application/json'
      response.writeHead(status, { 'content-type': type, ...headers }).end(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  onTestFinished(close)
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { uri, told, close, calls: () => told.map(({ method, path }) => `${method} ${path}`) }
}

/** Where nobody listens. */
export async function closedPort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

async function toldOf(request: IncomingMessage): Promise<Told> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const text = Buffer.concat(parts).toString()
  const [path = '', query = ''] = request.url!.split('?')
  const isJson = request.headers['content-type'] === 'application/json'
  const body = isJson ? (parseJson(text, 'a request') as JsonObject) : {}
  return {
    method: request.method!,
    path,
    query: new URLSearchParams(query),
    headers: request.headers,
    text,
    body,
  }
}

/** Answers the configuration, and leaves all else to the script. */
export function configured(script: Script, config: object = {}): Script {
  return (told, response) =>
    told.path.endsWith('/v1/config') ? { body: { defaults: {}, overrides: {}, ...config } } : script(told, response)
}

export function errorBody(status: number, type: string, message: string = 'So it is.'): Answer {
  return { status, body: { error: { message, type, code: status } } }
}

export interface Opened {
  readonly catalog: RestCatalog
  readonly clock: VirtualClock
  readonly logs: readonly { readonly message: string }[]
}

/** A client whose time stands still. */
export function opened(uri: string, options: Partial<RestCatalogOptions> = {}): Opened {
  const runtime = virtualRuntime({ seed: 7 })
  const catalog = restCatalog({ uri, runtime, ...options })
  return { catalog, clock: runtime.clock, logs: runtime.logs }
}

/** Lets time pass, step by step, until the work is over. */
export async function passing<T>(clock: VirtualClock, work: Promise<T>, stepMs: number = 1): Promise<T> {
  let isOver = false
  const over = (): void => void (isOver = true)
  work.then(over, over)
  while (!isOver) await clock.advance(stepMs)
  return await work
}

/** What the work fails with. */
export async function failureOf(work: Promise<unknown>): Promise<Record<string, unknown>> {
  const error: unknown = await work.then(
    () => Promise.reject(new Error('It did not fail.')),
    (thrown: unknown) => thrown,
  )
  return error as Record<string, unknown>
}

export const orders = { namespace: ['shop'], name: 'orders' }

export const request = {
  schema: { type: 'struct', fields: [{ id: 1, name: 'id', type: 'long', required: true }] },
} as const

export const metadata = newTableMetadata(request, {
  uuid: '5a6b7c8d-0000-4000-8000-000000000001',
  location: 's3://lake/shop/orders',
  nowMs: 1_700_000_000_000,
})

export const table = { 'metadata-location': 's3://lake/shop/orders/metadata/00000-a.metadata.json', metadata }

export const commit = {
  requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
  updates: [{ action: 'set-properties', updates: { a: '1' } }],
} as const
