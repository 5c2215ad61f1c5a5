import { checkOptions, option } from '@moulin/core'
import type { RestAuth } from './auth.ts'

/** As the signers of AWS's SDK take and give it (`SignatureV4` of `@smithy/signature-v4`). */
export interface SignedRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query: Record<string, string>
  readonly headers: Record<string, string>
  readonly body?: Uint8Array
}

export interface RequestSigner {
  sign(request: SignedRequest): Promise<{ readonly headers: Readonly<Record<string, string>> }>
}

export interface SigV4Options {
  /** Knows credentials, region and service: `new SignatureV4({ service: 's3tables', region, credentials, sha256 })`. */
  readonly signer: RequestSigner
}

/**
 * Requests signed as AWS wants them: for S3 Tables (service `s3tables`) and Glue (service `glue`). The signer is the SDK's, or any
 * that has its shape: nothing of an SDK is loaded here.
 * @throws `invalid` for a bad option.
 *
 * @example
 * restCatalog({ uri: 'https://s3tables.eu-west-1.amazonaws.com/iceberg', warehouse: arn, auth: sigV4({ signer }) })
 */
export function sigV4(options: SigV4Options): RestAuth {
  checkOptions('sigV4', options, { signer: option.required(option.secret(option.door('a signer', ['sign']))) })
  const { signer } = options
  return {
    name: 'sigV4',
    open: () => ({
      async headersOf({ method, url, headers, body }) {
        const { protocol, hostname, host, port, pathname, searchParams } = new URL(url)
        const request: SignedRequest = {
          method,
          protocol,
          hostname,
          ...(port === '' ? {} : { port: Number(port) }),
          path: pathname,
          query: Object.fromEntries(searchParams),
          headers: { ...headers, host },
          ...(body === undefined ? {} : { body }),
        }
        const { host: _, ...signed } = (await signer.sign(request)).headers
        return signed
      },
      // Credentials that have run out are the signer's to fetch anew.
      renew: () => true,
      secrets: () => [],
    }),
  }
}
