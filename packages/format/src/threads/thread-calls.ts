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

/** From a thread: that it listens, and what it knows. */
export interface ReadyMessage {
  readonly kind: 'ready'
  readonly calls: readonly string[]
}

/** From a thread: how a call ended. */
export type AnswerMessage =
  | { readonly kind: 'done'; readonly reply: unknown; readonly returned: readonly ArrayBuffer[] }
  | { readonly kind: 'failed'; readonly error: ErrorData; readonly returned: readonly ArrayBuffer[] }

/** What a thread that has just said that it listens knows; undefined for any other word. */
export function readyCalls(value: unknown): readonly string[] | undefined {
  const { kind, calls } = Object(value) as Readonly<Record<string, unknown>>
  const isReady = kind === 'ready' && isListOf(calls, (name) => typeof name === 'string')
  return isReady ? (calls as readonly string[]) : undefined
}

/** Undefined for what no `serveCalls` has posted: the module that a bundle names may be any, and a debugger may post, too. */
export function asAnswer(value: unknown): AnswerMessage | undefined {
  const { kind, error, returned } = Object(value) as Readonly<Record<string, unknown>>
  const isOurs =
    (kind === 'done' || (kind === 'failed' && typeof error === 'object' && error !== null)) &&
    isListOf(returned, (buffer) => buffer instanceof ArrayBuffer)
  return isOurs ? (value as AnswerMessage) : undefined
}

const isListOf = (value: unknown, is: (element: unknown) => boolean): boolean => Array.isArray(value) && value.every(is)
