import { S3Client } from '@aws-sdk/client-s3'
import type { S3Options } from './s3-options.ts'

/** Of the packages' name and version, for the service's own logs. */
const OWN_AGENT = 'moulin/0.1.0'

/** A client that sends each request once: the layer `retry` knows what may be sent again, the SDK does not. */
export function clientOf(options: Omit<S3Options, 'bucket'>): S3Client {
  const { region, endpoint, credentials, userAgent } = options
  return new S3Client({
    maxAttempts: 1,
    // S3 refuses chunks under 8 KiB, and some servers cut the connection.
    requestStreamBufferSize: 64 * 1024,
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    customUserAgent: userAgent === undefined ? OWN_AGENT : `${OWN_AGENT} ${userAgent}`,
    ...(region === undefined ? (endpoint === undefined ? {} : { region: 'us-east-1' }) : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  })
}
