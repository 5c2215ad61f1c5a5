import type { Clock, OptionTable } from '@moulin/core'
import { option, systemRuntime } from '@moulin/core'
import type { FakeListOrder } from './key-order.ts'
import type { FakeCredentials } from './s3-signature.ts'
import type { S3Settings } from './s3-state.ts'

export interface S3FakeOptions {
  /** Buckets that are there. Default `moulin`. */
  readonly buckets?: readonly string[]
  /** Those of `buckets` whose readers pay: a request must say that it knows. */
  readonly requesterPays?: readonly string[]
  /** Pairs that are let in. Default one, which `credentials` of the fake tells. */
  readonly credentials?: readonly FakeCredentials[]
  /** Default `us-east-1`. A request that is signed for another is refused. */
  readonly region?: string
  /** Dates objects, and judges the dates of signatures. Default the machine's own. */
  readonly clock?: Pick<Clock, 'now'>
  /** Default `bytes`, as Amazon lists. */
  readonly listOrder?: FakeListOrder
  /** Of every part but the last. Default Amazon's 5 MiB. */
  readonly minPartBytes?: number
  /** Of every chunk of a streamed body but the last. Default Amazon's 8192. */
  readonly minChunkBytes?: number
  /** Of one PUT and of a copy. Default Amazon's 5 GiB. */
  readonly maxPutBytes?: number
  /** Takes user metadata and forgets them. */
  readonly dropMetadata?: boolean
  /** Writes and deletes whatever the preconditions say. */
  readonly ignoreConditions?: boolean
  /** What a conditional write hears that was overtaken while its body came: 412, or `conflict` for `ConditionalRequestConflict`. */
  readonly overtaken?: 'precondition' | 'conflict'
}

const bytes = option.integer('bytes', 1)
const credentialTable: OptionTable<FakeCredentials> = {
  accessKeyId: option.required(option.textOf('a name')),
  secretAccessKey: option.required(option.textOf('a secret')),
  sessionToken: option.text,
  expiresMs: option.integer('ms since the epoch', 0),
}
export const s3FakeTable: OptionTable<S3FakeOptions> = {
  buckets: option.listOf(option.textOf('a name')),
  requesterPays: option.listOf(option.textOf('a name')),
  credentials: option.listOf(option.nested(credentialTable)),
  region: option.textOf('a region'),
  clock: option.clockCheck,
  listOrder: option.oneOf('bytes', 'tree', 'none'),
  minPartBytes: bytes,
  minChunkBytes: bytes,
  maxPutBytes: bytes,
  dropMetadata: option.flag,
  ignoreConditions: option.flag,
  overtaken: option.oneOf('precondition', 'conflict'),
}

/** Who is let in where nobody else is named. */
export const standardCredentials: FakeCredentials = {
  accessKeyId: 'FAKEACCESSKEYID',
  secretAccessKey: 'fake-secret-access-key',
}

export function settingsOf(options: S3FakeOptions): S3Settings {
  return {
    clock: options.clock ?? systemRuntime().clock,
    region: options.region ?? 'us-east-1',
    listOrder: options.listOrder ?? 'bytes',
    minPartBytes: options.minPartBytes ?? 5 * 2 ** 20,
    minChunkBytes: options.minChunkBytes ?? 8192,
    maxPutBytes: options.maxPutBytes ?? 5 * 2 ** 30,
    dropMetadata: options.dropMetadata ?? false,
    ignoreConditions: options.ignoreConditions ?? false,
    overtaken: options.overtaken ?? 'precondition',
  }
}
