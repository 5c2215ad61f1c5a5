import { BlobServiceClient } from '@azure/storage-blob'
import type { ContainerClient } from '@azure/storage-blob'
import { checkOptions } from '@moulin/core'
import type { BucketFacts } from '@moulin/core'
import { clientOf } from './azure-client.ts'
import { azureFailure } from './azure-failure.ts'
import { azureOptionTable } from './azure-options.ts'
import type { AzureOptions } from './azure-options.ts'

/** Azure Blob Storage, Put Block: how long blocks that nobody commits are kept. */
const BLOCK_DAYS = 7
/** No such request, or none that we are let in for; the signature of a container is refused by the same words as a wrong key. */
const untold: ReadonlySet<number | undefined> = new Set([400, 401, 403, 405, 501])

/**
 * What the service for blobs tells of a container, for `moulin doctor`: soft delete of its account, and that versioning is on where the
 * container keeps versions for good. Lifecycle rules, and other versioning, are known to Azure's management API alone, which the SDK does
 * not speak: they are undefined. Two requests, which want more than the signature of a container; without it nothing is told.
 *
 * @throws `invalid` for a bad option; what any call of the store throws, but for what may not be asked.
 */
export async function azureBucketFacts(options: AzureOptions): Promise<BucketFacts> {
  checkOptions('azureBucketFacts', options, azureOptionTable)
  const { account, container } = clientOf(options)
  const name = `azure(${account}/${options.container})`
  const known = await told(name, async () => (await container()).getProperties())
  const service = await told(name, async () => serviceOf(await container()).getProperties())
  const { enabled, days = 0 } = service?.deleteRetentionPolicy ?? { enabled: false }
  return {
    versioning: known?.isImmutableStorageWithVersioningEnabled === true ? 'on' : undefined,
    lifecycle: undefined,
    ...(enabled && days > 0 ? { softDeleteDays: days } : {}),
    uploadsEndDays: BLOCK_DAYS,
  }
}

/** The account of a container, with its credential; a signature stands in the URL. */
function serviceOf({ url, credential }: ContainerClient): BlobServiceClient {
  const at = new URL(url)
  at.pathname = at.pathname.replace(/\/[^/]*\/?$/, '')
  return new BlobServiceClient(at.href, credential, { retryOptions: { maxTries: 1 } })
}

async function told<T>(name: string, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (thrown) {
    if (untold.has((thrown as { readonly statusCode?: number } | null)?.statusCode)) return undefined
    throw azureFailure(name, thrown, 'list', undefined)
  }
}
