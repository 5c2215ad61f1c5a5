import { corrupt, unsupported } from './errors.ts'
import { parseJson, stringifyJson } from './json.ts'
import type { JsonValue } from './json.ts'
import { jsonChecks } from './json-checks.ts'
import type { JsonChecks, JsonObject } from './json-checks.ts'
import type { ObjectStore } from '../doors/object-store.ts'
import { getIfThere } from './get-if-there.ts'

/**
 * A kind of thing that is stored: a frame, a topic, a marker. Each kind counts its own versions.
 *
 * One rule for all of them: an object says with which format it was written and which reader it needs at least, and it is
 * readable exactly if that `minimumReader` is not above our own format of the kind, whatever its format says. What a later
 * format adds without raising the minimum is ignored: unknown members, elements behind the known ones, header bytes before
 * the checksum.
 */
export interface StoredKind {
  /** For messages: `checkpoint`. */
  readonly name: string
  /** What we write, and the highest `minimumReader` that we read. From 1. */
  readonly format: number
  /** The oldest reader of what we write; at most `format`. */
  readonly minimumReader: number
}

/** The object with the versions of its kind in front. A bigint becomes an integer literal. */
export function storedText(
  { format, minimumReader }: StoredKind,
  members: Readonly<Record<string, unknown>>,
  indent?: number,
): string {
  return stringifyJson({ format, minimumReader, ...members }, indent)
}

/** {@link storedText} as UTF-8 bytes. */
export function storedBytes(kind: StoredKind, members: Readonly<Record<string, unknown>>, indent?: number): Uint8Array {
  return new TextEncoder().encode(storedText(kind, members, indent))
}

/** @throws `unsupported` code `FORMAT_VERSION` when an object of the kind needs a later reader than this one. */
export function checkReadable(kind: StoredKind, minimumReader: number, what: string): void {
  if (minimumReader > kind.format) throw tooNew(kind, minimumReader, what)
}

function tooNew({ name, format }: StoredKind, minimumReader: number, what: string): Error {
  return unsupported(
    'FORMAT_VERSION',
    `${what} needs a reader of ${name} format ${minimumReader}; this one reads up to ${format}. Use a newer moulin.`,
    { context: { stored: name, minimumReader, supported: format } },
  )
}

/** A JSON object of the kind, if we may read it. @throws `corrupt` for malformed text; `unsupported` for a later format. */
export function parseStored(kind: StoredKind, input: string | Uint8Array, what: string, maxBytes?: number): JsonObject {
  const { json, refusal } = parseAnyVersion(kind, input, what, maxBytes)
  if (refusal !== undefined) throw refusal
  return json
}

/** Reads a JSON object of the kind from a store; undefined when it is not there. @throws as {@link parseStored}. */
export async function loadStored(
  store: ObjectStore,
  kind: StoredKind,
  key: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<JsonObject | undefined> {
  const stored = await loadAnyVersion(store, kind, key, maxBytes, signal)
  if (stored?.refusal !== undefined) throw stored.refusal
  return stored?.json
}

/** A stored object of any version of its kind. */
export interface AnyVersion {
  readonly json: JsonObject
  /** Where it needs a later reader: only members that every format of the kind promises may be looked at. */
  readonly refusal: Error | undefined
}

/** {@link loadStored}, but an object of a later format comes with its refusal. @throws `corrupt` for malformed text. */
export async function loadAnyVersion(
  store: ObjectStore,
  kind: StoredKind,
  key: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<AnyVersion | undefined> {
  const object = await getIfThere(store, key, signal === undefined ? {} : { signal })
  if (object === undefined) return undefined
  return parseAnyVersion(kind, object.bytes, `${store.name} ${key}`, maxBytes)
}

function parseAnyVersion(kind: StoredKind, input: string | Uint8Array, what: string, maxBytes?: number): AnyVersion {
  const json = asObject(parseJson(input, what, maxBytes), what)
  const minimumReader = countField(json, 'minimumReader', what)
  return { json, refusal: minimumReader > kind.format ? tooNew(kind, minimumReader, what) : undefined }
}

/** Checks of what is stored, for members that the short forms below do not have. */
export const storedCheck: JsonChecks = jsonChecks('STORED_JSON')

/** @throws `corrupt`, like all below. */
export const asObject = (json: JsonValue | undefined, what: string): JsonObject => storedCheck.object(json, what)

export const stringField = (json: JsonObject, field: string, what: string): string =>
  storedCheck.string(json[field], what, field)

/** A whole number from 0 to 2^53 − 1. */
export const countField = (json: JsonObject, field: string, what: string): number =>
  storedCheck.count(json[field], what, field)

export const arrayField = (json: JsonObject, field: string, what: string): readonly JsonValue[] =>
  storedCheck.array(json[field], what, field)

/** For what no check says. */
export function fieldError(what: string, field: string): Error {
  return corrupt('STORED_JSON', `${what}: ${field} is missing or malformed.`, { context: { field } })
}
