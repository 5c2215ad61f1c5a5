import { errorAnswer } from '@moulin/catalog/rest'
import { jsonBytes } from '@moulin/core'
import type { Answer } from '../answer.ts'
import { spokenError } from './spoken-error.ts'

/** What is said of an error: its message and what it means to a client, and nothing else of it. */
export function answerOfError(error: unknown): Answer {
  const { status, body } = errorAnswer(spokenError(error))
  const headers: Record<string, string> = {}
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  if (status === 429 || status === 503) headers['retry-after'] = '1'
  return { status, body: jsonBytes(body), headers }
}

/** `isLast`: the connection is not to be used again. */
export function responseOf({ status, body, headers = {} }: Answer, isLast: boolean): Response {
  const type = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(body.length) }
  const last = isLast ? { connection: 'close' } : {}
  return new Response((body ?? null) as Uint8Array<ArrayBuffer> | null, {
    status,
    headers: { ...type, ...headers, ...last },
  })
}
