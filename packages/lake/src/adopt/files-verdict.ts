import { isKind, isUnreadable } from '@moulin/core'
import type { AuditRange, CallOptions, TableFileInfo, TableFilesVerdict } from '@moulin/core'
import type { ManifestFile } from '@moulin/iceberg'
import { sizeFault } from '../look/file-look.ts'
import { anywhere, lowest, meeting, placesIn, united } from '../look/missing-files.ts'
import type { PlacesIn } from '../look/missing-files.ts'
import { dataFilesIn, deleteFilesIn, manifestListOf, manifestsIn } from '../look/named-files.ts'
import type { ColdReadParts } from '../replay/cold-read.ts'
import { mapAhead } from '../scan/map-ahead.ts'
import type { OffsetRange } from '../encode/row-builder.ts'
import { placeOf } from '../places/place.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import type { TableState } from '../table/table-state.ts'

/** What a look for the table's files found. */
export interface FilesFound {
  readonly verdict: TableFilesVerdict
  /** Offsets that may have been in what is missing, and that the write-ahead tier has let go of. */
  readonly lost: readonly AuditRange[]
  /** Nothing is missing, or the write-ahead tier has all that it may have held. */
  readonly isWhole: boolean
}

/** A file that manifests name. */
interface Named {
  readonly location: string
  readonly fileSizeBytes: bigint
  readonly places: PlacesIn | undefined
}

interface Missing {
  readonly location: string
  readonly reason: string
  readonly places: PlacesIn | undefined
}

/** What lies elsewhere is asked for one by one, and no more than so many are: whoever asks for a verdict wants it soon. */
const MOST_HEADS = 1_000
const HEADS_AT_ONCE = 16
const MANIFESTS_AT_ONCE = 4

/**
 * Looks for all files that the current snapshot names, by name and size. The table's data folder is listed once; only what the list does
 * not have is asked for. Nothing is remembered, and nothing else is known to be missing by it.
 */
export async function filesVerdict(
  parts: ColdReadParts,
  state: TableState,
  released: readonly bigint[],
  call: CallOptions,
): Promise<FilesFound> {
  const missing: Missing[] = []
  const manifests = await manifestsOf(parts, state, missing, call)
  const named = await namedBy(parts, state, manifests, missing, call)
  const looked = await lookFor(parts, state, named, missing, call)
  const objects = manifestListOf(state.loaded.metadata) === undefined ? 0 : 1 + manifests.length
  const gone = missing.map(({ places }) => rangesOf(parts, state, released, places))
  const { maxGaps, maxMissingFiles } = parts.context.limits
  return {
    verdict: {
      named: objects + named.length,
      looked: objects + looked,
      missing: missing.slice(0, maxMissingFiles).map(({ location, reason }) => ({ location, reason })),
      missingCount: missing.length,
      held: joined(gone.flatMap(({ held }) => held)).slice(0, maxGaps),
    },
    lost: joined(gone.flatMap(({ lost }) => lost)).slice(0, maxGaps),
    isWhole: gone.every(({ lost, held }) => lost.length === 0 && held.length > 0),
  }
}

async function manifestsOf(
  parts: ColdReadParts,
  { loaded }: TableState,
  missing: Missing[],
  call: CallOptions,
): Promise<ManifestFile[]> {
  const path = manifestListOf(loaded.metadata)
  if (path === undefined) return []
  return (await orMissing(path, missing, () => manifestsIn(parts, path, call))) ?? []
}

async function namedBy(
  parts: ColdReadParts,
  { loaded: { metadata }, columns }: TableState,
  manifests: readonly ManifestFile[],
  missing: Missing[],
  call: CallOptions,
): Promise<Named[]> {
  // Vectors of many data files lie in one file.
  const found = new Map<string, Named>()
  const read = mapAhead(manifests, MANIFESTS_AT_ONCE - 1, async (manifest): Promise<Named[]> => {
    const named = await orMissing(manifest.path, missing, async () => {
      if (manifest.content === 'data') {
        const files = await dataFilesIn(parts, metadata, manifest, call)
        return files.map((file) => ({ ...file, places: placesIn(file, columns) }))
      }
      // Which rows of whom it deletes, nobody can tell without it.
      return (await deleteFilesIn(parts, metadata, manifest, call)).map((file) => ({ ...file, places: anywhere }))
    })
    return (named ?? []).map(({ filePath, fileSizeBytes, places }) => ({ location: filePath, fileSizeBytes, places }))
  })
  for await (const files of read) for (const file of files) found.set(file.location, file)
  return [...found.values()]
}

/** What `read` gives; undefined where the object is not there or cannot be read, so that all that it names is missing. */
async function orMissing<T>(location: string, missing: Missing[], read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!isUnreadable(error)) throw error
    missing.push({ location, reason: (error as Error).message, places: anywhere })
    return undefined
  }
}

/** @returns how many were looked for. */
async function lookFor(
  parts: ColdReadParts,
  { loaded: { metadata } }: TableState,
  named: readonly Named[],
  missing: Missing[],
  call: CallOptions,
): Promise<number> {
  const { tableFiles } = parts
  const listed = new Map<string, TableFileInfo>()
  if (named.length > 0) {
    const folder = `${tableFiles.under(metadata.location, 'data')}/`
    for await (const info of tableFiles.list(folder, call)) listed.set(info.location, info)
  }
  const elsewhere: Named[] = []
  for (const file of named) {
    const info = spellings(parts, file)
      .map((name) => listed.get(name))
      .find((one) => one !== undefined)
    if (info === undefined) elsewhere.push(file)
    else noteFault(file, sizeFault(info, file), missing)
  }
  const asked = elsewhere.slice(0, MOST_HEADS)
  const heads = mapAhead(asked, HEADS_AT_ONCE - 1, async (file) => ({ file, fault: await faultOf(parts, file, call) }))
  for await (const { file, fault } of heads) noteFault(file, fault, missing)
  return named.length - (elsewhere.length - asked.length)
}

function noteFault({ location, places }: Named, reason: string | undefined, missing: Missing[]): void {
  if (reason !== undefined) missing.push({ location, reason, places })
}

/** Of a location that lies in no store of the table there is none. */
function spellings({ tableFiles }: ColdReadParts, { location }: Named): readonly string[] {
  try {
    return tableFiles.spellings(location)
  } catch (error) {
    if (!isKind(error, 'invalid', 'OUTSIDE_STORE')) throw error
    return []
  }
}

async function faultOf({ tableFiles }: ColdReadParts, file: Named, call: CallOptions): Promise<string | undefined> {
  try {
    const info = await tableFiles.head(file.location, call)
    return info === undefined ? 'it is not there' : sizeFault(info, file)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return (error as Error).message
  }
}

/** Of the ledger's offsets, those that rows at these places may have had: let go of by the write-ahead tier, and still held. */
function rangesOf(
  { info }: ColdReadParts,
  { marker, entries }: TableState,
  released: readonly bigint[],
  places: PlacesIn | undefined,
): { readonly lost: AuditRange[]; readonly held: AuditRange[] } {
  const [lost, held]: [AuditRange[], AuditRange[]] = [[], []]
  const add = (ranges: AuditRange[], entry: LedgerEntry, part: OffsetRange): void => {
    const range = places && meeting(places, entry, part)
    if (range !== undefined) ranges.push({ incarnation: entry.incarnation, partition: entry.partition, ...range })
  }
  for (const entry of marker.ledger) {
    if (entry.incarnation !== info.incarnation) add(lost, entry, { from: entry.start, to: entry.frontier })
  }
  for (const entry of entries) {
    const end = released[entry.partition]!
    add(lost, entry, { from: entry.start, to: lowest(end, entry.frontier) })
    add(held, entry, { from: end, to: entry.frontier })
  }
  return { lost, held }
}

/** In order, each offset once. */
function joined(ranges: readonly AuditRange[]): AuditRange[] {
  const byPlace = Map.groupBy(ranges, ({ incarnation, partition }) => placeOf(incarnation, partition))
  return [...byPlace.values()]
    .map((own) => ({ first: own[0]!, ranges: united(own) }))
    .sort(({ first: a }, { first: b }) => a.incarnation - b.incarnation || a.partition - b.partition)
    .flatMap(({ first: { incarnation, partition }, ranges: all }) =>
      all.map((range) => ({ incarnation, partition, ...range })),
    )
}
