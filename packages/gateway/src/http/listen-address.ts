import { isIPv4, isIPv6 } from 'node:net'
import { invalid, shown } from '@moulin/core'

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
}

const form = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/

/** Of `127.0.0.1:8181`, `[::1]:8181` or `localhost:0`. @throws `invalid` code `OPTION`. */
export function listenAddress(listen: string): ListenAddress {
  const [, bracketed, plain, digits] = form.exec(listen) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host === undefined || port > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) {
    const message = `serveCatalog: listen is ${shown(listen)}; it must be host:port, such as 127.0.0.1:8181 or [::1]:0.`
    throw invalid('OPTION', message, { context: { option: 'listen' } })
  }
  return { host, port }
}

/** Whether only this machine reaches the host. A name is not looked up: `localhost` alone counts. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.')
  return host === '::1' || host.toLowerCase() === 'localhost'
}

/** Whether a `Host` header names this machine by itself: a page of another site that had its name moved here sends its own. */
export function isLoopbackHeader(header: string): boolean {
  return isLoopback(header.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'))
}

/** As it stands in a URL. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host
}
