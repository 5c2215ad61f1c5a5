/** What clients do by fault or on purpose: each is answered, and the others do not notice. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Catalog } from '@moulin/core'
import { corrupt } from '@moulin/core'
import { bearerTokens, serveCatalog } from '@moulin/gateway'
import { recordingMeter } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { messageOf, orders, quiet, refusal, served, servedOrders, tables } from './gateway.ts'

const MiB = 1024 * 1024
const namespaces = '/v1/namespaces'

/** Sends as much as it is let, and says with what it was answered. */
function post(port: number, bytes: number, headers: Readonly<Record<string, string | number>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: namespaces,
      headers: { 'content-type': 'application/json', ...headers },
    })
    sent.on('response', (answer) => {
      answer.resume()
      answer.on('end', () => resolve(`${answer.statusCode} ${answer.headers.connection}`))
    })
    sent.on('error', (error: NodeJS.ErrnoException) =>
      /EPIPE|ECONNRESET/.test(error.code ?? '') ? undefined : reject(error),
    )
    sent.on('close', () => resolve('closed'))
    const chunk = Buffer.alloc(MiB, ' ')
    let left = bytes
    const more = (): void => {
      while (left > 0) {
        left -= chunk.length
        if (!sent.write(chunk)) return void sent.once('drain', more)
      }
      sent.end()
    }
    more()
  })
}

describe('a body', () => {
  it('of 100 MB is refused, told beforehand or not, and nothing of it is kept', async () => {
    const { server, ask } = await served()
    const port = Number(new URL(server.url).port)
    expect(await post(port, 100 * MiB, { 'content-length': 100 * MiB })).toMatch(/^(413 close|closed)$/)
    expect(await post(port, 100 * MiB)).toMatch(/^(413 close|closed)$/)
    const whole = await ask('POST', namespaces, ' '.repeat(17 * MiB)).catch(() => undefined)
    if (whole !== undefined) expect(refusal(whole)).toBe('413 ContentTooLargeException')
    expect((await ask('POST', namespaces, { namespace: ['shop'] })).status).toBe(200)
  })

  it('just as large as it may be is taken', async () => {
    const { ask } = await served({ limits: { maxBodyBytes: 100 } })
    const sized = (bytes: number): string => JSON.stringify({ namespace: ['shop'] }).padEnd(bytes, ' ')
    const refused = await ask('POST', namespaces, sized(101))
    expect([refusal(refused), messageOf(refused)]).toEqual([
      '413 ContentTooLargeException',
      'The body is larger than maxBodyBytes (100 bytes).',
    ])
    expect((await ask('POST', namespaces, sized(100))).status).toBe(200)
  })

  it('together with others is refused when it is too much, and taken later', async () => {
    const { ask, server } = await served({ limits: { maxBufferedBytes: 1000 } })
    const long = JSON.stringify({ namespace: ['shop'] }).padEnd(1001, ' ')
    const refused = await ask('POST', namespaces, long)
    expect([refusal(refused), refused.headers.get('retry-after')]).toEqual(['429 SlowDownException', '1'])
    for (let turn = 0; turn < 20; turn++)
      await ask('POST', namespaces, JSON.stringify({ namespace: [`n${turn}`] }).padEnd(100, ' '))
    expect((await ask('GET', namespaces)).body!['namespaces']).toHaveLength(20)
    expect((await server.stats()).active).toBe(0)
  })

  it.each<[string, string]>([
    ['that is no JSON', '{'],
    ['that is HTML', '<html></html>'],
    ['that is a list', '[]'],
    ['that is nothing', ' '],
    ['with a name that is no list', '{"namespace":"shop"}'],
    ['with a property that is no text', '{"namespace":["shop"],"properties":{"a":1}}'],
    ['with control characters', '{"namespace":["a\\u0000b"]}'],
    ['with raw control characters', '{"namespace":["a\u0001b"]}'],
    ['with half a character', '{"namespace":["\\ud800"]}'],
  ])('%s is refused', async (_, body) => {
    const { ask } = await served()
    const refused = await ask('POST', namespaces, body)
    expect(refusal(refused)).toBe('400 BadRequestException')
    expect(messageOf(refused)).not.toMatch(/[\u0000-\u001f]/)
  })

  it('that is compressed is refused', async () => {
    const { ask } = await served()
    const refused = await ask('POST', namespaces, { namespace: ['shop'] }, { 'content-encoding': 'gzip' })
    expect(refused.status).toBe(406)
  })

  it.each([
    ['an update that nobody knows', { updates: [{ action: 'nonsense' }] }],
    ['a requirement that nobody knows', { requirements: [{ type: 'assert-nonsense' }] }],
    ['an update without its members', { updates: [{ action: 'set-location' }] }],
    ['no list', { updates: {} }],
  ])('of a commit with %s is refused', async (_, commit) => {
    const { ask } = await servedOrders()
    expect(refusal(await ask('POST', `${tables}/orders`, commit))).toBe('400 BadRequestException')
  })
})

describe('what it does not serve', () => {
  it('is said so', async () => {
    const { ask } = await servedOrders()
    expect((await ask('GET', '/')).status).toBe(404)
    expect((await ask('GET', '/v1/namespaces/shop/views')).status).toBe(404)
    expect((await ask('PATCH', '/v1/namespaces')).status).toBe(404)
    expect((await ask('POST', '/v1/oauth/tokens', {})).status).toBe(404)
    expect((await ask('GET', '/v1/namespaces/shop/tables/orders/credentials')).status).toBe(404)
  })

  it('over a folder are names that change, and two tables at once', async () => {
    const { ask } = await servedOrders({ kind: 'folder' })
    const name = { namespace: ['shop'], name: 'orders' }
    const renamed = await ask('POST', '/v1/tables/rename', { source: name, destination: { ...name, name: 'sold' } })
    expect(refusal(renamed)).toBe('406 UnsupportedOperationException')
    const both = await ask('POST', '/v1/transactions/commit', {
      'table-changes': [{ identifier: name, requirements: [], updates: [] }],
    })
    expect(refusal(both)).toBe('406 UnsupportedOperationException')
  })

  it('is a fault of the server, of which no word gets out', async () => {
    const { catalog: inner } = await served()
    const catalog: Catalog = {
      ...inner,
      loadNamespace: () => Promise.reject(new Error('password=hunter2')),
      loadTable: () => Promise.reject(corrupt('DAMAGED', 'v3.metadata.json is no JSON.')),
    }
    const { ask } = await served({ catalog })
    const failed = await ask('GET', '/v1/namespaces/shop')
    expect([refusal(failed), messageOf(failed)]).toEqual([
      '500 InternalServerError',
      expect.not.stringContaining('hunter2'),
    ])
    const damaged = await ask('GET', `${tables}/orders`)
    expect([refusal(damaged), messageOf(damaged)]).toEqual(['500 InternalServerError', 'v3.metadata.json is no JSON.'])
  })
})

describe('a catalog that hangs', () => {
  const hanging = async (what: 'loadTable' | 'commitTable') => {
    const { catalog: inner } = await servedOrders()
    let calls = 0
    const hang = (): Promise<never> => new Promise(() => void calls++)
    const catalog: Catalog = { ...inner, [what]: hang }
    const limits = { requestTimeoutMs: 50, maxRequests: 4 }
    return { ...(await served({ catalog, limits })), calls: () => calls }
  }

  it('is a read that failed in time, and does not fill the server', async () => {
    const { ask, server } = await hanging('loadTable')
    const late = await ask('GET', `${tables}/orders`)
    expect([refusal(late), messageOf(late)]).toEqual([
      '503 ServiceUnavailableException',
      expect.stringContaining('requestTimeoutMs (50 ms)'),
    ])
    for (let turn = 0; turn < 3; turn++) expect((await ask('GET', `${tables}/orders`)).status).toBe(503)
    // Its work is still there, and nobody knows for how long: it counts.
    const refused = await ask('GET', `${tables}/orders`)
    expect([refusal(refused), (await server.stats()).active]).toEqual(['429 SlowDownException', 4])
    expect((await ask('GET', '/health')).status).toBe(200)
  })

  it('holds what was sent to it, which counts', async () => {
    const { catalog: inner } = await servedOrders()
    const catalog: Catalog = { ...inner, createNamespace: () => new Promise(() => {}) }
    const { ask } = await served({ catalog, limits: { requestTimeoutMs: 50, maxBufferedBytes: 1000 } })
    const make = (): Promise<string> =>
      ask('POST', namespaces, JSON.stringify({ namespace: ['shop'] }).padEnd(400, ' ')).then(refusal)
    expect([await make(), await make(), await make()]).toEqual([
      '500 CommitStateUnknownException',
      '500 CommitStateUnknownException',
      '429 SlowDownException',
    ])
  })

  it('is a commit of which nobody knows', async () => {
    const { ask } = await hanging('commitTable')
    const commit = { requirements: [], updates: [{ action: 'set-properties', updates: { a: '1' } }] }
    expect(refusal(await ask('POST', `${tables}/orders`, commit))).toBe('500 CommitStateUnknownException')
  })
})

describe('a thousand slow clients', () => {
  it('are ended in their time, and the others are answered meanwhile', async () => {
    const { server, ask } = await servedOrders({ limits: { headersTimeoutMs: 1000, requestTimeoutMs: 2000 } })
    const port = Number(new URL(server.url).port)
    const half = 'POST /v1/namespaces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n'
    const beginnings = ['', 'GET /v1/con', half, `${half}Content-Length: 1000\r\n\r\n{"namespace":`]
    const sockets: Socket[] = []
    const ended = Array.from({ length: 1000 }, (_, at) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(beginnings[at % beginnings.length]!))
      sockets.push(socket)
      return new Promise<void>((resolve) => {
        socket
          .on('error', () => {})
          .on('close', () => resolve())
          .resume()
      })
    })
    try {
      for (let turn = 0; turn < 20; turn++) expect((await ask('GET', `${tables}/orders`)).status).toBe(200)
      expect((await server.stats()).active).toBe(0)
      // Those that sent nothing hold nothing but a socket.
      await Promise.all(ended.filter((_, at) => at % beginnings.length !== 0))
      expect((await ask('GET', `${tables}/orders`)).status).toBe(200)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  }, 60_000)
})

describe('TLS', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moulin-tls-'))
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ]
  await promisify(execFile)('openssl', [
    ...made,
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    keyFile,
    '-out',
    certFile,
  ])
  const [key, cert] = [await readFile(keyFile), await readFile(certFile)]
  await rm(folder, { recursive: true })

  it('is spoken by option, and nothing else then', async () => {
    const auth = bearerTokens({ tokens: { spark: 'spark-spark-spark' } })
    const { server } = await served({ tls: { key, cert }, auth })
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const options = { ca: cert, headers: { authorization: 'Bearer spark-spark-spark' } }
      secureRequest(`${server.url}/v1/config`, options, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(200)
    await expect(fetch(server.url.replace('https', 'http'))).rejects.toThrow()
  })

  it('needs material that fits, and shows none', async () => {
    const { catalog } = await served()
    const bad = serveCatalog({ catalog, listen: '127.0.0.1:0', runtime: quiet, tls: { cert, key: 'secret' } })
    await expect(bad).rejects.toMatchObject({ code: 'OPTION', message: expect.not.stringContaining('secret') })
  })
})

describe('a server that stops', () => {
  it('ends what was begun and refuses what comes', async () => {
    const { catalog: inner } = await servedOrders()
    let loading = (): void => {}
    let goOn = (): void => {}
    const began = new Promise<void>((resolve) => (loading = resolve))
    const hold = new Promise<void>((resolve) => (goOn = resolve))
    const catalog: Catalog = {
      ...inner,
      async loadTable(...given) {
        loading()
        await hold
        return inner.loadTable(...given)
      },
    }
    const { server, ask } = await served({ catalog })
    const under = ask('GET', `${tables}/orders`)
    await began
    const closing = server.close()
    await expect(ask('GET', '/v1/config')).rejects.toThrow()
    goOn()
    const answered = await under
    expect([answered.status, answered.headers.get('connection')]).toEqual([200, 'close'])
    await closing
    await server.close()
  })

  it('does not wait longer than it is told to', async () => {
    const { catalog: inner } = await served()
    const catalog: Catalog = { ...inner, loadNamespace: () => new Promise(() => {}) }
    const { server, ask } = await served({ catalog })
    const under = ask('GET', '/v1/namespaces/shop')
    const failed = expect(under).rejects.toThrow()
    while ((await server.stats()).active === 0) await new Promise((resolve) => setImmediate(resolve))
    await server.close({ drainMs: 20 })
    await failed
  })

  it('says which port is taken', async () => {
    const { server, catalog } = await served()
    const again = serveCatalog({ catalog, listen: new URL(server.url).host, runtime: quiet })
    await expect(again).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'LISTEN',
      message: expect.stringContaining('EADDRINUSE'),
    })
  })
})

it('tells a meter of each request', async () => {
  const meter = recordingMeter()
  const { ask } = await served({ runtime: { ...quiet, meter } })
  await ask('POST', namespaces, { namespace: ['shop'] })
  await ask('POST', tables, orders)
  await ask('GET', `${tables}/none`)
  const seen = meter.seen('http.server.request.duration').map(({ attributes }) => attributes)
  expect(seen).toEqual([
    { 'http.request.method': 'POST', 'http.route': '/v1/{prefix}/namespaces', 'http.response.status_code': 200 },
    {
      'http.request.method': 'POST',
      'http.route': '/v1/{prefix}/namespaces/{namespace}/tables',
      'http.response.status_code': 200,
    },
    {
      'http.request.method': 'GET',
      'http.route': '/v1/{prefix}/namespaces/{namespace}/tables/{table}',
      'http.response.status_code': 404,
      'error.type': 'TABLE_MISSING',
    },
  ])
  expect(meter.seen('http.server.active_requests')).toEqual([{ value: 0, attributes: {} }])
})
