import type { SectionHeader, WalLocation, WalSession } from '@moulin/core'
import { expectBytes, expectEqual, failure } from './assertions.ts'

/** A section that a session told of. */
export interface Told {
  readonly header: SectionHeader
  readonly at: WalLocation
}

/** What a check appended, as it must be told. */
export interface SentSection {
  readonly header: SectionHeader
  /** With the offsets that it must have. */
  readonly bytes: Uint8Array
}

/** Lets time pass until there is an answer. */
interface Settler {
  settled<T>(work: Promise<T>): Promise<T>
}

export type Life = Pick<SectionHeader, 'topicId' | 'incarnation' | 'partition'>

export const lifeOf = ({ topicId, incarnation, partition }: Life): string => `${topicId}/${incarnation}/${partition}`

/** Behind the last section of the partition that was told. */
export function endOf(told: readonly Told[], life: Life): bigint | undefined {
  let end: bigint | undefined
  for (const { header } of told) {
    if (lifeOf(header) === lifeOf(life) && (end === undefined || header.lastOffset >= end)) end = header.lastOffset + 1n
  }
  return end
}

/** Where a section was told last. */
export function toldOf(told: readonly Told[], { header }: Pick<SentSection, 'header'>): Told | undefined {
  return told.findLast((one) => lifeOf(one.header) === lifeOf(header) && one.header.baseOffset === header.baseOffset)
}

/** Members that a section header has, in one order. */
export function factsOf(header: SectionHeader): SectionHeader {
  const { topicId, incarnation, partition, recordCount, valueSchemaId, keySchemaId, appendedMs } = header
  const { baseOffset, lastOffset } = header
  const facts = { topicId, incarnation, partition, recordCount, valueSchemaId, keySchemaId, appendedMs }
  return { ...facts, baseOffset, lastOffset }
}

export const offsetsOf = ({ baseOffset, lastOffset }: SectionHeader): object => ({ baseOffset, lastOffset })

/** All of these were told, and are where it was said. */
export async function expectTold(
  trial: Settler,
  { session, told }: { readonly session: WalSession; readonly told: readonly Told[] },
  sent: readonly SentSection[],
  what: string,
): Promise<void> {
  for (const one of sent) {
    const { baseOffset, partition } = one.header
    const found = toldOf(told, one)
    const name = `${what}: the section at offset ${baseOffset} of partition ${partition}`
    if (found === undefined) throw failure(`${name} was not told`)
    expectEqual(offsetsOf(found.header), offsetsOf(one.header), name)
    expectBytes(await trial.settled(session.read(found.at)), one.bytes, name)
  }
}

/** Nothing but these was told. */
export function expectNoOther(told: readonly Told[], sent: readonly SentSection[], what: string): void {
  const known = new Set(sent.map(({ header }) => `${lifeOf(header)}@${header.baseOffset}`))
  const others = told.filter(({ header }) => !known.has(`${lifeOf(header)}@${header.baseOffset}`))
  expectEqual(
    others.map(({ header }) => factsOf(header)),
    [],
    what,
  )
}

/** Per partition, what is new follows what was told before, without a gap. */
export function expectOrder(told: readonly Told[], what: string): void {
  const ends = new Map<string, bigint>()
  const known = new Set<string>()
  for (const { header } of told) {
    const life = lifeOf(header)
    const end = ends.get(life)
    // One that was told before has moved.
    if (known.has(`${life}@${header.baseOffset}`)) continue
    known.add(`${life}@${header.baseOffset}`)
    if (end !== undefined) expectEqual(header.baseOffset, end, `${what}: the offset of the next section`)
    ends.set(life, header.lastOffset + 1n)
  }
}

/** The same place, as a log names it that has kept the members of its location. */
export const keptOf = ({ segment, position, sizeBytes }: WalLocation): WalLocation => ({ segment, position, sizeBytes })

export const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
