import { request } from 'node:http'
import { systemRuntime } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { benchOf, fakeWithClient, said } from './s3-fake.test-support.ts'
import { signedUrl } from './signed-put.test-support.ts'

describe('s3Fake: who asks', () => {
  const now = Date.UTC(2030, 0, 1)

  it.each([
    ['a wrong secret', { secretAccessKey: 'wrong' }, {}, '403 SignatureDoesNotMatch'],
    ['an unknown key', { accessKeyId: 'UNKNOWN' }, {}, '403 InvalidAccessKeyId'],
    ['a token too many', { sessionToken: 'token' }, {}, '400 InvalidToken'],
    ['another region', {}, { region: 'eu-west-1' }, '400 AuthorizationHeaderMalformed'],
  ])('refuses %s', async (_what, pair, more, refused) => {
    const { fake } = await fakeWithClient()
    const { put } = benchOf({ ...fake, credentials: { ...fake.credentials, ...pair } }, more)
    expect(await said(put('c', 'x'))).toBe(refused)
    expect(fake.objects('lake')).toEqual([])
  })

  it('refuses a clock that is off by more than fifteen minutes', async () => {
    const { fake } = await fakeWithClient({ clock: { now: () => now } })
    const at = (offsetMs: number) =>
      benchOf(fake, { systemClockOffset: now + offsetMs - new Date().getTime() }).put('c', 'x')
    expect(await said(at(16 * 60_000))).toBe('403 RequestTimeTooSkewed')
    expect(await said(at(-16 * 60_000))).toBe('403 RequestTimeTooSkewed')
    expect(await said(at(14 * 60_000))).toBe('200')
    // A client that tries again learns from the refusal what time it is.
    const patient = benchOf(fake, { maxAttempts: 2 })
    expect(await said(patient.put('c', 'x'))).toBe('200')
  })

  it('lets credentials run out, and new ones in', async () => {
    const token = { accessKeyId: 'A', secretAccessKey: 's', sessionToken: 't' }
    const { fake, put } = await fakeWithClient({ credentials: [token] })
    expect(await said(put('c', 'x'))).toBe('200')
    fake.expireCredentials()
    expect(await said(put('c', 'x'))).toBe('400 ExpiredToken')
    const next = { ...token, sessionToken: 't2' }
    fake.addCredentials(next)
    expect(await said(benchOf({ ...fake, credentials: next }).put('c', 'x'))).toBe('200')
  })

  it('lets in who has a signed URL, until it has expired', async () => {
    let passedMs = 0
    const start = systemRuntime().clock.now()
    const { fake } = await fakeWithClient({ clock: { now: () => start + passedMs } })
    const url = signedUrl(fake, 'lake', 'c', start, 60)
    const status = async (at: string) => (await fetch(at, { method: 'PUT', body: 'ok' })).status
    expect(await status(url)).toBe(200)
    expect(await status(url.replace('/lake/c', '/lake/d'))).toBe(403)
    passedMs = 61_000
    expect(await status(url)).toBe(403)
    expect(fake.objects('lake').map(({ key }) => key)).toEqual(['c'])
  })

  it('tells the time by its own clock', async () => {
    const { fake } = await fakeWithClient({ clock: { now: () => now } })
    const told = await fetch(signedUrl(fake, 'lake', 'c', now, 60), { method: 'PUT', body: 'ok' })
    expect(told.headers.get('date')).toBe('Tue, 01 Jan 2030 00:00:00 GMT')
  })

  it('refuses who does not sign at all', async () => {
    const { fake, put } = await fakeWithClient()
    await put('c', 'x')
    const status = await new Promise((resolve) =>
      request(`${fake.endpoint}/lake/c`, (answer) => resolve(answer.resume().statusCode)).end(),
    )
    expect(status).toBe(403)
  })

  it('refuses a request that was changed on its way', async () => {
    const { fake, client, put } = await fakeWithClient()
    await put('other', 'x')
    client.middlewareStack.add(
      (next) => (sent) => {
        const { request: asked } = sent as { request: { path: string } }
        asked.path = asked.path.replace('/mine', '/other')
        return next(sent)
      },
      { step: 'finalizeRequest', priority: 'low' },
    )
    expect(await said(put('mine', 'y'))).toBe('403 SignatureDoesNotMatch')
    expect(Buffer.from(fake.read('lake', 'other')!).toString()).toBe('x')
  })
})
