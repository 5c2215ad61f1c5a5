import {
  arrayField,
  corrupt,
  isKind,
  jsonInt64,
  listInOrder,
  parseStored,
  storedBytes,
  storedCheck,
} from '@moulin/core'
import type { ObjectStore, StoredKind } from '@moulin/core'
import { parseCommitNames, type CommitNames } from '../table/commit-names.ts'
import { isObjectName } from '../table/marker.ts'

const PREFIX = 'log/staged/'
const kind: StoredKind = { name: 'staged commit', format: 1, minimumReader: 1 }

/**
 * Written before the first file of a commit and deleted when its outcome is known, so that an outcome which nobody
 * learned is a state that the next start settles, not an accident. Lies in the log's own prefix, never under the table; its key says topic and commit, so that one that cannot be
 * read is still known to be nobody else's.
 */
export interface StagedCommit extends CommitNames {
  readonly epoch: bigint
  /** The main snapshot that the commit asserts; null for a table without one. */
  readonly parent: bigint | null
  /** Every object of the commit has a location that begins with one of these. */
  readonly objectPrefixes: readonly string[]
  /** Name of the ledger of the attempt under way, once it has one that is an object. */
  readonly ledger: string | undefined
  /** Half-open, what the commit moves. */
  readonly ranges: readonly { readonly partition: number; readonly from: bigint; readonly to: bigint }[]
}

export async function putStaged(store: ObjectStore, staged: StagedCommit): Promise<void> {
  const { commit, topic, epoch, parent, ledger, ranges } = staged
  const members = {
    ...staged,
    epoch: epoch.toString(),
    parent: parent?.toString() ?? null,
    ledger: ledger ?? null,
    ranges: ranges.map(({ partition, from, to }) => [partition, from.toString(), to.toString()]),
  }
  await store.put(keyOfStaged(topic, commit), storedBytes(kind, members))
}

export async function deleteStaged(store: ObjectStore, topic: string, commit: string): Promise<void> {
  await store.delete(keyOfStaged(topic, commit))
}

/**
 * The records of one topic, in order of their keys. Those of other topics are not looked at.
 * @throws `unsupported` code `FORMAT_VERSION` for one of a later format; `corrupt` for one that is none, or that names
 * other objects than its commit's.
 */
export async function listStaged(store: ObjectStore, topic: string): Promise<StagedCommit[]> {
  const found: StagedCommit[] = []
  for await (const { key } of listInOrder(store, { prefix: `${PREFIX}${topic}/` })) {
    try {
      const staged = parseStaged((await store.get(key)).bytes, `the staged record ${key}`)
      if (key !== keyOfStaged(topic, staged.commit) || staged.topic !== topic) throw malformed(key, 'another key')
      found.push(staged)
    } catch (error) {
      // Its writer may settle it between the two calls.
      if (!isKind(error, 'not-found')) throw error
    }
  }
  return found
}

export function keyOfStaged(topic: string, commit: string): string {
  return `${PREFIX}${topic}/${commit}.json`
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function parseStaged(bytes: Uint8Array, what: string): StagedCommit {
  const json = parseStored(kind, bytes, what)
  const names = parseCommitNames(json, what)
  const { commit } = names
  if (!uuid.test(commit)) throw malformed(what, `commit ${JSON.stringify(commit)}`)
  const ledger = json['ledger']
  if (ledger !== null && !(typeof ledger === 'string' && isObjectName(ledger))) throw malformed(what, 'ledger')
  return {
    ...names,
    epoch: jsonInt64(json['epoch'], `"epoch" of ${what}`),
    parent: json['parent'] === null ? null : jsonInt64(json['parent'], `"parent" of ${what}`),
    objectPrefixes: arrayField(json, 'objectPrefixes', what).map((prefix) => {
      if (typeof prefix === 'string' && isOfCommit(prefix, commit)) return prefix
      throw malformed(what, `object prefix ${JSON.stringify(prefix)}, which is not of commit ${commit}`)
    }),
    ledger: ledger ?? undefined,
    ranges: arrayField(json, 'ranges', what).map((range) => {
      const [partition, from, to] = storedCheck.array(range, `a range of ${what}`)
      return {
        partition: Number(jsonInt64(partition, `a partition of ${what}`)),
        from: jsonInt64(from, `a range of ${what}`),
        to: jsonInt64(to, `a range of ${what}`),
      }
    }),
  }
}

// Of objects below a location: data files, manifests, manifest lists.
function isOfCommit(prefix: string, commit: string): boolean {
  const name = prefix.replace(/^.*\/(?=(data|metadata)\/[^/]*$)/s, '')
  return (
    name !== prefix &&
    (name === `data/${commit}-` || name === `metadata/${commit}-` || /^metadata\/snap-\d+-$/.test(name))
  )
}

function malformed(what: string, found: string): Error {
  const message = `${what} has ${found}. Nothing was deleted; remove the record by hand once you know what it is.`
  return corrupt('STAGED', message, { context: { what } })
}

/** The refusal of a record whose objects are not where its table is: nothing of it is deleted. */
export function stagedElsewhere({ commit, topic, table, objectPrefixes }: StagedCommit, location: string): Error {
  const key = keyOfStaged(topic, commit)
  const message =
    `The staged record ${key} names ${objectPrefixes.join(', ')}, which is not below ${location} where table ${table} is. ` +
    'Nothing was deleted. Remove the record by hand once you know what it is.'
  return corrupt('STAGED', message, { context: { key, table } })
}
