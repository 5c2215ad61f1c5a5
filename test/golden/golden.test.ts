/** Lakes written by earlier versions open for ever after, and give every byte back. */
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { goldenRuntime } from './golden-lakes.ts'
import { openGolden } from './golden-store.ts'
import type { LakeContents } from './lake-contents.ts'
import { laterVersions } from './later-version.ts'
import { onCopy, readGolden } from './read-golden.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const versions = readdirSync(here).filter((name) => /^\d+\.\d+$/.test(name))
const folders = versions.flatMap((version) =>
  readdirSync(join(here, version))
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(version, name.slice(0, -'.json'.length))),
)

it('stand in the checkout', () => {
  expect(folders.length).toBeGreaterThanOrEqual(4)
  for (const folder of folders) expect(existsSync(join(here, folder)), folder).toBe(true)
})

describe.each(folders)('the golden folder %s', (folder) => {
  const wanted = async (): Promise<LakeContents> =>
    JSON.parse(await readFile(join(here, `${folder}.json`), 'utf8')) as LakeContents

  it('is read byte for byte, and opens for writing', async () => {
    expect(await readGolden(join(here, folder), 'read-write')).toEqual(await wanted())
  })

  it('gives a read-only log the same records', async () => {
    const records = ({ topics }: LakeContents): unknown =>
      Object.entries(topics).map(([name, topic]) => [name, topic.records, topic.audit, topic.deep])
    expect(records(await readGolden(join(here, folder), 'read-only'))).toEqual(records(await wanted()))
  })

  it('goes on where it ended: what is sent, tiered and released now is read beside the old', async () => {
    await onCopy(join(here, folder), async (copy) => {
      const old = (await wanted()).topics
      const log = await openGolden(copy, goldenRuntime(2000), { takeover: 'newest' })
      try {
        for (const name of await log.topics()) {
          const topic = await log.topic<Uint8Array>(name)
          const { audit } = old[name]!
          const { highWatermark } = topic.offsets()[0]!
          if (topic.config.value === undefined) {
            const { offset } = await topic.producer({ lingerMs: 0 }).send({ partition: 0, value: Buffer.from('new') })
            expect(offset).toBe(highWatermark)
          }
          await topic.tier()
          expect((await topic.audit()).clean, name).toBe(audit.clean)
        }
        await log.releaseNow()
        for (const [name, { records }] of Object.entries(old)) {
          let count = 0
          for await (const record of (await log.topic(name)).read({ from: 'earliest', to: 'end' })) {
            count++
            expect(record.fidelity).toBe('exact')
          }
          expect(count, name).toBeGreaterThanOrEqual(records.length)
        }
      } finally {
        await log.close()
      }
    })
  })
})

describe.each(versions)('a lake of version %s with an object that needs a later reader', (version) => {
  it.each(laterVersions)('is refused by name: $of', async ({ lake, change, refuses }) => {
    const named = { kind: 'unsupported', code: 'FORMAT_VERSION' }
    await onCopy(join(here, version, lake), async (copy) => {
      await change(copy)
      const opening = openGolden(copy, goldenRuntime(3000), { takeover: 'newest' })
      if (refuses === 'log') {
        await expect(opening).rejects.toMatchObject(named)
        return
      }
      const log = await opening
      try {
        if (refuses === 'deep audits') {
          for (const name of await log.topics()) {
            const topic = await log.topic(name)
            await expect(topic.audit({ deep: true }), name).rejects.toMatchObject({
              ...named,
              context: { stored: 'audit' },
            })
            expect((await topic.audit()).partitions.length, name).toBeGreaterThan(0)
          }
          return
        }
        expect(await log.topics()).toContain('released')
        await expect(log.topic('released')).rejects.toMatchObject(named)
        expect((await log.topic('hot')).offsets()).toHaveLength(2)
      } finally {
        await log.close()
      }
    })
  })
})
