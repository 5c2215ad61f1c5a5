import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bearer } from './auth.ts'
import { configured, errorBody, failureOf, opened, orders, passing, scripted, table } from './rest.test-support.ts'
import type { Script } from './rest.test-support.ts'
import { sigV4 } from './sig-v4.ts'

const shown = (error: unknown): string => inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error)

describe('what proves who asks', () => {
  it('is not told where a cloud shows how it would have signed', async () => {
    const proof = {
      authorization: 'AWS4 Credential=canary-id, Signature=canary-sum',
      'x-amz-security-token': 'canary-token',
      'x-amz-nonce': 'maroon',
    }
    const signer = {
      sign: ({ headers }: { readonly headers: object }) => Promise.resolve({ headers: { ...headers, ...proof } }),
    }
    const server = await scripted(
      configured(({ headers }) =>
        errorBody(
          403,
          'AccessDenied',
          `x-amz-security-token:${String(headers['x-amz-security-token'])} Signature=canary-sum maroon application/json`,
        ),
      ),
    )
    const error = await failureOf(opened(server.uri, { auth: sigV4({ signer }) }).catalog.loadTable(orders))
    expect(error).toMatchObject({ code: 'ACCESS_DENIED' })
    expect(shown(error)).not.toContain('canary')
    expect(shown(error)).not.toContain('maroon')
    // What is no secret stays.
    expect(error['message']).toContain('application/json')
  })

  it('is not told where another token has come since', async () => {
    const tokens = ['canary-old', 'canary-new']
    const late = Promise.withResolvers<void>()
    const script: Script = async ({ path, headers }) => {
      if (path.endsWith('/quick'))
        return headers['authorization'] === 'Bearer canary-old' ? errorBody(401, '') : { body: table }
      await late.promise
      return errorBody(403, 'ForbiddenException', 'canary-old may not')
    }
    const server = await scripted(configured(script))
    const { catalog } = opened(server.uri, { auth: bearer({ token: () => tokens.shift()! }) })
    await catalog.ready()
    const slow = failureOf(catalog.loadTable(orders))
    await catalog.loadTable({ ...orders, name: 'quick' })
    late.resolve()
    expect(shown(await slow)).not.toContain('canary')
  })

  it('is not told in lower case, nor in what is wrong with a table', async () => {
    const key = 'Canary-KEY'
    const faces: Script[] = [
      () => ({ status: 302, headers: { location: `http://${key}.example/` } }),
      () => ({ headers: { 'content-type': key }, body: '<p>' }),
      () => ({ status: 404, headers: { 'content-type': key }, body: '<p>' }),
      () => ({ body: { ...table, metadata: { ...table.metadata, 'format-version': key } } }),
      () => ({ body: { ...table, config: { [key]: 1 } } }),
    ]
    for (const face of faces) {
      const server = await scripted(configured(face))
      const { catalog, clock } = opened(server.uri, { headers: { 'X-Key': key } })
      const error = await passing(clock, failureOf(catalog.loadTable(orders)), 10)
      expect(shown(error).toLowerCase()).not.toContain('canary')
    }
  })
})
