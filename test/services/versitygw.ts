import { mkdirSync } from 'node:fs'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { freePorts, goProgram, isListening, startService } from './service-process.ts'
import type { S3Service } from './service-process.ts'

const VERSION = 'v1.8.0'

/** versitygw on loopback over a folder, with data that go with it. The folder's file system must have extended attributes. */
export async function versitygw(): Promise<S3Service> {
  const name = `versitygw ${VERSION.slice(1)}`
  const [port] = (await freePorts(1)) as [number]
  const credentials = { accessKeyId: 'moulin', secretAccessKey: 'moulin-secret' }
  const { close } = await startService({
    name,
    command: await goProgram('github.com/versity/versitygw/cmd/versitygw', VERSION),
    args(data) {
      const folder = `${data}/root`
      mkdirSync(folder)
      const { accessKeyId, secretAccessKey } = credentials
      const access = ['--access', accessKeyId, '--secret', secretAccessKey, '--region', 'us-east-1']
      return [...access, '--port', `127.0.0.1:${port}`, '--quiet', 'posix', folder]
    },
    isUp: () => isListening(port),
  })
  const endpoint = `http://127.0.0.1:${port}`
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true })
  // A folder that somebody made is no bucket.
  await client.send(new CreateBucketCommand({ Bucket: 'moulin' }))
  client.destroy()
  return { name, endpoint, bucket: 'moulin', credentials, close }
}
