import { once } from 'node:events'
import { systemRuntime } from '@moulin/core'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { StorageOptions } from '@google-cloud/storage'
import { Storage } from '@google-cloud/storage'
import { onTestFinished } from 'vitest'
import type { GcsFake } from './gcs-fake.ts'
import { gcsFake } from './gcs-fake.ts'
import type { GcsFakeOptions } from './gcs-options.ts'

const { timers } = systemRuntime()

/** A fake with the bucket `lake`, gone with the test, and the vendor's own client before it. */
export async function gcsWithClient(options: GcsFakeOptions = {}) {
  const fake = await gcsFake({ buckets: ['lake'], ...options })
  onTestFinished(() => fake.close())
  return { fake, ...gcsBenchOf(fake.endpoint) }
}

/** `endpoint` may be that of a proxy. */
export function gcsBenchOf(endpoint: string, options: StorageOptions = {}) {
  const client = new Storage({
    apiEndpoint: endpoint,
    projectId: 'test',
    retryOptions: { autoRetry: false },
    ...options,
  })
  const bucket = client.bucket('lake')
  const file = (key: string, options?: object) => bucket.file(key, options)
  return {
    client,
    bucket,
    file,
    put: async (key: string, bytes: string | Buffer, ifGenerationMatch?: number | string, more: object = {}) => {
      const made = file(key)
      const preconditionOpts = ifGenerationMatch === undefined ? {} : { ifGenerationMatch }
      await made.save(bytes, { resumable: false, validation: false, preconditionOpts, ...more })
      return String(made.metadata.generation)
    },
    text: async (key: string, more: object = {}) => (await file(key).download(more))[0].toString(),
    told: async (key: string) => (await file(key).getMetadata())[0],
  }
}

/** `200`, or `412 conditionNotMet`, or `no answer`: what the client was told. */
export async function gcsSaid(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return '200'
  } catch (error) {
    const { code, errors = [] } = error as {
      readonly code?: unknown
      readonly errors?: readonly { readonly reason?: string }[]
    }
    return typeof code === 'number' ? `${code} ${errors[0]?.reason ?? ''}`.trim() : 'no answer'
  }
}

/** A request whose body comes when the test says so. */
export function slowRequest(fake: GcsFake, method: string, target: string, length: number) {
  const outgoing = request(fake.endpoint + target, { method, headers: { 'content-length': length } })
  const before = fake.requests.length
  const answer = (async () => {
    try {
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
      incoming.resume()
      return String(incoming.statusCode)
    } catch {
      return 'no answer'
    }
  })()
  return {
    answer,
    write: (text: string) => void outgoing.write(text),
    end: (text: string) => void outgoing.end(text),
    destroy: () => void outgoing.destroy(),
    /** Its head is there. */
    async arrived() {
      while (fake.requests.length === before) await timers.turn()
    },
  }
}
