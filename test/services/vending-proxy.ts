/** A catalog's server before another that hands out no credentials: it does, with each table and by the endpoint of the specification. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { parseJson, stringifyJson } from '@moulin/core'
import type { JsonObject } from '@moulin/core'

export interface VendingProxy {
  readonly uri: string
  /** How often the endpoint of credentials was asked. */
  readonly renewals: () => number
  close(): Promise<void>
}

export interface VendingProxyOptions {
  /** The catalog behind it. */
  readonly target: string
  /** Properties of the files of all tables. */
  readonly files: Readonly<Record<string, string>>
  /** New ones, each time. */
  readonly vend: () => Promise<Readonly<Record<string, string>>>
}

/** The endpoint, as the configuration lists it. */
const endpoint = 'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials'

export async function vendingProxy({ target, files, vend }: VendingProxyOptions): Promise<VendingProxy> {
  let renewals = 0
  const credentialsOf = async (table: JsonObject): Promise<JsonObject> => {
    const { location } = table['metadata'] as { readonly location: string }
    return { 'storage-credentials': [{ prefix: location, config: { ...files, ...(await vend()) } }] }
  }

  const answerTo = async (request: IncomingMessage): Promise<{ readonly status: number; readonly text: string }> => {
    const url = request.url!
    const isRenewal = url.endsWith('/credentials')
    const { status, text } = await forward(target, request, isRenewal ? url.replace(/\/credentials$/, '') : url)
    if (status !== 200 || text === '') return { status, text }
    const body = parseJson(text, 'The answer') as JsonObject
    if (url.startsWith('/v1/config')) {
      const listed = (body['endpoints'] as readonly string[] | undefined) ?? []
      return { status, text: stringifyJson({ ...body, endpoints: [...listed, endpoint] }) }
    }
    if (body['metadata'] === undefined) return { status, text }
    if (!isRenewal) return { status, text: stringifyJson({ ...body, ...(await credentialsOf(body)) }) }
    renewals++
    return { status, text: stringifyJson(await credentialsOf(body)) }
  }

  const server = createServer((request, response) => {
    answerTo(request).then(
      ({ status, text }) => response.writeHead(status, { 'content-type': 'application/json' }).end(text),
      () => response.destroy(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    renewals: () => renewals,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** What DuckDB puts between the levels of a namespace, whatever the configuration says; Apache's fixture refuses it. */
const UNIT_SEPARATOR = /%1F/gi

/** Without the headers by which a table would not be sent again: what is vended with it was sent once, too. */
async function forward(
  target: string,
  request: IncomingMessage,
  path: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const method = request.method!
  const type = request.headers['content-type']
  const body = method === 'POST' ? { body: await buffer(request) } : {}
  const headers = type === undefined ? {} : { 'content-type': type }
  const answer = await fetch(target + path.replaceAll(UNIT_SEPARATOR, '.'), { method, headers, ...body })
  return { status: answer.status, text: await answer.text() }
}
