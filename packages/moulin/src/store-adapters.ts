import type { BucketFacts, BucketPlace, ObjectStore, RenewedAccess, Runtime, TableStores } from '@moulin/core'
import { invalid, isMoulinError, messageOf, notFound, unsupported } from '@moulin/core'
import { limit, meter, retry } from '@moulin/storage'

/** Options of an adapter, which checks them itself: its region, endpoint, credentials, order of lists. */
export type StorageOptions = Readonly<Record<string, unknown>>

/** What of a store is opened, and how. */
export interface StoreRequest {
  readonly place: BucketPlace
  readonly storage: StorageOptions
  readonly runtime: Runtime
}

interface Adapter {
  readonly package: string
  /** Names of what the package exports. */
  readonly factory: string
  readonly facts: string
  /** That finds the stores of tables by location. */
  readonly stores: string
  /** Written out: bundlers look for words, and one that finds no package here leaves the import as it is. */
  load(): Promise<object>
  at(place: BucketPlace): StorageOptions
}

const adapters: Readonly<Record<BucketPlace['kind'], Adapter>> = {
  s3: {
    package: '@moulin/storage-s3',
    factory: 's3',
    facts: 's3BucketFacts',
    stores: 's3Stores',
    load: () => import('@moulin/storage-s3').catch(rethrown),
    at: ({ bucket, prefix }) => ({ bucket, prefix }),
  },
  gcs: {
    package: '@moulin/storage-gcs',
    factory: 'gcs',
    facts: 'gcsBucketFacts',
    stores: 'gcsStores',
    load: () => import('@moulin/storage-gcs').catch(rethrown),
    at: ({ bucket, prefix }) => ({ bucket, prefix }),
  },
  azure: {
    package: '@moulin/storage-azure',
    factory: 'azure',
    facts: 'azureBucketFacts',
    stores: 'azureStores',
    load: () => import('@moulin/storage-azure').catch(rethrown),
    at: ({ account, bucket, prefix }) => ({ account, container: bucket, prefix }),
  },
}

/**
 * The store of a place, as its adapter gives it: each call is one try.
 * @throws `unsupported` code `ADAPTER_MISSING` with the package to install; `invalid` for options that the adapter does not take.
 */
export async function bareStore(what: string, { place, storage, runtime }: StoreRequest): Promise<ObjectStore> {
  const { at, factory } = adapters[place.kind]
  const given = Object.keys(at(place)).find((name) => name in storage)
  if (given !== undefined)
    throw invalid('OPTION', `${what}: storage.${given} is said by the URL already: leave it out.`, {
      context: { option: `storage.${given}` },
    })
  const make = await exportOf(what, place.kind, factory, urlOf(place))
  return make({ runtime, ...storage, ...at(place) }) as ObjectStore
}

/** {@link bareStore} under the layers of docs/stores.md that every place wants: counted, bounded, tried again. */
export async function layeredStore(what: string, request: StoreRequest): Promise<ObjectStore> {
  const { runtime } = request
  const bare = await bareStore(what, request)
  // Its own name: whoever reads a message knows the place, not the layers.
  return { ...retry(limit(meter(bare, { runtime })), { runtime }), name: bare.name }
}

/** Undefined where the adapter cannot tell. */
export async function bucketFacts(what: string, { place, storage }: StoreRequest): Promise<BucketFacts | undefined> {
  const { at, facts } = adapters[place.kind]
  const look = (await adapterOf(what, place.kind, urlOf(place)))[facts]
  if (typeof look !== 'function') return undefined
  return (await (look as (options: StorageOptions) => Promise<BucketFacts>)({
    ...storage,
    ...at(place),
  })) as BucketFacts
}

/**
 * Finds the stores of tables whose files lie with that vendor: `s3Stores` and its like.
 * @throws `unsupported` code `ADAPTER_MISSING` with the package to install.
 */
export async function tableStores(
  what: string,
  kind: BucketPlace['kind'],
  options: { readonly renew?: (location: string, signal?: AbortSignal) => Promise<RenewedAccess> },
): Promise<TableStores> {
  const { stores } = adapters[kind]
  return (await exportOf(what, kind, stores))(options) as TableStores
}

/** The place as a URL, as it is written. */
export function urlOf({ kind, account, bucket, prefix }: BucketPlace): string {
  if (kind === 'azure') return `az://${account}/${bucket}/${prefix}`
  return `${kind === 'gcs' ? 'gs' : 's3'}://${bucket}/${prefix}`
}

type Exports = Readonly<Record<string, unknown>>

async function adapterOf(what: string, kind: BucketPlace['kind'], where: string): Promise<Exports> {
  const { package: name, load } = adapters[kind]
  try {
    return (await load()) as Exports
  } catch (error) {
    if (!isMissing(name, error)) throw error
    const message = `${what}: ${where} needs the package ${name}, which is not installed here: npm install ${name}`
    throw unsupported('ADAPTER_MISSING', message, { context: { package: name }, cause: error })
  }
}

async function exportOf(
  what: string,
  kind: BucketPlace['kind'],
  name: string,
  where: string = `a table in ${kind}`,
): Promise<(options: object) => unknown> {
  const made = (await adapterOf(what, kind, where))[name]
  if (typeof made === 'function') return made as (options: object) => unknown
  const { package: adapter } = adapters[kind]
  const message = `${what}: the package ${adapter} that is installed here has no ${name}: install the version of moulin.`
  throw notFound('ADAPTER_OUTDATED', message, { context: { package: adapter } })
}

/** Whether Node has not found that very package; not one that it needs in its turn. */
export function isMissing(name: string, error: unknown): boolean {
  if (isMoulinError(error) || (error as { readonly code?: unknown } | null)?.code !== 'ERR_MODULE_NOT_FOUND')
    return false
  return /^Cannot find (?:package|module) '([^']*)'/.exec(messageOf(error))?.[1] === name
}

// Bundlers take an import whose failure is caught for one that may fail.
function rethrown(error: unknown): never {
  throw error
}
