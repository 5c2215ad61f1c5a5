import type { Clock, OptionTable } from '@moulin/core'
import { option, systemRuntime } from '@moulin/core'
import type { FakeListOrder } from './key-order.ts'

/** Who is let in: what stands behind `Bearer`. */
export interface FakeToken {
  readonly token: string
  /** Default: never. */
  readonly expiresMs?: number
}

export interface GcsFakeOptions {
  /** Buckets that are there. Default `moulin`. */
  readonly buckets?: readonly string[]
  /** Those of `buckets` whose readers pay: a request must name the project that does. */
  readonly requesterPays?: readonly string[]
  /** Tokens that are let in. Default one, which `token` of the fake tells. */
  readonly tokens?: readonly FakeToken[]
  /** Whether a request without a token is let in, as an emulator's is. Default true: the SDK sends none to an endpoint of one's own. */
  readonly anonymous?: boolean
  /** Dates objects, and judges how old tokens are. Default the machine's own. */
  readonly clock?: Pick<Clock, 'now'>
  /** Default `bytes`, as Google lists. */
  readonly listOrder?: FakeListOrder
  /** Of every chunk of a resumable upload but the last, and what it must be a multiple of. Default Google's 256 KiB. */
  readonly chunkBytes?: number
  /** Of one object. Default Google's 5 TiB. */
  readonly maxPutBytes?: number
  /** Takes user metadata and forgets them. */
  readonly dropMetadata?: boolean
  /** Writes and deletes whatever the preconditions say. */
  readonly ignoreConditions?: boolean
  /** How long a name takes no second write or delete: 1000 is what Google documents. Default 0, for no limit. */
  readonly everyMs?: number
}

/** How a fake behaves: its options, with their defaults. */
export interface GcsSettings {
  readonly clock: Pick<Clock, 'now'>
  readonly anonymous: boolean
  readonly listOrder: FakeListOrder
  readonly chunkBytes: number
  readonly maxPutBytes: number
  readonly dropMetadata: boolean
  readonly ignoreConditions: boolean
  readonly everyMs: number
}

const bytes = option.integer('bytes', 1)

export const gcsFakeTable: OptionTable<GcsFakeOptions> = {
  buckets: option.listOf(option.textOf('a name')),
  requesterPays: option.listOf(option.textOf('a name')),
  tokens: option.listOf(
    option.nested({
      token: option.required(option.textOf('a token')),
      expiresMs: option.integer('ms since the epoch', 0),
    }),
  ),
  anonymous: option.flag,
  clock: option.clockCheck,
  listOrder: option.oneOf('bytes', 'tree', 'none'),
  chunkBytes: bytes,
  maxPutBytes: bytes,
  dropMetadata: option.flag,
  ignoreConditions: option.flag,
  everyMs: option.milliseconds(),
}

/** Who is let in where nobody else is named. */
export const standardToken: FakeToken = { token: 'fake-access-token' }

export function gcsSettingsOf(options: GcsFakeOptions): GcsSettings {
  return {
    clock: options.clock ?? systemRuntime().clock,
    anonymous: options.anonymous ?? true,
    listOrder: options.listOrder ?? 'bytes',
    chunkBytes: options.chunkBytes ?? 256 * 1024,
    maxPutBytes: options.maxPutBytes ?? 5 * 2 ** 40,
    dropMetadata: options.dropMetadata ?? false,
    ignoreConditions: options.ignoreConditions ?? false,
    everyMs: options.everyMs ?? 0,
  }
}
