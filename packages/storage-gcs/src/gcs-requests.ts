import { ApiError } from '@google-cloud/storage'
import type { Bucket } from '@google-cloud/storage'
import { joinBytes, parseJson, stringifyJson } from '@moulin/core'

/** A request of the JSON API, as the SDK's own low door takes it: with its credentials, endpoint, names and retries. */
export interface GcsRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the bucket, or whole. */
  readonly uri: string
  readonly qs?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: object
  readonly body?: Uint8Array
  readonly multipart?: readonly object[]
  /** Fewer than the client is made for. */
  readonly maxRetries?: 0
}

export interface GcsReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Of JSON, parsed. */
  readonly body: unknown
}

type Response = {
  readonly statusCode: number
  readonly statusMessage: string
  readonly headers: Readonly<Record<string, string>>
}

/** @throws what the SDK throws, `{ code: status, errors, response }` where there was an answer. */
export function asked(bucket: Bucket, { body, ...request }: GcsRequest): Promise<GcsReply> {
  const bytes = body === undefined ? {} : { body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) }
  return new Promise((resolve, reject) => {
    bucket.request({ ...request, ...bytes } as never, (error, answer, response) => {
      if (error !== null && error !== undefined) reject(error)
      else {
        const { statusCode: status, headers } = response as unknown as Response
        resolve({ status, headers, body: answer })
      }
    })
  })
}

/**
 * Of an insert: what is said of an object, then its bytes, which each try sends anew. `onTry` is called for each. The SDK's own `save` loses
 * its own errors where they come while it still writes.
 */
export function insertParts(about: object, bytes: Uint8Array, onTry: () => void): readonly object[] {
  const body = {
    pipe(to: NodeJS.WritableStream): void {
      onTry()
      if (bytes.length > 0) to.write(bytes)
    },
    on(_end: 'end', listener: () => void): void {
      queueMicrotask(listener)
    },
  }
  return [
    { 'Content-Type': 'application/json', body: stringifyJson(about) },
    { 'Content-Type': 'application/octet-stream', body },
  ]
}

const MAX_ERROR_BYTES = 64 * 1024

/**
 * An answer's bytes as they are stored. The SDK's own reading knows no conditions, and does not tell who stops waiting from what was cut.
 * @throws what the SDK throws; for a status that is no success the same as {@link asked}.
 */
export function askedForBytes(
  bucket: Bucket,
  { uri, qs, headers }: GcsRequest,
  signal: AbortSignal,
  onBytes: () => void,
): Promise<{ readonly headers: Readonly<Record<string, string>>; readonly bytes: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const request = bucket.requestStream({ uri, qs, headers } as never) as unknown as NodeJS.ReadableStream
    request.on('error', reject)
    request.on('response', (response: Response & NodeJS.ReadableStream & { destroy(): void }) => {
      const { statusCode, statusMessage, headers: told } = response
      const isGood = statusCode >= 200 && statusCode < 300
      const chunks: Uint8Array[] = []
      let length = 0
      // Nobody waits for it any more: the connection is free again.
      const stop = (): void => response.destroy()
      if (signal.aborted) stop()
      signal.addEventListener('abort', stop, { once: true })
      const over = (): void => signal.removeEventListener('abort', stop)
      response.on('data', (chunk: Uint8Array) => {
        onBytes()
        if (!isGood && length > MAX_ERROR_BYTES) return
        chunks.push(chunk)
        length += chunk.length
      })
      response.on('error', (error) => {
        over()
        reject(error as Error)
      })
      response.on('end', () => {
        over()
        const bytes = joinBytes(chunks)
        if (isGood) resolve({ headers: told, bytes })
        else reject(refusalOf(statusCode, statusMessage, Buffer.from(bytes).toString(), response))
      })
    })
    // What the SDK pipes beside it must run off, or the answer stops.
    request.resume()
  })
}

/** To a request for bytes a refusal comes as plain text, or as JSON like any other. */
function refusalOf(code: number, statusMessage: string, text: string, response: object): ApiError {
  const errors = reasonsIn(text)
  const message = errors[0]?.message ?? (text === '' ? statusMessage : text)
  return new ApiError({ code, message, errors, response } as never)
}

function reasonsIn(text: string): readonly { readonly reason?: string; readonly message?: string }[] {
  try {
    const { error } = parseJson(text, 'a refusal') as { readonly error?: { readonly errors?: never[] } }
    return error?.errors ?? []
  } catch {
    return []
  }
}
