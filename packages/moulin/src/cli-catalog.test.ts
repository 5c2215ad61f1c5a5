import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runCommand } from './cli-program.ts'

const asked: { readonly url: string; readonly authorization: string | undefined; readonly text: string }[] = []
const server = createServer((request, response) => {
  let text = ''
  request.on('data', (part) => (text += String(part)))
  request.on('end', () => {
    const { authorization } = request.headers
    asked.push({ url: request.url!, authorization, text })
    const isToken = request.url!.endsWith('/tokens')
    const body = isToken
      ? { access_token: 'canary-issued', token_type: 'bearer' }
      : { error: { code: 403, type: 'ForbiddenException', message: `No: ${authorization}` } }
    response.writeHead(isToken ? 200 : 403, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
})

let uri: string
beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  vi.unstubAllEnvs()
  asked.splice(0)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function run(...argv: string[]): Promise<{ status: number; said: string }> {
  let said = ''
  const output = { out: (text: string) => (said += text), err: (text: string) => (said += text) }
  return { status: await runCommand(argv, output), said }
}

describe('the command line and a REST catalog', () => {
  it('takes its token from the environment, and shows it nowhere', async () => {
    vi.stubEnv('MOULIN_CATALOG_TOKEN', 'canary-token')
    const { status, said } = await run('scan', 'shop.orders', '--catalog', uri, '--warehouse', 'main')
    expect(asked).toMatchObject([{ url: '/v1/config?warehouse=main', authorization: 'Bearer canary-token' }])
    expect(status).toBe(2)
    expect(said).toContain('403 ForbiddenException')
    expect(said).not.toContain('canary')
  })

  it('takes an OAuth2 client from there as well', async () => {
    vi.stubEnv('MOULIN_CATALOG_CREDENTIAL', 'moulin:canary:secret')
    vi.stubEnv('MOULIN_CATALOG_SCOPE', 'PRINCIPAL_ROLE:ALL')
    vi.stubEnv('MOULIN_CATALOG_TOKEN_URI', `${uri}/oauth/tokens`)
    const { status, said } = await run('scan', 'shop.orders', '--catalog', uri)
    expect(asked.map(({ url }) => url).slice(0, 2)).toEqual(['/oauth/tokens', '/v1/config'])
    expect(Object.fromEntries(new URLSearchParams(asked[0]!.text))).toMatchObject({
      client_id: 'moulin',
      client_secret: 'canary:secret',
      scope: 'PRINCIPAL_ROLE:ALL',
    })
    expect([status, said.includes('canary')]).toEqual([2, false])
  })

  it.each([
    [['scan', 'shop.orders'], '--catalog'],
    [['topics', '.', '--warehouse', 'main'], '--warehouse'],
    [['topics', '.', '--allow', 's3://lake/'], '--allow'],
    [['scan', 'shop.orders', '--catalog', 'http://user:canary@host'], 'auth'],
    [['scan', 'shop.orders', '--catalog', 'http://127.0.0.1:9', '--allow', 'lake'], 'no folder'],
  ])('says what is wrong with %j', async (argv, word) => {
    const { status, said } = await run(...argv)
    expect(status).toBe(2)
    expect(said).toContain(word)
    expect(said).not.toContain('canary')
  })

  it('takes no two ways to prove who asks', async () => {
    vi.stubEnv('MOULIN_CATALOG_TOKEN', 'canary')
    vi.stubEnv('MOULIN_CATALOG_CREDENTIAL', 'moulin:canary')
    const { status, said } = await run('scan', 'shop.orders', '--catalog', uri)
    expect([status, said.includes('both set'), said.includes('canary')]).toEqual([2, true, false])
  })

  it('says nothing of a credential that is none', async () => {
    vi.stubEnv('MOULIN_CATALOG_CREDENTIAL', 'canary')
    const { status, said } = await run('scan', 'shop.orders', '--catalog', uri)
    expect([status, said.includes('id:secret'), said.includes('canary')]).toEqual([2, true, false])
  })
})
