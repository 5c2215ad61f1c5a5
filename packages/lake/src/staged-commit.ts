import { corrupt, isKind, jsonBytes, jsonInt64, parseJson } from '@moulin/core'
import type { JsonValue, ObjectStore } from '@moulin/core'

const PREFIX = 'log/staged/'

/**
 * Written before the first file of a commit and deleted when its outcome is known, so that an outcome which nobody
 * learned is a state that the next start settles, not an accident. Lies in the log's own prefix, never under the table.
 */
export interface StagedCommit {
  readonly commit: string
  readonly topic: string
  readonly table: string
  readonly tableUuid: string
  readonly epoch: bigint
  /** The main snapshot that the commit asserts; null for a table without one. */
  readonly parent: bigint | null
  /** Every object of the commit has a key that begins with one of these. */
  readonly objectPrefixes: readonly string[]
  /** Half-open, what the commit moves. */
  readonly ranges: readonly { readonly partition: number; readonly from: bigint; readonly to: bigint }[]
}

export async function putStaged(store: ObjectStore, staged: StagedCommit): Promise<void> {
  const { epoch, parent, ranges } = staged
  const json = {
    version: 1,
    ...staged,
    epoch: epoch.toString(),
    parent: parent?.toString() ?? null,
    ranges: ranges.map(({ partition, from, to }) => [partition, from.toString(), to.toString()]),
  }
  await store.put(keyOfStaged(staged.commit), jsonBytes(json))
}

export async function deleteStaged(store: ObjectStore, commit: string): Promise<void> {
  await store.delete(keyOfStaged(commit))
}

/** The records of one topic, in order of their keys. */
export async function listStaged(store: ObjectStore, topic: string): Promise<StagedCommit[]> {
  const found: StagedCommit[] = []
  for await (const { key } of store.list({ prefix: PREFIX })) {
    try {
      const staged = parseStaged((await store.get(key)).bytes, key)
      if (staged.topic === topic) found.push(staged)
    } catch (error) {
      // Its writer may settle it between the two calls.
      if (!isKind(error, 'not-found')) throw error
    }
  }
  return found
}

function keyOfStaged(commit: string): string {
  return `${PREFIX}${commit}.json`
}

function parseStaged(bytes: Uint8Array, key: string): StagedCommit {
  const json = parseJson(bytes, key) as Record<string, JsonValue>
  const string = (value: JsonValue | undefined, name: string): string => {
    if (typeof value !== 'string') throw corrupt('STAGED', `${key} has no text "${name}".`, { context: { key } })
    return value
  }
  const list = (name: string): readonly JsonValue[] => {
    const value = json[name]
    if (!Array.isArray(value)) throw corrupt('STAGED', `${key} has no list "${name}".`, { context: { key } })
    return value
  }
  if (json['version'] !== 1) {
    throw corrupt('STAGED', `${key} has version ${String(json['version'])}; this version reads 1.`, {
      context: { key },
    })
  }
  return {
    commit: string(json['commit'], 'commit'),
    topic: string(json['topic'], 'topic'),
    table: string(json['table'], 'table'),
    tableUuid: string(json['tableUuid'], 'tableUuid'),
    epoch: jsonInt64(json['epoch'], `"epoch" of ${key}`),
    parent: json['parent'] === null ? null : jsonInt64(json['parent'], `"parent" of ${key}`),
    objectPrefixes: list('objectPrefixes').map((prefix) => string(prefix, 'objectPrefixes')),
    ranges: list('ranges').map((range) => {
      const [partition, from, to] = range as JsonValue[]
      return {
        partition: Number(jsonInt64(partition, `a partition in ${key}`)),
        from: jsonInt64(from, `a range in ${key}`),
        to: jsonInt64(to, `a range in ${key}`),
      }
    }),
  }
}
