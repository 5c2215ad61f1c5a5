import { isMoulinError, MoulinError, shown } from '@moulin/core'
import type { ErrorContext } from '@moulin/core'
import { answerRows, changing, clientFault, errorRows, serverFault, unknownOutcome } from './error-rows.ts'
import type { AnswerRow } from './error-rows.ts'
import type { ErrorModel } from './messages.ts'
import type { RouteName } from './routes.ts'

export interface ErrorAnswer {
  readonly status: number
  readonly body: { readonly error: ErrorModel }
}

/**
 * What a server answers for an error of ours: its message goes over, its context and its causes stay. What is no error of ours is a
 * fault of the server without a word of it.
 */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (!isMoulinError(error)) return answer(500, 'InternalServerError', 'The server failed; its log says why.')
  if (error.outcome === 'unknown') return answer(unknownOutcome.status, unknownOutcome.type, error.message)
  const row = errorRows.find(({ kind, code }) => kind === error.kind && (code === undefined || code === error.code))
  return answer(row?.status ?? 500, row?.type ?? 'InternalServerError', error.message)
}

function answer(status: number, type: string, message: string): ErrorAnswer {
  return { status, body: { error: { message, type, code: status } } }
}

export interface Refused {
  readonly call: RouteName
  readonly status: number
  readonly error: ErrorModel
  /** For the message: the catalog and what was asked of it. */
  readonly what: string
  readonly context?: ErrorContext
}

/** The error of ours for what a server answered. */
export function refusedError({ call, status, error, what, context = {} }: Refused): MoulinError {
  const row = rowOf(call, status, error.type)
  const isUnknown = row.outcome === 'unknown' || (row.outcome === 'if-changing' && changing.has(call))
  const said = error.message === '' ? '' : `: ${shown(error.message)}`
  const named = error.type === '' ? '' : ` ${error.type}`
  const again = row.retryable === undefined ? {} : { retryable: row.retryable }
  return new MoulinError(row.kind, row.code, `${what} was answered with ${status}${named}${said}.`, {
    outcome: isUnknown ? 'unknown' : 'rejected',
    context: { status, type: error.type, ...context },
    ...again,
  })
}

function rowOf(call: RouteName, status: number, type: string): AnswerRow {
  const row = answerRows.find(
    (row) => row.status === status && (row.type === undefined || row.type === type) && (row.on?.includes(call) ?? true),
  )
  return row ?? (status >= 500 ? serverFault : clientFault)
}
