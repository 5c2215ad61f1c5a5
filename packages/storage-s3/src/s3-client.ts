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
    forcePathStyle: options.pathStyle ?? (endpoint !== undefined || isEndpointNamed(process.env)),
    customUserAgent: userAgent === undefined ? OWN_AGENT : `${OWN_AGENT} ${userAgent}`,
    ...(region === undefined ? (endpoint === undefined ? {} : { region: 'us-east-1' }) : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  })
}

/** The SDK reads these by itself, and would look for the bucket in the name of that host. */
function isEndpointNamed(environment: Readonly<Record<string, string | undefined>>): boolean {
  return ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'].some((name) => (environment[name] ?? '') !== '')
}
