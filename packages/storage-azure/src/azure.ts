import { bucketStore, checkOptions, MAX_REQUEST_BYTES, systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { azureBucket } from './azure-bucket.ts'
import { clientOf } from './azure-client.ts'
import { azureOptionTable } from './azure-options.ts'
import type { AzureOptions } from './azure-options.ts'

const MIB = 1024 * 1024

/**
 * A container of Azure Blob Storage as an `ObjectStore` with all capabilities. Its root is
 * `abfss://container@account.dfs.core.windows.net/prefix/`, which engines open as it stands; `abfs:` means the same, and `wasbs:` and
 * `wasb:` at `account.blob.core.windows.net`.
 *
 * Every write of a create or a swap carries an attempt id in the blob's metadata, by which an answer that was lost is settled: see
 * `settledWrite`. Requests are sent once; lay `retry` of `@moulin/storage` over it.
 *
 * Nothing is asked of the service here: a wrong account, container or key shows at the first call.
 *
 * @throws `invalid` for a bad option.
 *
 * @example
 * const store = azure({ account: 'lake', container: 'logs', prefix: 'orders/', credential: new DefaultAzureCredential() })
 * const local = azure({ container: 'logs', credential: { connectionString: 'UseDevelopmentStorage=true' } })
 */
export function azure(options: AzureOptions): ObjectStore {
  checkOptions('azure', options, azureOptionTable)
  const { container, prefix = '', runtime = systemRuntime(), storageClass, encryptionScope } = options
  const client = clientOf(options)
  const at = (scheme: string, service: string): string =>
    `${scheme}://${container}@${client.account}.${service}.${client.domain}/`
  const name = `azure(${client.account}/${container}/${prefix})`
  const requests = azureBucket({
    name,
    client,
    random: runtime.random,
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(encryptionScope === undefined ? {} : { encryptionScope }),
  })
  return bucketStore(requests, {
    name,
    bucketRoot: at('abfss', 'dfs'),
    bucketAliases: [at('abfs', 'dfs'), at('wasbs', 'blob'), at('wasb', 'blob')],
    prefix,
    durability: options.durability ?? 'zone',
    // An account with a hierarchical namespace lists a folder's content before the folder's longer namesakes.
    listOrder: options.listOrder ?? 'none',
    runtime,
    deadlineMs: options.deadlineMs ?? 30_000,
    partBytes: options.partBytes ?? 8 * MIB,
    minPartBytes: 1,
    maxParts: 10_000,
    parallelParts: options.parallelParts ?? 4,
    maxPutBytes: options.maxPutBytes ?? MAX_REQUEST_BYTES,
    maxBatchKeys: 256,
    attemptIds: true,
  })
}
