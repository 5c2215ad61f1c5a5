import type { StorageCredential } from '../doors/catalog.ts'
import type { Runtime, Timer } from '../doors/runtime.ts'
import { invalid, unavailable } from '../model/errors.ts'
import { waitFor } from '../shared-work.ts'

/** Properties of the REST specification by name, `s3.access-key-id`. A secret as a whole. */
export type StoreProperties = Readonly<Record<string, string>>

/** As a catalog gives them: REST specification, `LoadCredentialsResponse`. */
export interface RenewedAccess {
  readonly config?: StoreProperties
  readonly credentials?: readonly StorageCredential[]
}

/** Iceberg REST specification, `LoadTableResult`: of the credentials that fit a location the one with the longest prefix is laid over the config. */
export function propertiesAt(
  location: string,
  config: StoreProperties,
  credentials: readonly StorageCredential[],
): StoreProperties {
  const [meant] = credentials
    .filter(({ prefix }) => location.startsWith(prefix))
    .sort((a, b) => b.prefix.length - a.prefix.length)
  return meant === undefined ? config : { ...config, ...meant.config }
}

/** What the tables of one vendor's stores are opened by. */
export interface TableAccess {
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>
  readonly location: string
  readonly config: StoreProperties
  readonly credentials: readonly StorageCredential[]
  /** Where new ones come from before the old run out. Left out: from nowhere. */
  readonly renew?: RenewAccess | undefined
  /** Default {@link propertiesAt}. */
  readonly propertiesOf?: typeof propertiesAt
  /** Whether they hold what lets somebody in. */
  isAccess(properties: StoreProperties): boolean
  /** @throws `invalid` for what is no time. */
  expiresAtMs(properties: StoreProperties): number | undefined
}

export type RenewAccess = (location: string, signal: AbortSignal | undefined) => Promise<RenewedAccess>

/**
 * What a catalog says of the files at a location: now, and each time that somebody is to be let in. What `renew` gives takes the place of
 * all of it: a token of the old ones beside a new key would be neither, and their end says nothing of the new.
 * @throws `invalid` for a time that is none. `current` throws like {@link renewed}; `unavailable` code `CREDENTIALS` where `renew` gives none.
 */
export function tableAccess(access: TableAccess): {
  readonly properties: StoreProperties
  readonly current: (signal?: AbortSignal) => Promise<StoreProperties>
} {
  const { runtime, location, renew, propertiesOf = propertiesAt } = access
  const properties = propertiesOf(location, access.config, access.credentials)
  access.expiresAtMs(properties)
  const anew = async (signal: AbortSignal, ask: RenewAccess): Promise<StoreProperties> => {
    const { config = {}, credentials = [] } = await ask(location, signal)
    const next = propertiesOf(location, config, credentials)
    access.expiresAtMs(next)
    if (access.isAccess(next)) return next
    throw unavailable('CREDENTIALS', `renew gave no credentials for ${location}.`, { retryable: false })
  }
  const current = renewed({
    runtime,
    first: properties,
    expiresAtMs: access.expiresAtMs,
    renew: renew === undefined ? undefined : (signal) => anew(signal, renew),
  })
  return { properties, current }
}

/** A time as properties tell it. @throws `invalid` code `CREDENTIALS`. */
export function timeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value))
    throw invalid('CREDENTIALS', `${name} is no number of milliseconds.`)
  return value
}

export interface RenewedOptions<T> {
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>
  /** The first ones. */
  readonly first: T
  /** When they run out; undefined: never. */
  expiresAtMs(value: T): number | undefined
  /** Where new ones come from. Left out: from nowhere, and what has run out is an error. The signal ends what lasts too long. */
  readonly renew?: ((signal: AbortSignal) => Promise<T>) | undefined
  /** New ones are fetched so long before the old run out, but not before half of their time is over. Default 300 000. */
  readonly aheadMs?: number
}

/** A fetch is over after so long, for else one that is never answered would be the last. */
const FETCH_MS = 60_000
/** Whoever has good ones waits for new ones so long. */
const PATIENCE_MS = 5_000
/** After one that failed none begins for so long, while the old ones are good. */
const REST_MS = 10_000

/**
 * Credentials that run out, and are fetched anew before they do: once for all who wait. While the old ones are good a fetch that fails,
 * or says nothing, is passed over.
 */
export function renewed<T>(options: RenewedOptions<T>): (signal?: AbortSignal) => Promise<T> {
  const { renew, aheadMs = 300_000 } = options
  const { clock, timers } = options.runtime
  let value = options.first
  const leftMs = (): number => (options.expiresAtMs(value) ?? Infinity) - clock.now()
  const isGood = (): boolean => leftMs() > 0
  let leadMs = Math.min(aheadMs, leftMs() / 2)
  let restsUntilMs = -Infinity
  let fetching: { readonly next: Promise<T>; readonly slow: Promise<void> } | undefined

  const begin = (ask: NonNullable<typeof renew>): NonNullable<typeof fetching> => {
    const control = new AbortController()
    const late = timers.after(FETCH_MS, () => control.abort())
    let patience: Timer | undefined
    const slow = new Promise<void>((resolve) => (patience = timers.after(PATIENCE_MS, resolve)))
    const asked = async (): Promise<T> => {
      try {
        value = await waitFor((async () => await ask(control.signal))(), control.signal)
        leadMs = Math.min(aheadMs, leftMs() / 2)
        return value
      } catch (error) {
        restsUntilMs = clock.now() + REST_MS
        throw control.signal.aborted ? silent() : error
      } finally {
        late.cancel()
        patience?.cancel()
        fetching = undefined
      }
    }
    const next = asked()
    next.catch(() => {})
    return { next, slow }
  }

  return async (signal) => {
    if (leftMs() > leadMs) return value
    if (renew === undefined) {
      if (isGood()) return value
      throw hasRunOut()
    }
    if (fetching === undefined && isGood() && clock.now() < restsUntilMs) return value
    fetching ??= begin(renew)
    const { next, slow } = fetching
    if (!isGood()) return await waitFor(next, signal)
    try {
      await waitFor(Promise.race([next, slow]), signal)
    } catch (error) {
      if (!isGood() || signal?.aborted === true) throw error
    }
    return isGood() ? value : await waitFor(next, signal)
  }
}

function hasRunOut(): Error {
  const message = 'The credentials have run out: load the table again, or give a way to renew them.'
  return unavailable('CREDENTIALS', message, { retryable: false })
}

function silent(): Error {
  const message = `Whoever was to renew the credentials has said nothing for ${FETCH_MS} ms: try again.`
  return unavailable('CREDENTIALS', message, { retryable: true })
}
