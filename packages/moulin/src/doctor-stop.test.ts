import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMoulinError, systemRuntime } from '@moulin/core'
import { faultProxy, s3Fake } from '@moulin/testing'
import type { FaultProxy, ProxyRule, S3Fake } from '@moulin/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { doctor } from './doctor.ts'

const { timers } = systemRuntime()
const PLACE = 's3://moulin/lake'
const cli = fileURLToPath(new URL('cli.ts', import.meta.url))

let dir = ''
let fake: S3Fake
let env: Record<string, string>
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-doctor-stop-'))
  fake = await s3Fake()
  env = {
    AWS_ENDPOINT_URL: fake.endpoint,
    AWS_REGION: fake.region,
    AWS_ACCESS_KEY_ID: fake.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: fake.credentials.secretAccessKey,
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await fake.close()
  await rm(dir, { recursive: true })
})

async function proxied(...rules: ProxyRule[]): Promise<FaultProxy> {
  const proxy = await faultProxy({ target: fake.endpoint, rules })
  vi.stubEnv('AWS_ENDPOINT_URL', proxy.endpoint)
  return proxy
}

const failureOf = (
  work: Promise<unknown>,
): Promise<{ readonly kind: string; readonly code: string; readonly message: string }> =>
  work.then(
    () => Promise.reject(new TypeError('It did not fail.')),
    (error: unknown) => (isMoulinError(error) ? error : Promise.reject(error as Error)),
  )

/** A folder has no swaps, and no owner's rules. */
const ofBuckets = ['swaps under a race', 'versioning and lifecycle']

describe('a doctor that is stopped', () => {
  it.each(['what lies there', 'conditional writes', 'swaps under a race', 'latency', 'versioning and lifecycle'])(
    'takes away what it wrote: at %s',
    async (at) => {
      for (const place of ofBuckets.includes(at) ? [PLACE] : [PLACE, dir]) {
        const stop = new AbortController()
        const onProgress = (what: string): void => {
          if (what === at) stop.abort()
        }
        const error = await failureOf(doctor(place, { samples: 2, onProgress, signal: stop.signal }))
        expect(error).toMatchObject({
          kind: 'aborted',
          message: expect.stringMatching(/stopped, and nothing of it is left/),
        })
        expect(fake.objects('moulin')).toEqual([])
        expect(await readdir(dir)).toEqual([])
      }
    },
  )

  it('ends at once where the store is deaf, and says what it could not take away', async () => {
    const proxy = await proxied(
      { fault: 'before', operation: 'get', key: /sample/, answer: 'silence', times: Infinity },
      { fault: 'before', operation: 'delete-many', answer: 'forbidden', times: Infinity },
    )
    const stop = new AbortController()
    const work = failureOf(doctor(PLACE, { signal: stop.signal }))
    while (proxy.countCalls({ operation: 'get', key: /sample/ }) === 0) await timers.turn()
    stop.abort()
    const error = await work
    await proxy.close()
    expect(error).toMatchObject({
      kind: 'aborted',
      message: expect.stringMatching(/could not be taken away: log\/probe\/.* and \d+ more/),
    })
  })

  it('by Ctrl-C takes away what it wrote, and ends with status 2', { timeout: 60_000 }, async () => {
    const child = spawn(process.execPath, ['--conditions=moulin-source', cli, 'doctor', PLACE, '--samples', '10000'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let told = ''
    child.stderr.on('data', (chunk: Buffer) => {
      const isNew = !told.includes('latency')
      told += chunk.toString()
      if (isNew && told.includes('latency')) child.kill('SIGINT')
    })
    const [status, signal] = (await once(child, 'exit')) as [number | null, string | null]
    expect([status, signal], told).toEqual([2, null])
    expect(told).toMatch(/moulin: doctor: it was stopped[^\n]*\n$/)
    expect(fake.objects('moulin')).toEqual([])
  })
})

describe('a doctor writes into its own part alone', () => {
  it('of the place, whatever prefix it is given', async () => {
    const place = join(dir, 'a/b')
    await mkdir(place, { recursive: true })
    for (const prefix of ['../', 'x/../../', './', 'a//', 'a\u0007/', '.']) {
      const error = await failureOf(doctor(place, { prefix }))
      expect([error.kind, error.code], prefix).toEqual(['invalid', 'OPTION'])
    }
    expect(await readdir(dir, { recursive: true })).toEqual(['a', 'a/b'])
  })

  it('of the place, and behind no link', async () => {
    await mkdir(join(dir, 'place'))
    await mkdir(join(dir, 'other'))
    await symlink(join(dir, 'other'), join(dir, 'place/log'))
    expect(await failureOf(doctor(join(dir, 'place')))).toMatchObject({ code: 'NOT_A_PLAIN_PATH' })
    expect(await readdir(join(dir, 'other'))).toEqual([])
  })

  it('and asks where something of others lies, below its prefix too', async () => {
    await mkdir(join(dir, 'photos'))
    await writeFile(join(dir, 'photos/mine.jpg'), 'mine')
    fake.putSparse('moulin', 'lake/photos/mine.jpg', 5)
    fake.putSparse('moulin', 'lake/log/probe/0b0e8a1c-0000-4000-8000-000000000001/left', 5)
    for (const place of [dir, PLACE]) {
      const error = await failureOf(doctor(place, { prefix: 'photos/' }))
      expect(error, place).toMatchObject({ code: 'NOT_A_LOG', message: expect.stringMatching(/photos\/mine.jpg/) })
    }
    expect((await doctor(PLACE, { prefix: 'photos/', yes: true, samples: 1 })).holds).toBe('something else')
  })

  it('takes no options of a bucket for a folder', async () => {
    expect(await failureOf(doctor(dir, { storage: { listOrder: 'none' } }))).toMatchObject({
      code: 'OPTION',
      message: expect.stringMatching(/storage/),
    })
  })
})
