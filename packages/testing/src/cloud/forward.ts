import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { joinBytes } from '@moulin/core'

/** A request as it came, whole, to be sent on. */
export interface SentRequest {
  readonly method: string
  readonly target: string
  /** Names and values in turn, as they were written. */
  readonly rawHeaders: readonly string[]
  readonly body: Uint8Array
}

/** About one connection, not about what is asked: the next one has its own. */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'expect',
  'proxy-connection',
])

/**
 * Sends it on over a connection of its own (a pooled one may be dead, and that would be a fault that nobody ordered). Headers stay as they
 * are, the host too: they may be signed.
 * @param open Holds it as long as it is under way.
 */
export function forward(server: URL, sent: SentRequest, open: Set<ClientRequest>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onward = request(requestOptions(server, sent))
    open.add(onward)
    onward.on('close', () => open.delete(onward))
    onward.on('response', resolve)
    onward.on('error', reject)
    onward.end(sent.body)
  })
}

/** Sends the head and `bytes` of the body, never all of it, then cuts the connection. What has no body would be whole: it is not sent. */
export async function forwardTorn(server: URL, sent: SentRequest, bytes: number): Promise<void> {
  if (sent.body.length === 0) return
  await new Promise<void>((resolve) => {
    const onward = request(requestOptions(server, sent))
    onward.on('error', () => {})
    onward.on('close', () => resolve())
    onward.flushHeaders()
    onward.write(sent.body.subarray(0, Math.min(bytes, sent.body.length - 1)), () => onward.destroy())
  })
}

function requestOptions(server: URL, { method, target, rawHeaders, body }: SentRequest): object {
  const headers = endToEnd(rawHeaders)
  const hasLength = headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === 'content-length')
  if (!hasLength && body.length > 0) headers.push('Content-Length', String(body.length))
  return { host: server.hostname, port: server.port, method, path: target, headers, agent: false }
}

export function endToEnd(rawHeaders: readonly string[], without: ReadonlySet<string> = new Set()): string[] {
  const kept: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!ofConnection.has(name) && !without.has(name)) kept.push(rawHeaders[i]!, rawHeaders[i + 1]!)
  }
  return kept
}

export async function wholeBody(message: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of message) chunks.push(chunk as Uint8Array)
  return joinBytes(chunks)
}
