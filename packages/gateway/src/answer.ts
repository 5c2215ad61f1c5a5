import { jsonBytes } from '@moulin/core'

/** What a request is answered with. */
export interface Answer {
  readonly status: number
  /** JSON. */
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

export const done: Answer = { status: 204 }

/** Ids as exact as they are. */
export function jsonAnswer(body: unknown, headers?: Readonly<Record<string, string>>): Answer {
  return { status: 200, body: jsonBytes(body), ...(headers === undefined ? {} : { headers }) }
}
