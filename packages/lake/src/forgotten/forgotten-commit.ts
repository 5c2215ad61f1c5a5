import {
  arrayField,
  asObject,
  corrupt,
  countField,
  getIfThere,
  jsonInt64,
  listInOrder,
  parseStored,
  storedBytes,
  stringField,
} from '@moulin/core'
import type { JsonObject, JsonValue, ObjectStore, Snapshot, StoredKind, TableMetadata } from '@moulin/core'
import { parseCommitNames, type CommitNames } from '../table/commit-names.ts'

const PREFIX = 'log/forgotten/'
const kind: StoredKind = { name: 'forgotten commit', format: 1, minimumReader: 1 }

/** A snapshot that the table does not have any more, and where what it named is found. */
export interface ForgottenSnapshot {
  readonly id: bigint
  readonly sequence: bigint
  /** URI. Manifests and data files are found through it. */
  readonly manifestList: string
  /** URIs of its statistics, of partitions too. */
  readonly statistics: readonly string[]
}

/**
 * Names the snapshots that a commit forgets. Written before the commit is sent, so that somebody always knows of files
 * that no snapshot names, and deleted behind the last of them. A claim: what is in the table when it is due stays there.
 */
export interface ForgottenCommit extends CommitNames {
  /** Wall time, milliseconds since the epoch. */
  readonly timeMs: number
  /** By rising sequence number. */
  readonly snapshots: readonly ForgottenSnapshot[]
}

/** What the table says of the snapshots that a commit is about to forget. */
export function forgottenSnapshots(metadata: TableMetadata, ids: readonly bigint[]): ForgottenSnapshot[] {
  const wanted = new Set(ids)
  const statistics = new Map<bigint, string[]>()
  for (const entry of [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])]) {
    const { 'snapshot-id': id, 'statistics-path': path } = entry as JsonObject
    if (typeof path === 'string')
      statistics.set(BigInt(id as bigint), [...(statistics.get(BigInt(id as bigint)) ?? []), path])
  }
  const found = (metadata.snapshots ?? []).filter((snapshot) => wanted.has(BigInt(snapshot['snapshot-id'])))
  return found
    .map((snapshot: Snapshot) => {
      const id = BigInt(snapshot['snapshot-id'])
      const sequence = BigInt(snapshot['sequence-number'])
      return { id, sequence, manifestList: snapshot['manifest-list'], statistics: statistics.get(id) ?? [] }
    })
    .sort((a, b) => (a.sequence < b.sequence ? -1 : 1))
}

export async function putForgotten(store: ObjectStore, forgotten: ForgottenCommit): Promise<void> {
  const snapshots = forgotten.snapshots.map(({ id, sequence, manifestList, statistics }) => {
    return { id: id.toString(), sequence: sequence.toString(), manifestList, statistics }
  })
  const key = keyOfForgotten(forgotten.topic, forgotten.commit)
  await store.put(key, storedBytes(kind, { ...forgotten, snapshots }))
}

export async function deleteForgotten(store: ObjectStore, topic: string, commit: string): Promise<void> {
  await store.delete(keyOfForgotten(topic, commit))
}

/** The commits of one topic that have a record, in order of their keys. */
export async function listForgotten(store: ObjectStore, topic: string): Promise<string[]> {
  const commits: string[] = []
  const prefix = `${PREFIX}${topic}/`
  for await (const { key } of listInOrder(store, { prefix })) commits.push(key.slice(prefix.length))
  return commits
}

/**
 * Undefined when it is gone.
 * @throws `unsupported` code `FORMAT_VERSION` for one of a later format; `corrupt` for one that is none.
 */
export async function loadForgotten(
  store: ObjectStore,
  topic: string,
  commit: string,
): Promise<ForgottenCommit | undefined> {
  const key = keyOfForgotten(topic, commit)
  const object = await getIfThere(store, key)
  if (object === undefined) return undefined
  const found = parseForgotten(object.bytes, `the record ${key}`)
  if (found.commit === commit && found.topic === topic) return found
  const message = `The record ${key} says that it is of commit ${found.commit}. Nothing was deleted; remove it by hand.`
  throw corrupt('FORGOTTEN', message, { context: { key } })
}

export function keyOfForgotten(topic: string, commit: string): string {
  return `${PREFIX}${topic}/${commit}`
}

function parseForgotten(bytes: Uint8Array, what: string): ForgottenCommit {
  const json = parseStored(kind, bytes, what)
  return {
    ...parseCommitNames(json, what),
    timeMs: countField(json, 'timeMs', what),
    snapshots: arrayField(json, 'snapshots', what).map((member) => snapshotIn(member, what)),
  }
}

function snapshotIn(member: JsonValue, what: string): ForgottenSnapshot {
  const json = asObject(member, what)
  return {
    id: jsonInt64(json['id'], `a snapshot of ${what}`),
    sequence: jsonInt64(json['sequence'], `a sequence number of ${what}`),
    manifestList: stringField(json, 'manifestList', what),
    statistics: arrayField(json, 'statistics', what).filter((path) => typeof path === 'string'),
  }
}
