import type { ColdTopic } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allRows, foreignDeletes, replaceRows, tableOf } from '../foreign.test-support.ts'
import { checkTable, testLog, TOPIC_ID, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { COMMIT, keyOf, stage } from './staged-commit.test-support.ts'

async function tieredLog(): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog()
  const topic = await log.attach()
  log.hot.send(0, [{ value: utf8('a') }])
  await topic.tier({ upTo: [1n, 0n] })
  for (const key of [
    'moulin.json',
    'tables/shop/orders2/data/x.parquet',
    `tables/shop/other/data/${COMMIT}-0.parquet`,
  ]) {
    await log.store.put(key, utf8('x'))
  }
  return { log, topic }
}

async function keysOf(log: TestLog): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of log.store.list()) keys.push(key)
  return keys
}

describe('a staged record', () => {
  it('is settled whatever later members it has, and only names of its commit are removed', async () => {
    const { log } = await tieredLog()
    const left = `tables/shop/orders/data/${COMMIT}-0.parquet`
    const before = await keysOf(log)
    await log.store.put(left, utf8('x'))
    await stage(log, { format: 7, flavour: 'new', ranges: [[0, '1', '2', 'more']] })
    await checkTable(await log.reopen().attach(), log)
    expect(await keysOf(log)).toEqual(before)
  })

  it('is settled beside a snapshot whose delete files nobody has to understand', async () => {
    const { log } = await tieredLog()
    const rows = await allRows(log)
    await foreignDeletes(log, ['other'])
    await replaceRows(log, [rows])
    const left = `tables/shop/orders/data/${COMMIT}-0.parquet`
    const before = await keysOf(log)
    await log.store.put(left, utf8('x'))
    await stage(log)
    await checkTable(await log.reopen().attach(), log)
    expect(await keysOf(log)).toEqual(before)
  })

  it('of a later version disturbs nobody else, and is refused by name in its own topic, with nothing deleted', async () => {
    const { log } = await tieredLog()
    const other = '99999999-2222-4222-8222-222222222222'
    await stage(log, { minimumReader: 2, topic: other }, keyOf(COMMIT, other))
    await log.reopen().attach()
    await stage(log, { format: 2, minimumReader: 2, objectPrefixes: { of: 'another form' } })
    const before = await keysOf(log)
    await expect(log.reopen().attach()).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'FORMAT_VERSION',
      message: expect.stringContaining(keyOf(COMMIT)) as string,
    })
    expect(await keysOf(log)).toEqual(before)
  })

  const snapshotOf = async (log: TestLog): Promise<string> =>
    String((await tableOf(log)).metadata['current-snapshot-id'])
  it.each([
    ['everything', ['']],
    ['a folder of the log', ['log/']],
    ['a folder', ['tables/shop/orders/data/']],
    ['part of a commit id', [`tables/shop/orders/data/${COMMIT.slice(0, 8)}-`]],
    ['another table', [`tables/shop/other/data/${COMMIT}-`]],
    ['a folder inside the table', [`tables/shop/orders/x/data/${COMMIT}-`]],
    ['a place above the table', [`data/${COMMIT}-`]],
    ['a good one and a bad one', [`tables/shop/orders/data/${COMMIT}-`, 'tables/shop/orders/metadata/']],
    ['a number', [5]],
  ])('that names %s is refused by name, and nothing is deleted', async (_what, objectPrefixes) => {
    const { log } = await tieredLog()
    await stage(log, { objectPrefixes })
    const before = await keysOf(log)
    await expect(log.reopen().attach()).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'STAGED',
      message: expect.stringContaining(keyOf(COMMIT)) as string,
    })
    expect(await keysOf(log)).toEqual(before)
  })

  it('never takes along what is not of its own table and commit, whatever it names', async () => {
    const piece = fc.constantFrom(
      ...[
        'tables/shop/orders/',
        'tables/shop/',
        'tables/',
        'log/',
        'data/',
        'metadata/',
        '../',
        './',
        '/',
        '//',
        '%2e%2e/',
      ],
      ...[`${COMMIT}-`, COMMIT, `${COMMIT.replace('a', 'b')}-`, 'snap-', '5-', 'staged/', TOPIC_ID, '', '\0', 'x'],
    )
    const prefix = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''))
    const prefixes = fc.array(fc.oneof(prefix, fc.constant(`tables/shop/orders/data/${COMMIT}-`)), { maxLength: 3 })
    const { log } = await tieredLog()
    const own = [`tables/shop/orders/data/${COMMIT}-0.parquet`, `tables/shop/orders/metadata/${COMMIT}-m0.avro`]
    const others = [
      `tables/shop/orders/data/${COMMIT.replace('a', 'b')}-0.parquet`,
      `tables/shop/orders/data/x/${COMMIT}-0.parquet`,
      `log/${COMMIT}-0`,
      `tables/${COMMIT}-0`,
      `${COMMIT}-0`,
    ]
    for (const key of others) await log.store.put(key, utf8('x'))
    const before = await keysOf(log)
    let settled = 0
    await fc.assert(
      fc.asyncProperty(prefixes, fc.boolean(), async (objectPrefixes, isOfTable) => {
        for (const key of own) await log.store.put(key, utf8('x'))
        await stage(log, { objectPrefixes, ...(isOfTable ? {} : { tableUuid: 'another' }) })
        const attached = await log
          .reopen()
          .attach()
          .then(
            () => true,
            (error: { code: string }) => error.code,
          )
        const after = await keysOf(log)
        expect(after.filter((key) => !own.includes(key) && key !== keyOf(COMMIT))).toEqual(before)
        if (attached === true) settled++
        else expect([attached, after]).toEqual(['STAGED', [...before, ...own, keyOf(COMMIT)].sort()])
      }),
      { numRuns: 150 },
    )
    expect(settled).toBeGreaterThan(5)
  })

  it.each([{ commit: COMMIT.replace('a', 'b') }, { topic: 'another' }, { commit: 'x' }, { ledger: 'moulin.json' }])(
    'with %o under its key is refused by name',
    async (change) => {
      const { log } = await tieredLog()
      await stage(log, change)
      const before = await keysOf(log)
      await expect(log.reopen().attach()).rejects.toMatchObject({ kind: 'corrupt', code: 'STAGED' })
      expect(await keysOf(log)).toEqual(before)
    },
  )

  it('that names the manifest list of another commit does not take it along', async () => {
    const { log } = await tieredLog()
    const before = await keysOf(log)
    await stage(log, { objectPrefixes: [`tables/shop/orders/metadata/snap-${await snapshotOf(log)}-`] })
    await checkTable(await log.reopen().attach(), log)
    expect(await keysOf(log)).toEqual(before)
  })

  it('that names the ledger of another commit does not take it along, but its own', async () => {
    const { log } = await tieredLog()
    const [others, own] = ['0'.repeat(64), '1'.repeat(64)]
    const head = (commit: string): Uint8Array =>
      utf8(`{"format":1,"minimumReader":1,"topic":"${TOPIC_ID}","commit":"${commit}"}`)
    await log.store.put(`log/ledgers/${others}`, head(COMMIT.replace('a', 'b')))
    const before = await keysOf(log)
    await log.store.put(`log/ledgers/${own}`, head(COMMIT))
    await stage(log, { ledger: others })
    await log.reopen().attach()
    await stage(log, { ledger: own })
    await log.reopen().attach()
    expect(await keysOf(log)).toEqual(before)
  })

  it('of a table that was dropped goes, and what lies elsewhere stays', async () => {
    const { log } = await tieredLog()
    const before = await keysOf(log)
    await stage(log, { tableUuid: 'another', objectPrefixes: [`tables/shop/other/data/${COMMIT}-`] })
    await log.reopen().attach()
    expect(await keysOf(log)).toEqual(before)
  })
})
