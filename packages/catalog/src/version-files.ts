import { getIfThere } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'

/** A table's folder on a store. Layout and protocol: docs/formats/catalog.md. */
export interface TableFolder {
  readonly store: ObjectStore
  /** Key of the folder, without a slash at its end. */
  readonly path: string
}

/** One version of a table's metadata, as it was read or written. */
export interface Version {
  readonly version: number
  /** Tells this object from another one that had the same name. */
  readonly etag: string
}

export type VersionBytes = Version & { readonly bytes: Uint8Array }

export function versionKey(folder: TableFolder, version: number): string {
  return `${folder.path}/metadata/v${version}.metadata.json`
}

export function hintKey(folder: TableFolder): string {
  return `${folder.path}/metadata/version-hint.text`
}

const versionFile = /\/metadata\/v([1-9]\d{0,14})\.metadata\.json$/

export function versionOf(key: string): number | undefined {
  const match = versionFile.exec(key)
  return match === null ? undefined : Number(match[1])
}

/** All versions present, ascending. */
export async function listVersions(folder: TableFolder, signal?: AbortSignal): Promise<number[]> {
  const prefix = `${folder.path}/metadata/v`
  const versions: number[] = []
  for await (const { key } of folder.store.list({ prefix, ...withSignal(signal) })) {
    const version = versionOf(key)
    if (version !== undefined) versions.push(version)
  }
  return versions.sort((a, b) => a - b)
}

/** Undefined when missing. Bytes that are known are taken as they are while the tag is theirs. */
export async function getVersion(
  folder: TableFolder,
  version: number,
  known: VersionBytes | undefined,
  signal?: AbortSignal,
): Promise<VersionBytes | undefined> {
  const key = versionKey(folder, version)
  if (known?.version === version) {
    const present = await folder.store.head(key, withSignal(signal))
    if (present?.etag === known.etag) return known
  }
  const object = await getIfThere(folder.store, key, withSignal(signal))
  return object === undefined ? undefined : { version, etag: object.etag, bytes: object.bytes }
}

export async function hasVersion(folder: TableFolder, version: number, signal?: AbortSignal): Promise<boolean> {
  return (await folder.store.head(versionKey(folder, version), withSignal(signal))) !== undefined
}

export function withSignal(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}
