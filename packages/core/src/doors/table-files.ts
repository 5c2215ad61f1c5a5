import type { StorageCredential } from './catalog.ts'
import type {
  ByteRange,
  CallOptions,
  GetOptions,
  GetRangesOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
  StoredRanges,
} from './object-store.ts'

/**
 * The door to the files of a table by the locations that its metadata names. In which store a location lies, by what other names it
 * goes, how it may be spelled and which credentials reach it is known behind this door only; whoever compares two locations asks here.
 *
 * A location is taken raw. A file is read under its raw name, and only if nothing is there, percent-decoded: engines encode what they
 * write, and name it either way. What is written or deleted is named raw, never decoded.
 *
 * Each call throws `invalid` code `OUTSIDE_STORE` for a location that lies in no store of the table, before it does anything: metadata
 * never makes us read other places.
 */
export interface TableFiles {
  /** For messages. No secrets. */
  readonly name: string

  /** Like `ObjectStore.get`. The spelling that answered is kept to, so that all ranges come from one object. @throws `not-found` of the raw name when no spelling is there. */
  get(location: string, options?: GetOptions): Promise<StoredObject>
  /** Like `ObjectStore.getRanges`, of the object that `get` would read. */
  getRanges(location: string, ranges: readonly ByteRange[], options?: GetRangesOptions): Promise<StoredRanges>
  /** What is known of the object that `get` would read; undefined: no spelling is there. */
  head(location: string, options?: CallOptions): Promise<ObjectInfo | undefined>
  /** Like `ObjectStore.put`. */
  put(location: string, bytes: Uint8Array, options?: PutOptions): Promise<{ readonly etag: string }>
  /**
   * Deletes each of the files, in no order. What is not there is fine.
   * @returns what could not be deleted: look at it.
   * @throws before anything is deleted for a location that lies elsewhere or is no file's; `aborted`, like all else that is thrown later,
   * with outcome `unknown` when some may be gone.
   */
  deleteMany(locations: readonly string[], options?: CallOptions): Promise<DeletedFiles>
  /** The files whose locations begin so, raw; not a folder. In no order. */
  list(prefix: string, options?: CallOptions): AsyncIterable<TableFileInfo>

  /**
   * The location of a new file: `path` inside of a folder, by the folder's own scheme. @throws `invalid` code `KEY` for what no store takes.
   */
  under(folder: string, path: string): string
  /** The location, taken raw, in the one form in which `list` and `spellings` give it: two raw names of one file have the same. */
  canonical(location: string): string
  /** All files that a read of the location may find, canonical, at least one. */
  spellings(location: string): readonly string[]
  /** Whether a read of the one may find what a read of the other does. False where one of them lies elsewhere. */
  isSame(a: string, b: string): boolean
}

/** As the store tells it, with the file's canonical location. */
export type TableFileInfo = Omit<ObjectInfo, 'key'> & { readonly location: string }

export interface DeletedFiles {
  /** What may still be there, in the order asked. Empty: all is gone. */
  readonly failed: readonly { readonly location: string; readonly error: unknown }[]
}

/**
 * Finds the store of a location by its scheme and authority: one store answers for all locations that have both and are meant by the same
 * credentials, by their `prefix`. It is asked for once for the same config and credentials of a table; for others it gives another store.
 *
 * Where one place goes by several schemes or authorities, it gives the same store for all of them, or stores that say each other's
 * roots in `aliases`. A place whose names nobody tells counts as several: a file of it that is listed by two of them is read as two. What
 * is deleted is spared all the same where something live may name it so.
 *
 * @param config What the catalog says of the table's files. A secret, like `credentials`: never into names, logs or errors.
 * @throws `unsupported`, or `invalid` code `OUTSIDE_STORE`, for a location that lies in no store of the table. What else it throws ends
 * the call that asked.
 */
export type TableStores = (
  location: string,
  config: Readonly<Record<string, string>>,
  credentials: readonly StorageCredential[],
) => ObjectStore
