import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { sigV4 } from './sig-v4.ts'
import { bearer } from './auth.ts'
import { oauth2 } from './oauth2.ts'
import { commit, failureOf, opened, orders, scripted, table } from './rest.test-support.ts'
import type { Answer, Script } from './rest.test-support.ts'

// How known catalogs speak, by what they document and by their sources (docs/rest.md): the shape of their answers, not their servers.

interface Dialect {
  readonly config: object
  readonly script: Script
}

function speaking({ config, script }: Dialect): Script {
  return (told, response) => (told.path.endsWith('/v1/config') ? { body: config } : script(told, response))
}

const v1 = (...lines: string[]): string[] => lines.map((line) => line.replace(' ', ' /v1/{prefix}/'))
const tables = '/namespaces/shop/tables/orders'

describe('Polaris', () => {
  it('wants a scope, has the catalog as its prefix, and vends credentials', async () => {
    const endpoints = [
      ...v1(
        'GET namespaces',
        'GET namespaces/{namespace}/tables/{table}',
        'POST namespaces/{namespace}/tables/{table}',
      ),
      ...v1('POST tables/rename', 'POST transactions/commit', 'GET namespaces/{namespace}/tables/{table}/credentials'),
      'GET /polaris/v1/{prefix}/namespaces/{namespace}/generic-tables',
    ]
    const config = {
      defaults: { 'default-base-location': 's3://lake' },
      overrides: { prefix: 'quick start' },
      endpoints,
    }
    const script: Script = ({ path, text }) => {
      if (path.endsWith('/oauth/tokens')) {
        const isRight = new URLSearchParams(text).get('scope') === 'PRINCIPAL_ROLE:ALL'
        return isRight
          ? {
              body: {
                access_token: 'p',
                token_type: 'bearer',
                issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
                expires_in: 3600,
              },
            }
          : { status: 400, body: { error: 'invalid_scope' } }
      }
      return { body: { ...table, config: { 'client.region': 'eu' }, 'storage-credentials': [] } }
    }
    const server = await scripted(speaking({ config, script }))
    const open = (scope: string) =>
      opened(`${server.uri}/api/catalog`, {
        warehouse: 'quick start',
        auth: oauth2({ clientId: 'root', clientSecret: 's3cr3t', scope }),
      }).catalog
    expect(await failureOf(open('catalog').loadTable(orders))).toMatchObject({ code: 'UNAUTHENTICATED' })
    const catalog = open('PRINCIPAL_ROLE:ALL')
    await catalog.loadTable(orders)
    expect(server.calls().at(-1)).toBe(`GET /api/catalog/v1/quick%20start${tables}`)
    expect(catalog.capabilities).toMatchObject({ rename: true, transactions: true, register: false })
  })
})

describe('Nessie', () => {
  it('names another URI on its origin, and a prefix with a branch and a warehouse, encoded already', async () => {
    const script: Script = () => ({ body: table })
    const server = await scripted(({ path, headers }) =>
      path.endsWith('/v1/config')
        ? {
            body: {
              defaults: { warehouse: 's3://lake/', 'nessie.default-branch.name': 'main', prefix: 'main' },
              overrides: {
                uri: `http://${headers.host}/iceberg/`,
                prefix: 'main%7Clake',
                'nessie.is-nessie-catalog': 'true',
              },
            },
          }
        : script({ path, headers } as never, undefined as never),
    )
    await opened(`${server.uri}/iceberg/main`, { warehouse: 'lake' }).catalog.loadTable(orders)
    expect(server.calls()).toEqual(['GET /iceberg/main/v1/config', `GET /iceberg/v1/main%7Clake${tables}`])
  })

  it('answers a commit to a reference that moved as a conflict', async () => {
    const error = {
      error: { message: 'Values of existing and expected content differ', type: 'CommitFailedException', code: 409 },
    }
    const server = await scripted(speaking({ config: {}, script: () => ({ status: 409, body: error }) }))
    expect(await failureOf(opened(server.uri).catalog.commitTable(orders, commit))).toMatchObject({
      kind: 'conflict',
      code: 'REQUIREMENT_FAILED',
      outcome: 'rejected',
    })
  })
})

describe('Lakekeeper', () => {
  it('names itself by the host that it was asked at, has the id of a warehouse as its prefix, and remembers keys', async () => {
    const prefix = '0194d9ae-5c5e-7a10-a1b2-000000000001'
    const server = await scripted(({ path, headers }): Answer =>
      path.endsWith('/v1/config')
        ? {
            body: {
              overrides: { prefix, uri: `http://${headers.host}/catalog` },
              defaults: {},
              'idempotency-key-lifetime': 'PT30M',
            },
          }
        : { headers: { etag: 'W/"af3"' }, body: table },
    )
    const { catalog } = opened(`${server.uri}/catalog`, { warehouse: 'demo', auth: bearer({ token: 'x' }) })
    await catalog.loadTable(orders)
    await catalog.loadTable(orders)
    expect(server.told.at(-1)!.headers['if-none-match']).toBe('W/"af3"')
    await catalog.commitTable(orders, commit, { changeId: 'c' })
    expect(server.told.at(-1)!.headers['idempotency-key']).toHaveLength(36)
    expect(server.calls().at(-1)).toBe(`POST /catalog/v1/${prefix}${tables}`)
  })
})

describe('Unity', () => {
  it('answers a wrong address with a page to log in, which is followed by nobody', async () => {
    const server = await scripted(() => ({ status: 303, headers: { location: 'https://login.example/?next=x' } }))
    const error = await failureOf(
      opened(server.uri, { auth: bearer({ token: 'dapi-canary' }) }).catalog.loadTable(orders),
    )
    expect(error).toMatchObject({ code: 'CATALOG_REDIRECT', retryable: false })
    expect(String(error['message'])).toContain('https://login.example')
  })

  it('serves few endpoints, and says so; an endpoint that it lists and does not have is no missing table', async () => {
    const endpoints = v1(
      'GET namespaces/{namespace}/tables/{table}',
      'POST namespaces/{namespace}/tables',
      'POST namespaces/{namespace}/tables/{table}',
    )
    const config = { overrides: { prefix: 'catalogs/unity' }, endpoints }
    const script: Script = ({ method }) =>
      method === 'GET' ? { status: 404, body: '<html>Status: 404</html>' } : { body: table }
    const server = await scripted(speaking({ config, script }))
    const { catalog } = opened(`${server.uri}/api/2.1/unity-catalog/iceberg-rest`, { warehouse: 'unity' })
    expect(await failureOf(catalog.renameTable(orders, { ...orders, name: 'x' }))).toMatchObject({
      code: 'CATALOG_CAPABILITY',
    })
    expect(await failureOf(catalog.dropNamespace(['shop']))).toMatchObject({ code: 'CATALOG_CAPABILITY' })
    expect(catalog.capabilities.namespaceProperties).toBe(false)
    await catalog.commitTable(orders, commit)
    expect(server.calls().at(-1)).toBe(`POST /api/2.1/unity-catalog/iceberg-rest/v1/catalogs/unity${tables}`)
  })
})

describe('Amazon S3 Tables', () => {
  it('has an ARN as its prefix, lists no multi-table commit, and refuses to drop without purging', async () => {
    const arn = 'arn:aws:s3tables:eu-west-1:111122223333:bucket/lake'
    const endpoints = v1(
      ...['GET namespaces', 'GET namespaces/{namespace}/tables/{table}', 'POST namespaces/{namespace}/tables/{table}'],
      ...['DELETE namespaces/{namespace}/tables/{table}', 'POST tables/rename'],
    )
    const config = { defaults: {}, overrides: { prefix: encodeURIComponent(arn) }, endpoints }
    const refusal = {
      error: {
        code: 400,
        type: 'BadRequestException',
        message: 'DropTable operation failed. S3 Tables only supports dropping tables with purge enabled.',
      },
    }
    const script: Script = ({ method }) => (method === 'DELETE' ? { status: 400, body: refusal } : { body: table })
    const server = await scripted(speaking({ config, script }))
    const signer = { sign: ({ headers }: { headers: Record<string, string> }) => Promise.resolve({ headers }) }
    const { catalog } = opened(`${server.uri}/iceberg`, { warehouse: arn, auth: sigV4({ signer }) })
    await catalog.commitTable(orders, commit)
    expect(server.calls().at(-1)).toBe(`POST /iceberg/v1/${encodeURIComponent(arn)}${tables}`)
    expect(catalog.capabilities).toMatchObject({ rename: true, transactions: false })
    const error = await failureOf(catalog.dropTable(orders))
    expect(error).toMatchObject({ kind: 'invalid', code: 'BAD_REQUEST', outcome: 'rejected' })
    expect(String(error['message'])).toContain('purge enabled')
  })
})

describe('BigLake', () => {
  it('wants a project in a header, has a prefix of several parts, and says errors in words of its own', async () => {
    const config = {
      defaults: { 'io-impl': 'org.apache.iceberg.gcp.gcs.GCSFileIO' },
      overrides: { prefix: 'projects/shop/catalogs/lake' },
      endpoints: v1('GET namespaces/{namespace}/tables/{table}', 'POST namespaces/{namespace}/tables/{table}'),
    }
    // Google's own shape, without a type.
    const missing = { error: { code: 404, message: 'Table orders not found.', status: 'NOT_FOUND' } }
    const aborted = { error: { code: 409, message: 'Requirement failed.', status: 'ABORTED' } }
    const script: Script = ({ method }) =>
      method === 'GET' ? { status: 404, body: missing } : { status: 409, body: aborted }
    const server = await scripted(speaking({ config, script }))
    const { catalog } = opened(`${server.uri}/iceberg/v1/restcatalog`, {
      warehouse: 'gs://lake',
      headers: { 'x-goog-user-project': 'shop' },
      auth: bearer({ token: () => Promise.resolve('ya29') }),
    })
    expect(await failureOf(catalog.loadTable(orders))).toMatchObject({ kind: 'not-found', code: 'TABLE_MISSING' })
    expect(await failureOf(catalog.commitTable(orders, commit))).toMatchObject({ code: 'REQUIREMENT_FAILED' })
    expect(server.calls().at(-1)).toBe(`POST /iceberg/v1/restcatalog/v1/projects/shop/catalogs/lake${tables}`)
    for (const { headers } of server.told) expect(headers['x-goog-user-project']).toBe('shop')
  })
})

describe('Apache’s fixture', () => {
  it('encodes a dot between namespaces, and says 400 of a namespace that is not empty in versions before 1.8', async () => {
    const error = { error: { message: 'Namespace shop is not empty.', type: 'NamespaceNotEmptyException', code: 400 } }
    const config = { overrides: { 'namespace-separator': '%2E' } }
    const server = await scripted(speaking({ config, script: () => ({ status: 400, body: error }) }))
    expect(await failureOf(opened(server.uri).catalog.dropNamespace(['shop', 'eu']))).toMatchObject({
      kind: 'conflict',
      code: 'NAMESPACE_NOT_EMPTY',
    })
    expect(server.calls().at(-1)).toBe('DELETE /v1/namespaces/shop%2Eeu')
  })
})

it('docs/rest.md has a chapter for each', async () => {
  const text = await readFile(new URL('../../../../docs/rest.md', import.meta.url), 'utf8')
  for (const name of ['Polaris', 'Nessie', 'Lakekeeper', 'Unity', 'Amazon S3 Tables', 'BigLake', 'Glue']) {
    expect(text).toContain(`### ${name}`)
  }
})
