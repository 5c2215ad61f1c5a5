import { conflict, isMoulinError } from '@moulin/core'
import type { TableUpdate } from '@moulin/core'
import type { Flaws } from './flaws.ts'
import { commits, flaw, ignores, isCreation, shows, skips } from './flaws.ts'
import { keyOf } from './names-model.ts'

/** Of commits, whatever they change. */
export const commitFlaws: Flaws = {
  'wants-few-requirements': flaw(
    (right) => ({
      commitTable: async (table, commit, call) => {
        if (commit.requirements.length > 3) throw conflict('REQUIREMENT_FAILED', 'Too many.')
        return right.commitTable(table, commit, call)
      },
    }),
    'goes ahead with a commit whose requirements all hold',
  ),
  'holds-null-to-be-anything': flaw(
    commits((commit) => ({
      ...commit,
      requirements: commit.requirements.filter(
        (one) => one.type !== 'assert-ref-snapshot-id' || one['snapshot-id'] !== null,
      ),
    })),
    'takes null for a branch that is not there',
  ),
  'compares-uuids-as-text': flaw(
    (right, { tables }) => ({
      commitTable: async (table, commit, call) => {
        const uuid = tables.get(keyOf(table))?.metadata['table-uuid']
        const isOther = commit.requirements.some((one) => one.type === 'assert-table-uuid' && one.uuid !== uuid)
        if (isOther) throw conflict('REQUIREMENT_FAILED', 'Another table.')
        return right.commitTable(table, commit, call)
      },
    }),
    'holds a UUID to be the same in upper and lower case',
  ),
  'makes-empty-versions': flaw(
    commits((commit) => ({ ...commit, updates: [...commit.updates, { action: 'set-properties', updates: {} }] })),
    'makes no version of a commit without updates',
  ),
  'reverses-updates': flaw(
    commits((commit) => (isCreation(commit) ? commit : { ...commit, updates: commit.updates.toReversed() })),
    'applies the updates of a commit in their order',
  ),
  'removes-no-properties': flaw(skips('remove-properties'), 'sets, overwrites and removes properties'),
  'trims-properties': flaw(
    shows((metadata) => ({
      ...metadata,
      properties: Object.fromEntries(
        Object.entries(metadata.properties ?? {}).map(([name, value]) => [name, value.trim()]),
      ),
    })),
    'keeps odd names and values of properties',
  ),
  'answers-with-its-own-changes': flaw((right) => {
    const own = new Set(['owner'])
    return {
      commitTable: async (table, commit, call) => {
        for (const update of commit.updates)
          if (update.action === 'set-properties') for (const name of Object.keys(update.updates)) own.add(name)
        const made = await right.commitTable(table, commit, call)
        const kept = Object.entries(made.metadata.properties ?? {}).filter(([name]) => own.has(name))
        return { ...made, metadata: { ...made.metadata, properties: Object.fromEntries(kept) } }
      },
    }
  }, 'goes on from the newest table, whoever committed last'),
  'ignores-uuids': flaw(ignores('assert-table-uuid'), 'fails a commit on a table that was dropped and made again'),
  'lets-time-go-back': flaw((right) => {
    let time = 9_000_000
    return shows((metadata) => ({ ...metadata, 'last-updated-ms': time-- }))(right, undefined as never)
  }, 'keeps the UUID and the location of a table through all commits'),
  'makes-changes-twice': flaw(
    (right) => ({
      commitTable: async (table, commit, call) =>
        right.commitTable(table, commit, call).catch((error: unknown) => {
          if (call?.changeId === undefined || !isMoulinError(error)) throw error
          const again = commit.updates.flatMap((update): TableUpdate[] => {
            if (update.action !== 'add-snapshot') return []
            const { 'parent-snapshot-id': _, ...snapshot } = update.snapshot
            return [{ ...update, snapshot: { ...snapshot, 'snapshot-id': 4711 } }]
          })
          return right.commitTable(table, { requirements: [], updates: again })
        }),
    }),
    'makes a change once that is sent twice',
  ),
  'commits-to-neighbours': flaw(
    (right, { tables }) => ({
      commitTable: async (table, commit, call) => {
        const made = await right.commitTable(table, commit, call)
        for (const { identifier } of [...tables.values()])
          if (identifier.name !== table.name && identifier.name.startsWith(table.name))
            await right.commitTable(identifier, commit)
        return made
      },
    }),
    'does not change another table by a commit',
  ),
}
