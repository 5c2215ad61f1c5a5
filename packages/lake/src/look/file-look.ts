import { isKind, isUnreadable } from '@moulin/core'
import type { CallOptions, ColdContext, ColdTopicInfo, TableFiles } from '@moulin/core'
import type { DataFile, ManifestFile, ManifestRoom } from '@moulin/iceberg'
import { inLine } from '../live/in-line.ts'
import type { LiveFiles } from '../live/live-files.ts'
import { mapAhead } from '../scan/map-ahead.ts'
import { anywhere, lowest, meeting, noneMissing, partitionsOf, placesIn, reaches } from './missing-files.ts'
import type { MissingFiles, PlacesIn } from './missing-files.ts'
import { dataFilesIn, manifestListOf, manifestsIn } from './named-files.ts'
import { unreadDeletes } from './unread-deletes.ts'
import type { UnreadDeletes } from './unread-deletes.ts'
import type { OffsetRange } from '../encode/row-builder.ts'
import type { FileLists } from '../replay/cold-plan.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import type { TableState } from '../table/table-state.ts'
import type { TopicTable } from '../table/topic-table.ts'

export interface FileLookParts {
  readonly tableFiles: TableFiles
  readonly files: LiveFiles
  readonly manifests?: ManifestRoom | undefined
  readonly fileLists: FileLists
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly table: TopicTable
}

const HEADS_AT_ONCE = 16
const MANIFESTS_AT_ONCE = 4
/** Snapshots that a look follows while files go under it. */
const MAX_ROUNDS = 4

/** What a look says of what is to be released. */
export interface Looked {
  /** With what is missing. */
  readonly state: TableState
  /** What was looked at, by partition. */
  readonly ranges: readonly OffsetRange[]
  /** Per partition, the first offset of its range that a missing file may have by its bounds; else the end of the range. */
  readonly safe: readonly bigint[]
  /** Of what is to be released. */
  readonly unread: UnreadDeletes | undefined
}

interface Found {
  readonly missing: Map<string, string>
  readonly places: PlacesIn[]
  /** The snapshot has manifests of deletes. */
  hasDeletes: boolean
}

/**
 * Looks whether the files of the current snapshot are there, as far as they may hold what the write-ahead tier still has. Somebody's
 * orphan removal may have listed a file before our commit named it, and delete it after that. What is missing is remembered in the
 * topic's table; reads and scans then take from the write-ahead tier what no other file has.
 */
export class FileLook {
  readonly #parts: FileLookParts
  /** Manifests without a file for what is held, or one that is missing. What is let go of only grows, so they need not be read again. */
  #passed = new Set<string>()
  readonly #inOrder = inLine()
  /** The snapshot of the last look at everything that is held. */
  #lookedOn: bigint | null | undefined

  constructor(parts: FileLookParts) {
    this.#parts = parts
  }

  /**
   * Looks at what is to be released. @throws what a load of the table does; `unavailable` where a file could not be looked at;
   * `aborted` at once when the signal fires, whatever the look waits for.
   */
  below(upTo: readonly bigint[], call: CallOptions): Promise<Looked> {
    return this.#inOrder(() => this.#look(upTo, undefined, call), call)
  }

  /**
   * Looks at everything that is held, and at the `suspect`: a data file that somebody could not read, whatever it may have. True when
   * something else is missing now than was known to be.
   */
  async again(call: CallOptions, suspect?: string): Promise<boolean> {
    const { table } = this.#parts
    const before = [...table.missing.keys()].sort().join('\n')
    await this.#inOrder(() => this.#look(undefined, suspect, call), call)
    return [...table.missing.keys()].sort().join('\n') !== before
  }

  /** {@link again}, where that has not been done yet with the state's snapshot. */
  async once({ loaded }: TableState, call: CallOptions): Promise<void> {
    if (this.#lookedOn !== snapshotIdOf(loaded)) await this.again(call)
  }

  /** Opens the files of a commit of ours that has been read back. The commit stands whatever comes of it. */
  async opened(files: readonly DataFile[]): Promise<void> {
    const { table } = this.#parts
    const opened = mapAhead(files, HEADS_AT_ONCE - 1, async (file) => {
      const fault = await this.#faultOf(file, {}, false).catch(() => undefined)
      // What could not be opened for another reason is opened by the first look at it, before anything is let go of.
      if (fault !== undefined) this.#remember(new Map([...table.missing, [file.filePath, fault]]))
    })
    for await (const done of opened) void done
  }

  async #look(upTo: readonly bigint[] | undefined, suspect: string | undefined, call: CallOptions): Promise<Looked> {
    const { context, table } = this.#parts
    for (let round = 1; ; round++) {
      const state = await table.load(call)
      const known = table.missing
      const asked = new Set(known.keys())
      if (suspect !== undefined) asked.add(suspect)
      // Its manifest may have been passed.
      if (asked.size > known.size) this.#passed = new Set()
      const released = context.hot.releasedOffsets()
      const ranges = state.entries.map(({ frontier }, partition): OffsetRange => {
        const from = released[partition]!
        return { from, to: lowest(frontier, upTo?.[partition] ?? frontier) }
      })
      const found = await this.#missingOf(state, ranges, asked, call)
      // Files of a snapshot that has been replaced meanwhile may go.
      const isCurrent = async (): Promise<boolean> =>
        snapshotIdOf((await table.load(call)).loaded) === snapshotIdOf(state.loaded)
      const ofFound = { ...state, missing: found.missing }
      const asks = upTo !== undefined && found.hasDeletes
      const unread = asks ? await unreadDeletes(this.#parts, ofFound, ranges, call) : undefined
      const isAmiss = found.missing.size > 0 || unread !== undefined
      if (isAmiss && round < MAX_ROUNDS && !(await isCurrent())) continue
      // A commit that ended meanwhile may have found a file of its own.
      for (const [file, reason] of table.missing) if (!known.has(file)) found.missing.set(file, reason)
      this.#remember(found.missing.size === 0 ? noneMissing : found.missing)
      if (upTo === undefined) this.#lookedOn = snapshotIdOf(state.loaded)
      const safe = ranges.map((range, partition) => {
        const entry = state.entries[partition]!
        return found.places.reduce((end, places) => lowest(end, meeting(places, entry, range)?.from ?? end), range.to)
      })
      return { state: { ...state, missing: table.missing }, ranges, safe, unread }
    }
  }

  #remember(missing: MissingFiles): void {
    const { context, info, table } = this.#parts
    for (const [file, reason] of missing) {
      if (table.missing.has(file)) continue
      const fields = { topic: info.name, table: info.table, file, reason }
      context.runtime.logger.warn(fields, 'A file of the table cannot be read: its records keep their write-ahead copy')
    }
    for (const file of table.missing.keys()) {
      if (missing.has(file)) continue
      context.runtime.logger.info({ topic: info.name, table: info.table, file }, 'A file is missing no more')
    }
    table.missing = missing
  }

  async #missingOf(
    state: TableState,
    ranges: readonly OffsetRange[],
    asked: ReadonlySet<string>,
    call: CallOptions,
  ): Promise<Found> {
    const found: Found = { missing: new Map(), places: [], hasDeletes: false }
    const isHeld = ranges.some(({ from, to }) => from < to)
    if (!isHeld && asked.size === 0) return found
    const candidates = mapAhead(
      this.#candidates(state, ranges, asked, found, call),
      HEADS_AT_ONCE - 1,
      async (file) => ({
        file,
        fault: await this.#faultOf(file, call, true),
      }),
    )
    for await (const { file, fault } of candidates) {
      if (fault === undefined) continue
      found.missing.set(file.filePath, fault)
      found.places.push(placesIn(file, state.columns) ?? anywhere)
    }
    return found
  }

  /** Live files that may hold some of the ranges, or are asked for; manifests that cannot be read are found missing. */
  async *#candidates(
    state: TableState,
    ranges: readonly OffsetRange[],
    asked: ReadonlySet<string>,
    found: Found,
    call: CallOptions,
  ): AsyncGenerator<DataFile> {
    const { entries, columns } = state
    const { info } = this.#parts
    const released = ranges.map(({ from }) => from)
    const manifests = await this.#manifestsOf(state, found, call)
    found.hasDeletes = manifests.some(({ content }) => content === 'deletes')
    const passed = new Set(manifests.map(({ path }) => path).filter((path) => this.#passed.has(path)))
    this.#passed = passed
    const unread = manifests.filter(({ path, content }) => content === 'data' && !passed.has(path))
    const read = mapAhead(unread, MANIFESTS_AT_ONCE - 1, async (manifest) => ({
      manifest,
      files: await this.#filesOf(state, manifest, found, call),
    }))
    for await (const { manifest, files } of read) {
      // A file that was missing is asked for until it is there again.
      let isPassed = files !== undefined && !files.some(({ filePath }) => asked.has(filePath))
      for (const file of files ?? []) {
        const places = placesIn(file, columns)
        if (places === undefined) continue
        if (isPassed && reaches(places, info.incarnation, released)) isPassed = false
        const meets = partitionsOf(places, entries.length).some((partition) =>
          meeting(places, entries[partition]!, ranges[partition]!),
        )
        if (asked.has(file.filePath) || meets) yield file
      }
      if (isPassed) passed.add(manifest.path)
    }
  }

  async #manifestsOf({ loaded }: TableState, found: Found, call: CallOptions): Promise<ManifestFile[]> {
    const path = manifestListOf(loaded.metadata)
    if (path === undefined) return []
    return orMissing(path, found, [], () => manifestsIn(this.#parts, path, call))
  }

  async #filesOf(
    { loaded: { metadata } }: TableState,
    manifest: ManifestFile,
    found: Found,
    call: CallOptions,
  ): Promise<DataFile[] | undefined> {
    return orMissing(manifest.path, found, undefined, () => dataFilesIn(this.#parts, metadata, manifest, call))
  }

  /** What is wrong with the file, as far as its size and its footer tell; a footer that is known is not read again. */
  async #faultOf(file: DataFile, call: CallOptions, asksStore: boolean): Promise<string | undefined> {
    const { tableFiles, files } = this.#parts
    try {
      if (asksStore) {
        const info = await tableFiles.head(file.filePath, call)
        if (info === undefined) return 'it is not there'
        const fault = sizeFault(info, file)
        if (fault !== undefined) return fault
      }
      await files.check(file, call)
      return undefined
    } catch (error) {
      if (!isUnreadable(error)) throw error
      return (error as Error).message
    }
  }
}

/** Of a file that is there, as the store tells it: what its manifest says otherwise. */
export function sizeFault(
  { size }: { readonly size: number },
  named: { readonly fileSizeBytes: bigint },
): string | undefined {
  return BigInt(size) === named.fileSizeBytes
    ? undefined
    : `it has ${size} bytes; its manifest says ${named.fileSizeBytes}`
}

/** What `read` gives; where the object is not there or damaged, it and all that it names is found missing. */
async function orMissing<T>(path: string, found: Found, none: T, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!isKind(error, 'not-found') && !isKind(error, 'corrupt')) throw error
    found.missing.set(path, error.message)
    found.places.push(anywhere)
    return none
  }
}
