import { RestError } from '@azure/storage-blob'
import { failureOf, isMoulinError, withOutcome } from '@moulin/core'
import type { MoulinError, StoreCall } from '@moulin/core'
import { azureAnswers } from './azure-answers.ts'

/** What the SDK throws, as far as it is looked at: the rest holds the request. */
interface Thrown {
  readonly name?: unknown
  readonly code?: unknown
  readonly statusCode?: unknown
  readonly response?: { readonly headers?: { get?(name: string): unknown } }
}

/** The error of ours for what the SDK threw, or for a code in the answer of a batch. */
export function azureFailure(
  store: string,
  thrown: unknown,
  call: StoreCall,
  key: string | undefined,
  isSentOnce = true,
): MoulinError {
  if (isMoulinError(thrown)) return thrown
  const { name, statusCode } = (thrown ?? {}) as Thrown
  const seconds = Number(headerOf(thrown, 'retry-after'))
  const error = failureOf(azureAnswers, {
    store,
    call,
    ...(key === undefined ? {} : { key }),
    status: typeof statusCode === 'number' ? statusCode : undefined,
    code: codeOf(thrown),
    name: typeof name === 'string' && name !== 'Error' ? name : undefined,
    requestId: headerOf(thrown, 'x-ms-request-id'),
    retryAfterMs: seconds > 0 ? seconds * 1_000 : undefined,
  })
  // The SDK does not tell how often it sent a request: what was refused may have been done by its first sending.
  return !isSentOnce && isWrite(call) ? (withOutcome(error, 'unknown') as MoulinError) : error
}

const isWrite = (call: StoreCall): boolean => call !== 'get' && call !== 'head' && call !== 'list'

/** The service's own word, also where an answer has no body; else the system's word for a connection that broke. */
function codeOf(thrown: unknown): string | undefined {
  const header = headerOf(thrown, 'x-ms-error-code')
  if (header !== undefined) return header
  const { code, name } = (thrown ?? {}) as Thrown
  if (typeof code === 'string') return code
  return typeof name === 'string' && /^\w*(Authentication|Credential)\w*Error$/.test(name) ? name : undefined
}

function headerOf(thrown: unknown, name: string): string | undefined {
  const value = ((thrown ?? {}) as Thrown).response?.headers?.get?.(name)
  return typeof value === 'string' ? value : undefined
}

/** What an answer is that the SDK takes for a good one, as the SDK throws. */
export function strangeAnswer(code: string, statusCode?: number): RestError {
  return new RestError('The answer is none.', { code, ...(statusCode === undefined ? {} : { statusCode }) })
}
