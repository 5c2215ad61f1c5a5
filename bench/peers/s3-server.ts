/** `s3Fake` in a process of its own, so that what it works shares no thread with those who ask it. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { s3Fake } from '@moulin/testing'

export interface S3Server {
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly close: () => void
}

/** What lies in the bucket from the beginning; sparse, so that it costs no memory. */
export interface SparseObjects {
  readonly prefix: string
  readonly count: number
  readonly size: number
}

export const BUCKET = 'bench'

export async function s3Server(objects: readonly SparseObjects[]): Promise<S3Server> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(objects)])
  const [told] = (await Promise.race([once(child, 'message'), once(child, 'exit').then(unmade)])) as [Told]
  return { ...told, close: () => child.disconnect() }
}

type Told = Omit<S3Server, 'close'>

function unmade(): never {
  throw new Error('The server of the bench ended before it had begun.')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fake = await s3Fake({ buckets: [BUCKET] })
  for (const { prefix, count, size } of JSON.parse(process.argv[2]!) as SparseObjects[])
    for (let n = 0; n < count; n++) fake.putSparse(BUCKET, `${prefix}${String(n).padStart(6, '0')}`, size)
  process.on('disconnect', () => process.exit())
  const { endpoint, region, credentials } = fake
  process.send!({ endpoint, region, credentials } satisfies Told)
}
