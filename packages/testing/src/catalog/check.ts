import type { Catalog, CatalogCapabilities } from '@moulin/core'
import { errorOf } from '../assertions.ts'

/** A fresh, empty catalog. */
export interface CatalogUnderTest {
  readonly catalog: Catalog
  /** Another client of the same tables, with nothing in common but what is stored. Default: the same one. */
  open?(): Promise<Catalog>
  close?(): Promise<void>
}

/** Kinds of names that not every catalog can take. */
export type OddName = 'dot' | 'slash' | 'blank' | 'percent' | 'quotes' | 'url' | 'unicode' | 'case' | 'long'

export interface CatalogCheck {
  /** The promise, in words. */
  readonly name: string
  /** Only where the catalog has this. */
  readonly needs?: keyof CatalogCapabilities
  /** Only where the catalog lacks this. */
  readonly without?: keyof CatalogCapabilities
  /** Only where a table makes its namespace be there. */
  readonly implied?: true
  /** Only where the catalog takes such names. */
  readonly takes?: OddName
  /** Only where it does not. */
  readonly refuses?: OddName
  run(subject: CatalogUnderTest): Promise<void>
}

export const RACERS = 8

export const other = async ({ catalog, open }: CatalogUnderTest): Promise<Catalog> => (await open?.()) ?? catalog

export const rejection = async (error: unknown): Promise<never> => Promise.reject(error as Error)

/** Runs a call in as many clients as there are racers, at once. */
export async function race<T>(
  subject: CatalogUnderTest,
  call: (catalog: Catalog, racer: number) => Promise<T>,
): Promise<{ readonly made: readonly T[]; readonly lost: readonly unknown[] }> {
  const clients: Catalog[] = []
  for (let racer = 0; racer < RACERS; racer++) clients.push(await other(subject))
  const made: T[] = []
  const errors = clients.map((catalog, at) => errorOf(call(catalog, at + 1).then((answer) => void made.push(answer))))
  const lost = (await Promise.all(errors)).filter((error) => error !== undefined)
  return { made, lost }
}
