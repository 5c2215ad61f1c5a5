import { Storage } from '@google-cloud/storage'
import { isMoulinError, unavailable } from '@moulin/core'
import { OAuth2Client } from 'google-auth-library'
import type { GcsOptions, GcsToken } from './gcs-options.ts'

/** Of the packages' name and version, for the service's own logs. */
const OWN_AGENT = 'moulin/0.1.0'

/** A client that sends each request once: the layer `retry` knows what may be sent again, the SDK does not. */
export function clientOf(options: Omit<GcsOptions, 'bucket'>): Storage {
  const { projectId, apiEndpoint, credentials, token, userAgent } = options
  return new Storage({
    retryOptions: { autoRetry: false },
    userAgent: userAgent === undefined ? OWN_AGENT : `${OWN_AGENT} ${userAgent}`,
    ...(projectId === undefined ? {} : { projectId }),
    ...(apiEndpoint === undefined ? {} : { apiEndpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(token === undefined ? {} : { authClient: bearer(token) }),
    // By itself the SDK sends no credentials to an endpoint that it does not know.
    useAuthWithCustomEndpoint: isGoogles(apiEndpoint) || credentials !== undefined || token !== undefined,
  })
}

/** Where the SDK sends credentials without being told to, and we those of whoever did not name the place. */
export function isGoogles(apiEndpoint: string | undefined): boolean {
  return apiEndpoint !== undefined && /^(https:\/\/)?[\w.-]+\.googleapis\.com\/*$/.test(apiEndpoint)
}

function bearer(token: NonNullable<GcsOptions['token']>): OAuth2Client {
  const client = new OAuth2Client()
  client.refreshHandler = async () => {
    const current = await asked(token)
    // Long over, so that each request asks anew: who gives tokens out knows how long they are good.
    return { access_token: current, expiry_date: 1 }
  }
  return client
}

/** What the function throws is not shown: it may hold the request for a token. */
async function asked(token: () => Promise<GcsToken>): Promise<string> {
  try {
    return (await token()).token
  } catch (error) {
    if (isMoulinError(error)) throw error
    const name = error instanceof Error ? error.name : typeof error
    throw unavailable('CREDENTIALS', `gcs: the function in the option token threw (${name}): mend it.`, {
      context: { name },
      retryable: false,
    })
  }
}
