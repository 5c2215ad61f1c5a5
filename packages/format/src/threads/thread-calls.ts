import type { ErrorData } from '@moulin/core'

/** What threads can be asked, by name: plain data both ways. */
export type ThreadCalls = Record<string, { readonly request: unknown; readonly reply: unknown }>

/** To a thread. Answered once each, in order. */
export interface CallMessage {
  readonly kind: string
  readonly request: unknown
  /** Memory that came over with the request and goes back once the thread is done with it. */
  readonly lent: readonly ArrayBuffer[]
}

/** From a thread: that it listens, or how a call ended. */
export type ThreadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly reply: unknown; readonly returned: readonly ArrayBuffer[] }
  | { readonly kind: 'failed'; readonly error: ErrorData; readonly returned: readonly ArrayBuffer[] }
