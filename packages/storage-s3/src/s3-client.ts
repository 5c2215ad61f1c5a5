import { S3Client } from '@aws-sdk/client-s3'
import { isMoulinError, unavailable } from '@moulin/core'
import type { MoulinError } from '@moulin/core'
import { isIdentity } from './s3-options.ts'
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
    ...(credentials === undefined ? {} : { credentials: guarded(credentials) }),
  })
}

/** The SDK reads these by itself, and would look for the bucket in the name of that host. */
function isEndpointNamed(environment: Readonly<Record<string, string | undefined>>): boolean {
  return ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'].some((name) => (environment[name] ?? '') !== '')
}

type Credentials = NonNullable<S3Options['credentials']>

/** A function that fails, or gives none, has sent nothing; what it throws may hold what it was asked for. */
function guarded(credentials: Credentials): Credentials {
  if (typeof credentials !== 'function') return credentials
  return async (...asked) => {
    let given
    try {
      given = await credentials(...asked)
    } catch (thrown) {
      throw isMoulinError(thrown) ? thrown : without('failed')
    }
    if (!isIdentity(given)) throw without('gave none')
    return given
  }
}

function without(what: string): MoulinError {
  const message = `The function that was to give credentials ${what}: nothing was sent.`
  return unavailable('CREDENTIALS', message, { retryable: false })
}
