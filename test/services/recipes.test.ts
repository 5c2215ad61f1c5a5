/** What docs/stores.md says that other engines are to be told, to the letter but for names and keys. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { retry } from '@moulin/storage'
import { s3 } from '@moulin/storage-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTieredLog, ownFolder, sendOrders } from '../support/tiered-log.ts'
import { python } from '../interop/python.ts'
import { seaweedfs } from './seaweedfs.ts'
import type { SeaweedFs } from './seaweedfs.ts'

const ORDERS = 30
const runner = fileURLToPath(new URL('run_recipe.py', import.meta.url))
const page = fileURLToPath(new URL('../../docs/stores.md', import.meta.url))

/** The blocks of code of a section, by language. */
async function recipes(heading: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(page, 'utf8')
  const [, section = ''] = text.split(`\n### ${heading}\n`)
  const [own = ''] = section.split(/\n##+ /)
  return new Map([...own.matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language, code]) => [language!, code!]))
}

let service: SeaweedFs
beforeAll(async () => {
  service = await seaweedfs()
}, 900_000)
afterAll(() => service?.close())

describe('The recipes of docs/stores.md', () => {
  it('let PyIceberg and DuckDB read a table by its location', { timeout: 900_000 }, async () => {
    const { bucket, endpoint, region, credentials } = service
    const store = s3({ bucket, prefix: 'lake/', endpoint, region, credentials, listOrder: 'none', deadlineMs: 60_000 })
    const { log, topic } = await openTieredLog(retry(store), join(await ownFolder(), 'log'))
    await sendOrders(topic, 0, ORDERS)
    await topic.tier()
    await log.close()

    const { accessKeyId, secretAccessKey } = credentials
    const rows = async (language: string): Promise<unknown[][]> => {
      const recipe = (await recipes('Read by engines')).get(language)!
      const named = [
        ['localhost:8333', new URL(endpoint).host],
        ['s3://bucket/lake/tables/shop/orders', `s3://${bucket}/lake/tables/shop/orders`],
        ["'key'", `'${accessKeyId}'`],
        ["'secret'", `'${secretAccessKey}'`],
      ].reduce((text, [from, to]) => text.replaceAll(from!, to!), recipe)
      const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
      const running = promisify(execFile)(await python(), [runner, language], { env, maxBuffer: 1 << 26 })
      running.child.stdin!.end(named)
      return JSON.parse((await running).stdout) as unknown[][]
    }
    expect(await rows('sql')).toEqual([['Lyon', ORDERS]])
    const read = await rows('python')
    expect(read).toHaveLength(ORDERS)
    expect(read.every((row) => row.includes('Lyon'))).toBe(true)
  })
})
