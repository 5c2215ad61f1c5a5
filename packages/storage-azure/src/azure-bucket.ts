import type {
  BlobRequestConditions,
  BlockBlobClient,
  BlockBlobUploadOptions,
  ContainerClient,
  ContainerListBlobFlatSegmentResponse,
  ContainerListBlobsOptions,
} from '@azure/storage-blob'
import { invalid, md5Of } from '@moulin/core'
import type {
  Bucket,
  BucketDeleteFailure,
  BucketObject,
  BucketUpload,
  BucketWrite,
  Runtime,
  StoreCall,
} from '@moulin/core'
import { OWN_CODES } from './azure-answers.ts'
import type { AzureClient } from './azure-client.ts'
import { azureFailure, strangeAnswer } from './azure-failure.ts'
import type { AzureOptions } from './azure-options.ts'
import { readBlob, tagOf } from './azure-read.ts'

/** Name of the attempt id among a blob's metadata, which takes identifiers of C# alone. */
const ATTEMPT = 'moulinattempt'

export interface AzureBucketOptions extends Pick<AzureOptions, 'storageClass' | 'encryptionScope'> {
  readonly name: string
  readonly client: AzureClient
  readonly random: Pick<Runtime['random'], 'uuid'>
}

/** The requests of Azure Blob Storage, each sent once by the SDK. */
export function azureBucket(options: AzureBucketOptions): Bucket {
  const { name, client, random } = options
  const { storageClass, encryptionScope } = options
  const blobOf = async (key: string): Promise<BlockBlobClient> => {
    checkName(name, key)
    return (await client.container()).getBlockBlobClient(key)
  }
  const failure = (thrown: unknown, call: StoreCall, key: string | undefined): ReturnType<Bucket['failure']> =>
    azureFailure(name, thrown, call, key, client.isSentOnce)
  /** Of a new blob, however it is sent. */
  const about = ({ mode, attemptId }: BucketWrite): BlockBlobUploadOptions => ({
    ...(mode === 'overwrite'
      ? {}
      : { conditions: mode === 'create' ? { ifNoneMatch: '*' } : { ifMatch: mode.ifMatch } }),
    ...(attemptId === undefined ? {} : { metadata: { [ATTEMPT]: attemptId } }),
    ...(storageClass === undefined ? {} : { tier: storageClass }),
    ...(encryptionScope === undefined ? {} : { encryptionScope }),
  })
  // A signature for a prefix or without the right to batches has deletes all the same.
  let isBatchRefused = false

  return {
    async get(key, { range, ifMatch, ifNoneMatch }, signal, onBytes) {
      const conditions: BlobRequestConditions = {
        ...(ifMatch === undefined ? {} : { ifMatch }),
        ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
      }
      return await readBlob(name, await blobOf(key), key, range, { conditions, abortSignal: signal, onBytes })
    },

    async head(key, signal): Promise<BucketObject | undefined> {
      try {
        const answer = await (await blobOf(key)).getProperties({ abortSignal: signal })
        return {
          key,
          size: answer.contentLength ?? 0,
          etag: tagOf(answer.etag),
          modifiedMs: answer.lastModified?.getTime() ?? 0,
          attemptId: answer.metadata?.[ATTEMPT],
        }
      } catch (thrown) {
        if (failure(thrown, 'head', key).kind === 'not-found') return undefined
        throw thrown
      }
    },

    async put(key, bytes, write, signal) {
      const transactionalContentMD5 = md5Of(bytes)
      const answer = await (
        await blobOf(key)
      ).upload(bytes, bytes.length, {
        ...about(write),
        transactionalContentMD5,
        contentChecksumAlgorithm: 'Customized',
        abortSignal: signal,
      })
      return { etag: tagOf(answer.etag) }
    },

    beginUpload(key, write): Promise<BucketUpload> {
      // Blocks belong to the blob's name, not to an upload: those of two writers must differ, and all be named at the same length.
      const id = random.uuid()
      const idOf = (number: number): string =>
        Buffer.from(`${id}-${String(number).padStart(5, '0')}`).toString('base64')
      let last = 0
      return Promise.resolve({
        async part(number, bytes, signal) {
          last = Math.max(last, number)
          const transactionalContentMD5 = md5Of(bytes)
          await (
            await blobOf(key)
          ).stageBlock(idOf(number), bytes, bytes.length, {
            transactionalContentMD5,
            contentChecksumAlgorithm: 'Customized',
            ...(encryptionScope === undefined ? {} : { encryptionScope }),
            abortSignal: signal,
          })
        },
        async complete(signal) {
          const ids = Array.from({ length: last }, (_, at) => idOf(at + 1))
          const answer = await (await blobOf(key)).commitBlockList(ids, { ...about(write), abortSignal: signal })
          return { etag: tagOf(answer.etag) }
        },
        // No request removes blocks one by one: they go with the key's next put or commit, or in a week.
        abort: () => Promise.resolve(),
      })
    },

    async delete(key, signal) {
      try {
        const { version } = await (await blobOf(key)).delete({ abortSignal: signal })
        // The status alone may be that of a page of something between.
        if (version === undefined) throw strangeAnswer(OWN_CODES.strange)
      } catch (thrown) {
        if (failure(thrown, 'delete', key).kind !== 'not-found') throw thrown
      }
    },

    async deleteBatch(all, signal) {
      const keys = all.filter(isName)
      const failures: BucketDeleteFailure[] = all
        .filter((key) => !isName(key))
        .map((key) => ({ key, thrown: badName(name, key) }))
      if (isBatchRefused || keys.length < 2) return undefined
      try {
        return [...failures, ...(await batchOf(await client.container(), keys, signal))]
      } catch (thrown) {
        const { verdict } = failure(thrown, 'delete', undefined).context
        if (verdict !== 'forbidden' && verdict !== 'lacking' && verdict !== 'refused') throw thrown
        isBatchRefused = true
        return undefined
      }
    },

    async listPage({ prefix, token }, signal) {
      const ask: ContainerListBlobsOptions = { prefix, includeMetadata: true, abortSignal: signal }
      const pages = (await client.container())
        .listBlobsFlat(ask)
        .byPage(token === undefined ? {} : { continuationToken: token })
      const next: IteratorResult<ContainerListBlobFlatSegmentResponse, undefined> = await pages.next()
      const page = next.value
      // A page of some gateway's is no empty list.
      if (page?.serviceEndpoint === undefined) throw strangeAnswer(OWN_CODES.strange)
      const blobs = page.segment.blobItems.filter(({ metadata }) => metadata?.['hdi_isfolder'] !== 'true')
      return {
        infos: blobs.map(({ name: key, properties }) => ({
          key,
          size: properties.contentLength ?? 0,
          etag: tagOf(properties.etag),
          modifiedMs: properties.lastModified.getTime(),
        })),
        token: page.continuationToken === '' ? undefined : page.continuationToken,
      }
    },

    failure,
  }
}

/** What went wrong of a batch; a missing blob is fine. */
async function batchOf(
  container: ContainerClient,
  keys: readonly string[],
  abortSignal: AbortSignal,
): Promise<readonly BucketDeleteFailure[]> {
  const client = container.getBlobBatchClient()
  const batch = client.createBatch()
  for (const key of keys) await batch.deleteBlob(container.getBlobClient(key))
  const { subResponses } = await client.submitBatch(batch, { abortSignal })
  return keys.flatMap((key, at) => {
    // One that the answer does not tell of is as if there were none.
    const answer = subResponses[at]
    if (answer !== undefined && (answer.status < 300 || answer.errorCode === 'BlobNotFound')) return []
    return [{ key, thrown: { statusCode: answer?.status, code: answer?.errorCode } }]
  })
}

/** The service takes a backslash for a slash and lets go of dots at the end: two keys would be one blob. */
function isName(key: string): boolean {
  return !/\\|\.(\/|$)/.test(key)
}

function checkName(store: string, key: string): void {
  if (!isName(key)) throw badName(store, key)
}

function badName(store: string, key: string): Error {
  const message = `The key ${JSON.stringify(key)} has a backslash, or a segment that ends in a dot: ${store} would store it as another key.`
  return invalid('KEY', message, { context: { store, key } })
}
