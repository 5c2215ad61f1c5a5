/** Commits that are outdated though main did not move: by a snapshot aside, a tag, another format version. */
import { invalid, tableIdentifier, unavailable } from '@moulin/core'
import type { Int64 } from '@moulin/core'
import { currentSchema } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { change, commitFiles, tableOf } from '../foreign.test-support.ts'
import { checkFolder } from '../forgotten/forgotten.test-support.ts'
import { checkTable } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { dataFiles, keysBelow, outside, racedLog, sendTwo, tierAll } from './commit-races.test-support.ts'

async function addColumn(log: TestLog): Promise<void> {
  const { metadata } = await tableOf(log)
  const schema = currentSchema(metadata)
  const field = { id: metadata['last-column-id'] + 1, name: 'more', required: false, type: 'int' } as const
  await change(outside(log), [
    { action: 'add-schema', schema: { ...schema, fields: [...schema.fields, field] } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ])
}

describe('a commit that lost its race', () => {
  const aside = async (log: TestLog): Promise<void> => {
    await commitFiles(log, await tableOf(log), [], log.runtime.random.uuid(), 'aside')
  }
  const beside: readonly [string, 2 | 3, (log: TestLog) => Promise<void>][] = [
    ['a snapshot aside', 2, aside],
    ['a snapshot aside, in format version 3', 3, aside],
    ['an upgrade', 2, (log) => change(log, [{ action: 'upgrade-format-version', 'format-version': 3 }])],
  ]

  it.each(beside)('is planned anew though main did not move: %s', async (_, formatVersion, race) => {
    const { log, races, commits } = racedLog({ info: { partitionBy: [], formatVersion } })
    const topic = await log.attach()
    sendTwo(log)
    await tierAll(log, topic)
    sendTwo(log)
    races.push(() => race(outside(log)))
    const before = commits.length
    expect(await tierAll(log, topic)).toMatchObject({ rows: 4 })
    expect(commits.length - before).toBe(2)
    expect(await dataFiles(log)).toHaveLength(2)
    expect(await keysBelow(log, 'log/staged/')).toEqual([])
    await checkTable(topic, log)
  })

  it('is planned anew though main did not move: a tag on a snapshot that the commit forgets', async () => {
    const { log, races, commits } = racedLog({ limits: { metadataWarnBytes: 8192 } })
    const topic = await log.attach()
    let tagged: Int64 | undefined
    for (let number = 0; number < 40 && tagged === undefined; number++) {
      races.push(async () => {
        const removal = commits.at(-1)!.updates.find((update) => update.action === 'remove-snapshots')
        tagged = removal?.['snapshot-ids'][0]
        if (tagged === undefined) return
        const ref = { 'ref-name': 'kept', type: 'tag', 'snapshot-id': tagged } as const
        await change(outside(log), [{ action: 'set-snapshot-ref', ...ref }])
      })
      sendTwo(log)
      expect(await tierAll(log, topic)).toMatchObject({ rows: 4 })
    }
    const { metadata } = await tableOf(log)
    expect(metadata.snapshots!.map((snapshot) => snapshot['snapshot-id'])).toContain(tagged)
    await checkTable(topic, log)
  })

  it.each(beside)('is known as lost where its answer was: %s', async (_, formatVersion, race) => {
    const { log, races } = racedLog({ info: { partitionBy: [], formatVersion } })
    const topic = await log.attach()
    sendTwo(log)
    await tierAll(log, topic)
    sendTwo(log)
    races.push(async () => {
      await race(outside(log))
      throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
    })
    expect(await tierAll(log, topic)).toMatchObject({ rows: 4 })
    await checkTable(topic, log)
  })

  it('is no obstacle where its answer was lost and somebody wants to keep what it would forget', async () => {
    const { log, races, commits } = racedLog({ limits: { metadataWarnBytes: 8192 } })
    const topic = await log.attach()
    let tagged: Int64 | undefined
    for (let number = 0; number < 40 && tagged === undefined; number++) {
      races.push(async () => {
        const removal = commits.at(-1)!.updates.find((update) => update.action === 'remove-snapshots')
        tagged = removal?.['snapshot-ids'][0]
        if (tagged === undefined) return
        const ref = { 'ref-name': 'kept', type: 'tag', 'snapshot-id': tagged } as const
        await change(outside(log), [{ action: 'set-snapshot-ref', ...ref }])
        throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
      })
      sendTwo(log)
      expect(await tierAll(log, topic)).toMatchObject({ rows: 4 })
    }
    const { metadata } = await tableOf(log)
    expect(metadata.snapshots!.map((snapshot) => snapshot['snapshot-id'])).toContain(tagged)
    await log.runtime.clock.advance(4 * 3_600_000)
    await topic.cleanUp!()
    await checkTable(topic, log)
    sendTwo(log)
    await tierAll(log, topic)
    await checkTable(await outside(log).attach(), log)
    expect(await keysBelow(log, 'log/staged/')).toEqual([])
  })

  it('is known as lost where it was a table’s first and its answer was lost', async () => {
    const { log, races } = racedLog({ info: { partitionBy: [] } })
    const topic = await log.attach()
    sendTwo(log)
    races.push(async () => {
      await aside(outside(log))
      throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
    })
    expect(await tierAll(log, topic)).toMatchObject({ rows: 4 })
    await checkTable(topic, log)
  })

  it('is no obstacle where its answer was lost and others have changed columns since', async () => {
    const { log, races } = racedLog({ info: { partitionBy: [] } })
    const topic = await log.attach()
    sendTwo(log)
    await tierAll(log, topic)
    sendTwo(log)
    races.push(async () => {
      await addColumn(log)
      throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
    })
    expect(await tierAll(log, topic)).toMatchObject({ rows: 4 })
    await checkTable(topic, log)
    // What it had stored has gone since main moved.
    expect(await keysBelow(log, 'log/staged/')).toEqual([])
    expect((await checkFolder(log)).unnamed).toEqual([])
  })

  it('lands late where others take back what kept it, and nothing is there twice', async () => {
    const { log, races, commits } = racedLog({ info: { partitionBy: [] } })
    const topic = await log.attach()
    sendTwo(log)
    await tierAll(log, topic)
    sendTwo(log)
    const table = tableIdentifier(log.info.table)
    const before = (await tableOf(log)).metadata['current-schema-id']
    races.push(async () => {
      await addColumn(log)
      throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
    })
    // Refused when it is sent again; then, just before the next one, its first copy arrives.
    races.push(async () => {})
    races.push(async () => {
      await change(outside(log), [{ action: 'set-current-schema', 'schema-id': before }])
      await plainCatalog(log.store, log.runtime).commitTable(table, commits.at(-2)!)
    })
    expect(await tierAll(log, topic)).toMatchObject({ rows: 0, frontier: [4n, 4n] })
    await checkTable(topic, log)
    sendTwo(log)
    await tierAll(log, topic)
    await checkTable(await outside(log).attach(), log)
    expect(await keysBelow(log, 'log/staged/')).toEqual([])
    expect((await checkFolder(log)).unnamed).toEqual([])
  })

  it('is planned anew where it was refused and nobody can say on what', async () => {
    const { log, races, commits } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    const load = log.catalog.loadTable.bind(log.catalog)
    races.push(() => {
      log.catalog.loadTable = async () => {
        log.catalog.loadTable = load
        throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
      }
      return Promise.reject(invalid('THEN', 'Not like this.'))
    })
    expect(await tierAll(log, topic)).toMatchObject({ rows: 4 })
    expect(commits).toHaveLength(2)
    await checkTable(topic, log)
  })

  it('is told from one that the catalog refuses for what it is', async () => {
    const { log, races, commits } = racedLog()
    const topic = await log.attach()
    sendTwo(log)
    races.push(() => Promise.reject(invalid('NEVER', 'Not like this.')))
    const before = commits.length
    await expect(tierAll(log, topic)).rejects.toMatchObject({ code: 'NEVER' })
    expect(commits.length - before).toBe(1)
  })
})
