import { createServer } from 'node:http'
import type { RequestListener, Server, ServerOptions } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { invalid, unavailable } from '@moulin/core'
import type { GatewayLimits } from '../gateway-limits.ts'
import { isLoopback, urlHost } from './listen-address.ts'
import type { ListenAddress } from './listen-address.ts'

/** As PEM; `key` and `passphrase` are secrets. */
export interface GatewayTls {
  readonly cert: string | Uint8Array
  readonly key: string | Uint8Array
  readonly passphrase?: string
}

export interface HttpServerOptions {
  readonly address: ListenAddress
  readonly tls: GatewayTls | undefined
  readonly limits: GatewayLimits
  /** Refuse to listen where others than this machine reach it. */
  readonly isLocalOnly: boolean
  readonly listener: RequestListener
}

export interface HttpServer {
  readonly url: string
  connections(): Promise<number>
  /** Takes no more connections, and ends those that wait for a request. Resolves when the last is gone. */
  stop(): Promise<void>
  /** Ends all connections, whatever they are at. */
  cut(): void
}

/** How often Node looks for requests that take too long, at most. */
const LOOK_MS = 1000

/** @throws `unavailable` code `LISTEN` where it cannot listen; `invalid` for TLS material that is none. */
export async function httpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { address, tls, isLocalOnly } = options
  const server = madeServer(options)
  await listening(server, address)
  const { address: host, port } = server.address() as AddressInfo
  if (isLocalOnly && !isLoopback(host)) {
    server.close()
    throw invalid('AUTH_REQUIRED', `serveCatalog: ${address.host} is ${host}, which others reach: give it auth.`)
  }
  const silent = silentConnections(server, tls === undefined ? 'connection' : 'secureConnection')
  const stopped = new Promise<void>((resolve) => server.once('close', resolve))
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${urlHost(host)}:${port}`,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
      ),
    stop() {
      server.close()
      server.closeIdleConnections()
      for (const socket of silent) socket.destroy()
      return stopped
    },
    cut: () => server.closeAllConnections(),
  }
}

/** Those that have sent no request yet, which Node does not count among the idle ones. */
function silentConnections(server: Server, event: 'connection' | 'secureConnection'): ReadonlySet<Socket> {
  const silent = new Set<Socket>()
  server.on(event, (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  server.on('request', ({ socket }) => silent.delete(socket))
  return silent
}

function madeServer({ tls, limits, listener }: HttpServerOptions): Server {
  const { headersTimeoutMs, requestTimeoutMs, maxConnections } = limits
  const settings: ServerOptions = {
    headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(LOOK_MS, headersTimeoutMs, requestTimeoutMs),
    keepAliveTimeout: 60_000,
  }
  const server = tls === undefined ? createServer(settings, listener) : secureServer(tls, settings, limits, listener)
  server.maxConnections = maxConnections
  // One that takes an answer and does not read it. While an answer is made, nothing moves either.
  server.timeout = 2 * requestTimeoutMs
  return server
}

function secureServer(
  tls: GatewayTls,
  settings: ServerOptions,
  limits: GatewayLimits,
  listener: RequestListener,
): Server {
  const { cert, key, passphrase } = tls
  const material = { cert: pem(cert), key: pem(key), ...(passphrase === undefined ? {} : { passphrase }) }
  try {
    return createSecureServer({ ...settings, ...material, handshakeTimeout: limits.headersTimeoutMs }, listener)
  } catch {
    // What the library says of it might quote it.
    throw invalid('OPTION', 'serveCatalog: tls has no certificate and key that fit, as PEM.', {
      context: { option: 'tls' },
    })
  }
}

const pem = (given: string | Uint8Array): string | Buffer => (typeof given === 'string' ? given : Buffer.from(given))

function listening(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => {
      const message = `serveCatalog: it cannot listen on ${urlHost(host)}:${port}: ${cause.message}.`
      reject(unavailable('LISTEN', message, { cause, retryable: false }))
    }
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      resolve()
    })
  })
}
