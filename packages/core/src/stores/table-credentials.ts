import type { StorageCredential } from '../doors/catalog.ts'
import type { Clock } from '../doors/runtime.ts'
import { unavailable } from '../model/errors.ts'
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

export interface RenewedOptions<T> {
  readonly clock: Pick<Clock, 'now'>
  /** The first ones. */
  readonly first: T
  /** When they run out; undefined: never. */
  expiresAtMs(value: T): number | undefined
  /** Where new ones come from. Left out: from nowhere, and what has run out is an error. */
  readonly renew?: ((signal: AbortSignal | undefined) => Promise<T>) | undefined
  /** New ones are fetched so long before the old run out. Default 300 000. */
  readonly aheadMs?: number
}

/**
 * Credentials that run out, and are fetched anew before they do: once for all who wait. While the old ones are good a fetch that fails
 * is passed over.
 */
export function renewed<T>(options: RenewedOptions<T>): (signal?: AbortSignal) => Promise<T> {
  const { clock, renew, aheadMs = 300_000 } = options
  let value = options.first
  let fetching: Promise<T> | undefined
  const leftMs = (): number => (options.expiresAtMs(value) ?? Infinity) - clock.now()
  return async (signal) => {
    if (leftMs() > aheadMs) return value
    if (renew === undefined) {
      if (leftMs() > 0) return value
      throw unavailable(
        'CREDENTIALS',
        'The credentials have run out: load the table again, or give a way to renew them.',
        {
          retryable: false,
        },
      )
    }
    fetching ??= renew(undefined)
      .then((next) => (value = next))
      .finally(() => (fetching = undefined))
    try {
      return await waitFor(fetching, signal)
    } catch (error) {
      if (leftMs() > 0 && signal?.aborted !== true) return value
      throw error
    }
  }
}
