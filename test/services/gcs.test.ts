/** The adapter of Google Cloud Storage on another's emulator: the suite, and checks of what that answers, printed as a table. */
import { isKind } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { gcs } from '@moulin/storage-gcs'
import type { GcsOptions } from '@moulin/storage-gcs'
import { gcsFake, objectStoreConformance } from '@moulin/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkLosses, faultyGcs } from '../support/cloud-faults.ts'
import { checkRowRace } from '../support/row-race.ts'
import { checkTieredLog, unnamedIn } from '../support/tiered-log.ts'
import { answerTable, commonChecks, swapChecks } from './answers.ts'
import { fakeGcs } from './fake-gcs.ts'
import type { GcsService } from './fake-gcs.ts'

// A generation that no object has.
const checks = { ...commonChecks, ...swapChecks('1') }
interface Server {
  readonly name: string
  /** Checks of the suite that it does not pass, and why. */
  readonly cannot?: Readonly<Record<string, string>>
  start(): Promise<GcsService>
}

const servers: readonly Server[] = [
  { name: 'fake', start: fakeService },
  {
    name: 'fake-gcs-server',
    cannot: { 'keeps an empty object': 'it says of the last bytes of one that they are bytes 0--1/0' },
    start: fakeGcs,
  },
]

async function fakeService(): Promise<GcsService> {
  const { endpoint, close } = await gcsFake()
  return { name: 'gcsFake', endpoint, bucket: 'moulin', close }
}

describe.runIf(process.env['MOULIN_SERVICES'] === 'all')('servers of Google Cloud Storage', () => {
  const tell = answerTable()

  describe.each(servers)('$name', ({ name, cannot = {}, start }) => {
    let service: GcsService
    let prefixes = 0
    const opened = (more: Partial<GcsOptions> = {}): ObjectStore =>
      gcs({ bucket: service.bucket, apiEndpoint: service.endpoint, ...more })
    beforeAll(async () => {
      service = await start()
    }, 900_000)
    afterAll(async () => {
      await service.close()
    })

    it('answers the checks', { timeout: 120_000 }, async () => {
      const told = await tell(service.name, checks, opened({ prefix: 'checks/' }))
      expect(told.get('race of eight creates')).toBe('1 of 8')
      expect(told.get('create, there')).toBe('412 KEY_EXISTS')
      expect(told.get('swap, stale')).toBe('412 TAG_MISMATCH')
    })

    it('has every row of eight writers once, through a network that fails', { timeout: 1_800_000 }, async () => {
      const cloud = await faultyGcs(service, 5, { prefix: 'race/' })
      const race = await checkRowRace(cloud.store, cloud.direct, { writers: 8, commits: 20 })
      expect(race.conflicts).toBeGreaterThan(0)
      checkLosses(cloud)
    })

    it('holds a log and its table, through a network that fails', { timeout: 300_000 }, async () => {
      const cloud = await faultyGcs(service, 3, { prefix: 'lake/' })
      await checkTieredLog(cloud.store, cloud.direct, 4)
      expect(await unnamedIn(cloud.direct)).toEqual([])
      checkLosses(cloud)
    })

    let prefix = ''
    objectStoreConformance(
      { describe, it },
      {
        name,
        capabilities: { multipart: true, attemptIds: true },
        durability: 'region',
        listOrder: 'bytes',
        largeBytes: 6 * 1024 * 1024,
        manyKeys: 1_100,
        maxKeyBytes: 1_024 - 'suite-99/'.length,
        cannot,
        create: () => {
          prefix = `suite-${++prefixes}/`
          return Promise.resolve(opened({ prefix }))
        },
        reopen: () => opened({ prefix }),
        close: () => Promise.resolve(),
        async at(location) {
          const whole = opened()
          return await whole.get(location.slice(whole.root.length)).then(
            ({ bytes }) => bytes,
            (error: unknown) => {
              if (isKind(error, 'not-found')) return undefined
              throw error
            },
          )
        },
      },
    )
  })
})
