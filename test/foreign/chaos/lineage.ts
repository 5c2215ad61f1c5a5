import { fileURLToPath } from 'node:url'
import type { Model } from './model.ts'
import { history } from './stranger.ts'
import type { Stranger } from './stranger.ts'

/** Commits of ours, as the run has seen them. */
export interface OwnCommits {
  /** Snapshot of the last one; undefined before the first. */
  readonly last: string | undefined
  readonly lastSequence: number
  readonly snapshots: ReadonlySet<string>
}

export type ExpectedVerdict = 'intact' | 'plausible' | 'broken'

/**
 * What the table's history is worth: by its snapshots, and where expiry has cut their chain by the files that are live, which Spark
 * lists and DuckDB reads. Nothing here comes of Moulin.
 */
export async function expectedVerdict(stranger: Stranger, model: Model, own: OwnCommits): Promise<ExpectedVerdict> {
  const { metadata } = stranger
  if (own.last === undefined) return 'intact'
  const chain = history(metadata)
  const first = chain.find((id) => own.snapshots.has(id))
  // One of ours below the last one: that was rolled back.
  if (first !== undefined) return first === own.last ? 'intact' : 'broken'
  const oldest = metadata.snapshots.find((snapshot) => snapshot['snapshot-id'] === chain.at(-1))
  const parent = oldest?.['parent-snapshot-id']
  if (parent === undefined) return 'broken'
  if (parent === own.last) return 'intact'
  return (await hasEvidence(stranger, model, own)) ? 'plausible' : 'broken'
}

interface LiveFile {
  readonly location: string
  readonly sequence: number
  readonly snapshot: string
}

/**
 * A file of the last commit, a file with rows of ours that is no older than it, the last row of each partition, or a table that was emptied
 * above it. Rows that are deleted beside their file count: it has them all the same.
 */
async function hasEvidence(stranger: Stranger, model: Model, own: OwnCommits): Promise<boolean> {
  const { metadata } = stranger
  const files = await liveFiles(stranger)
  if (files.length === 0) {
    const main = metadata.snapshots.find((each) => each['snapshot-id'] === metadata['current-snapshot-id'])
    return main !== undefined && main['sequence-number'] > own.lastSequence
  }
  if (files.some(({ snapshot }) => snapshot === own.last)) return true
  const raised = files.filter(({ sequence }) => sequence >= own.lastSequence)
  const places = await placesIn(stranger, raised)
  if (places.some(([partition, offset]) => offset < (model.frontier[partition] ?? 0n))) return true
  const last = model.lastRows.flatMap((offset, partition) => (offset === undefined ? [] : [`${partition}:${offset}`]))
  const all = new Set((await placesIn(stranger, files)).map(([partition, offset]) => `${partition}:${offset}`))
  return last.length > 0 && last.every((place) => all.has(place))
}

/** The data files of the present snapshot, as Spark lists them. */
export async function liveFiles(stranger: Stranger): Promise<LiveFile[]> {
  const { engines, table } = stranger
  const columns = 'data_file.file_path, sequence_number, snapshot_id'
  const rows = await engines.spark.sql(
    `SELECT ${columns} FROM ${table}.entries WHERE status < 2 AND data_file.content = 0 ORDER BY 2, 1`,
  )
  return rows.map(([location, sequence, snapshot]) => {
    return { location: location!, sequence: Number(sequence), snapshot: snapshot! }
  })
}

/** Whose places the rows of the files have, deleted or not, as DuckDB reads them without a table. */
export async function placesIn(
  { engines }: Stranger,
  files: readonly Pick<LiveFile, 'location'>[],
): Promise<(readonly [partition: number, offset: bigint])[]> {
  if (files.length === 0) return []
  const selects = files.map(
    ({ location }) =>
      `SELECT _kafka_partition, _kafka_offset FROM read_parquet('${fileURLToPath(location)}') ` +
      'WHERE _kafka_partition IS NOT NULL AND _kafka_offset IS NOT NULL AND _kafka_incarnation IS NOT NULL',
  )
  const rows = await engines.duckdb.sql(selects.join(' UNION ALL '))
  return rows.map(([partition, offset]) => [Number(partition), BigInt(offset!)])
}
