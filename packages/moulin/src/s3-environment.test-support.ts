import type { S3Fake } from '@moulin/testing'
import { vi } from 'vitest'

/** Names the fake and its credentials as a user of the SDK does, until `vi.unstubAllEnvs`. */
export function stubS3Environment({ endpoint, region, credentials }: S3Fake): void {
  vi.stubEnv('AWS_ENDPOINT_URL', endpoint)
  vi.stubEnv('AWS_REGION', region)
  vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey)
}
