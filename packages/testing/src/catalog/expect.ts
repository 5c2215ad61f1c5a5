import type { ErrorKind, LoadedTable, MoulinError, TableMetadata } from '@moulin/core'
import { isMoulinError, parseJson, stringifyJson } from '@moulin/core'
import { errorOf, expectEqual, expectTrue, failure } from '../assertions.ts'

type Properties = Readonly<Record<string, string>> | undefined

/** The error, which must be of one of these kinds. */
export async function expectOneOf(
  call: Promise<unknown>,
  kinds: readonly ErrorKind[],
  what: string,
): Promise<MoulinError> {
  const error = await errorOf(call)
  if (isMoulinError(error) && kinds.includes(error.kind)) return error
  throw failure(`${what}: wanted an error of kind ${kinds.join(' or ')}, got ${String(error ?? 'none')}`, error)
}

/** The error of a commit whose requirement does not hold: nothing happened. */
export async function expectConflict(call: Promise<unknown>, what: string): Promise<void> {
  const { outcome } = await expectOneOf(call, ['conflict'], what)
  expectTrue(outcome === 'rejected', `${what}: a requirement that does not hold is a rejection`)
}

/** The same table in the same state; what a catalog says of access to its files may be new each time. */
export function expectTable(actual: LoadedTable, expected: LoadedTable, what: string): void {
  expectEqual(partsOf(actual), partsOf(expected), what)
}

const partsOf = ({ identifier, metadataLocation, metadata }: LoadedTable): object => ({
  identifier,
  metadataLocation,
  metadata,
})

/** These properties and none of those that are named as gone; a catalog may set some of its own. */
export function expectProperties(actual: Properties, wanted: Properties, what: string, ...gone: string[]): void {
  const present = Object.entries(actual ?? {}).filter(([name]) => Object.hasOwn(wanted ?? {}, name))
  expectEqual(Object.fromEntries(present), wanted, what)
  for (const name of gone) expectTrue(!Object.hasOwn(actual ?? {}, name), `${what}: ${name} is gone`)
}

/** Ids of all snapshots, in their order, and whether the last one named is current (undefined: none is). */
export function expectSnapshots(metadata: TableMetadata, ids: readonly bigint[], current: bigint | undefined): void {
  expectEqual(
    (metadata.snapshots ?? []).map((snapshot) => BigInt(snapshot['snapshot-id'])),
    ids,
    'snapshots',
  )
  expectEqual(BigInt(metadata['current-snapshot-id'] ?? -1), current ?? -1n, 'current snapshot')
}

/** A deep copy through JSON, as any catalog's answer has gone. */
export function copyOf<T>(value: T): T {
  return parseJson(stringifyJson(value), 'copy') as T
}
