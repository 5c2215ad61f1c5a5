import {
  AnonymousCredential,
  BlobServiceClient,
  ContainerClient,
  newPipeline,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import type { StoragePipelineOptions } from '@azure/storage-blob'
import { invalid, isMoulinError, unavailable } from '@moulin/core'
import type { AzureCredential, AzureOptions, AzureTokenCredential } from './azure-options.ts'

/** Of the packages' name and version, for the service's own logs. */
const OWN_AGENT = 'moulin/0.1.0'
const DOMAIN = 'core.windows.net'

/** The container as the SDK knows it, and by what it is named. */
export interface AzureClient {
  readonly account: string
  readonly domain: string
  /** Anew for each request, for signatures run out. */
  readonly container: () => ContainerClient | Promise<ContainerClient>
  /** False: the SDK may send a request again by itself. */
  readonly isSentOnce: boolean
}

/**
 * @throws `invalid` code `OPTION` for options that contradict each other, or of which an account does not follow; code `BUCKET` for no name
 * of a container.
 */
export function clientOf(options: AzureOptions): AzureClient {
  // Before the SDK makes a URL of them, or says of one that it is none.
  checkContainer(options.container)
  if (options.account !== undefined) checkAccount(options.account)
  const made = options.client === undefined ? madeClient(options) : ownClient(options, options.client)
  checkAccount(made.account)
  return made
}

/** What a client was made with cannot be changed by an option, which would be passed over. */
function ownClient(options: AzureOptions, client: ContainerClient | BlobServiceClient): AzureClient {
  if (!isOfService(client) && !isOfContainer(client))
    throw refused('client is no ContainerClient and no BlobServiceClient of @azure/storage-blob.', 'client')
  for (const name of ['account', 'endpoint', 'credential', 'userAgent'] as const) {
    if (options[name] !== undefined)
      throw refused(`${name} is given with the client, or without one: leave it out here.`, name)
  }
  const container = isOfService(client) ? client.getContainerClient(options.container) : client
  if (container.containerName !== options.container)
    throw refused(`the client is of the container ${JSON.stringify(container.containerName)}.`, 'container')
  return {
    account: container.accountName,
    domain: options.domain ?? domainOf(container.url, container.accountName),
    container: () => container,
    isSentOnce: triesOf(client) === 1,
  }
}

function isOfService(client: object): client is BlobServiceClient {
  return client instanceof BlobServiceClient || 'getContainerClient' in client
}

function isOfContainer(client: object): client is ContainerClient {
  return client instanceof ContainerClient || ('containerName' in client && 'getBlockBlobClient' in client)
}

/** What its maker asked for, where the SDK keeps it. */
function triesOf(client: object): unknown {
  const { pipeline } = client as {
    readonly pipeline?: { readonly options?: { readonly retryOptions?: { readonly maxTries?: unknown } } }
  }
  return pipeline?.options?.retryOptions?.maxTries
}

/** A client that sends each request once: the layer `retry` knows what may be sent again, the SDK does not. */
function madeClient(options: AzureOptions): AzureClient {
  const { container, credential, userAgent } = options
  const pipelineOptions: StoragePipelineOptions = {
    retryOptions: { maxTries: 1 },
    userAgentOptions: { userAgentPrefix: userAgent === undefined ? OWN_AGENT : `${OWN_AGENT} ${userAgent}` },
  }
  if (credential !== undefined && 'connectionString' in credential) {
    if (options.endpoint !== undefined)
      throw refused('endpoint is given, and a connection string, which has its own: leave one out.', 'endpoint')
    const known = fromConnectionString(container, credential.connectionString, pipelineOptions)
    if (options.account !== undefined && options.account !== known.accountName)
      throw refused('the connection string is of another account.', 'account')
    const domain = options.domain ?? domainOf(known.url, known.accountName)
    return { account: known.accountName, domain, container: () => known, isSentOnce: true }
  }
  const { account } = options
  if (account === undefined)
    throw refused('account is missing; it must be given, or a client, or a credential { connectionString }.', 'account')
  const endpoint = options.endpoint ?? `https://${account}.blob.${options.domain ?? DOMAIN}`
  const url = `${endpoint.replace(/\/+$/, '')}/${container}`
  const named = { account, domain: options.domain ?? domainOf(endpoint, account), isSentOnce: true }
  if (credential !== undefined && 'sasToken' in credential) {
    return { ...named, container: signed(url, credential.sasToken, pipelineOptions) }
  }
  const made = new ContainerClient(url, newPipeline(credentialOf(account, credential), pipelineOptions))
  return { ...named, container: () => made }
}

/** A signature is part of each URL: a client is made for each new one. */
function signed(
  url: string,
  token: string | (() => Promise<string>),
  pipelineOptions: StoragePipelineOptions,
): () => ContainerClient | Promise<ContainerClient> {
  const withToken = (text: string): ContainerClient =>
    new ContainerClient(`${url}?${text.replace(/^\?/, '')}`, newPipeline(new AnonymousCredential(), pipelineOptions))
  if (typeof token === 'string') {
    const made = withToken(token)
    return () => made
  }
  let last: { readonly text: string; readonly client: ContainerClient } | undefined
  return async () => {
    const text = await token().catch(unsigned)
    if (last?.text !== text) last = { text, client: withToken(text) }
    return last.client
  }
}

/** What a function of others throws may quote what it had. */
function unsigned(thrown: unknown): never {
  if (isMoulinError(thrown)) throw thrown
  throw unavailable('CREDENTIALS', 'The function sasToken has given no signature: it failed.', { retryable: false })
}

function credentialOf(
  account: string,
  credential: Exclude<AzureCredential, { connectionString: string } | { sasToken: unknown }> | undefined,
): StorageSharedKeyCredential | AnonymousCredential | AzureTokenCredential {
  if (credential === undefined) return new AnonymousCredential()
  return 'accountKey' in credential ? new StorageSharedKeyCredential(account, credential.accountKey) : credential
}

function fromConnectionString(
  container: string,
  text: string,
  pipelineOptions: StoragePipelineOptions,
): ContainerClient {
  try {
    return new ContainerClient(text, container, pipelineOptions)
  } catch {
    // What the SDK throws may quote it.
    throw refused('the connection string is none of a storage account.', 'credential')
  }
}

/** `core.windows.net` of `https://account.blob.core.windows.net`. */
function domainOf(url: string, account: string): string {
  const { hostname } = new URL(url)
  const start = `${account}.blob.`
  return hostname.startsWith(start) ? hostname.slice(start.length) : DOMAIN
}

function checkContainer(container: string): void {
  if (/^(\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,62})$/.test(container)) return
  const message = `azure: ${JSON.stringify(container)} is no name of a container: 3 to 63 small letters, digits and single hyphens. A path in it is given as prefix.`
  throw invalid('BUCKET', message, { context: { container } })
}

// Not shown: it may be a URL with a signature.
function checkAccount(account: string): void {
  if (/^[a-z0-9][a-z0-9-]{1,62}$/.test(account)) return
  throw refused('account is no name of a storage account: 3 to 24 small letters and digits.', 'account')
}

function refused(sentence: string, name: string): Error {
  return invalid('OPTION', `azure: ${sentence}`, { context: { option: name } })
}
