import { createHash, createHmac } from 'node:crypto'
import type { Hash, Hmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import { TABLES_ROLE } from './seaweedfs.ts'
import type { SeaweedFs } from './seaweedfs.ts'

/** As the signer of the SDK wants it. */
class Sha256 {
  readonly #hash: Hash | Hmac
  constructor(key?: string | Uint8Array) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key)
  }
  update(bytes: string | Uint8Array): void {
    this.#hash.update(bytes)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()))
  }
}

/** Credentials for all buckets that SeaweedFS refuses after `vendedSeconds`, by the names of Iceberg's properties. */
export async function assumedRole(service: SeaweedFs): Promise<Record<string, string>> {
  const { endpoint, region, credentials } = service
  const signer = new SignatureV4({ service: 'sts', region, credentials, sha256: Sha256 as never })
  const { hostname, port, host } = new URL(endpoint)
  const form = { Action: 'AssumeRole', Version: '2011-06-15', RoleArn: TABLES_ROLE, RoleSessionName: 'shop' }
  const signed = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: '/',
    headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
    body: String(new URLSearchParams(form)),
  })
  const answer = await fetch(endpoint, { method: 'POST', headers: signed.headers, body: signed.body as string })
  const text = await answer.text()
  const said = (name: string): string => {
    const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
    if (found === undefined) throw new Error(`SeaweedFS gave no ${name}: ${answer.status} ${text}`)
    return found
  }
  return {
    's3.access-key-id': said('AccessKeyId'),
    's3.secret-access-key': said('SecretAccessKey'),
    's3.session-token': said('SessionToken'),
    's3.session-token-expires-at-ms': String(Date.parse(said('Expiration'))),
  }
}
