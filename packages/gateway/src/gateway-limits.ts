import { option } from '@moulin/core'
import type { OptionCheck, OptionTable } from '@moulin/core'

/** What the server takes at most. Each request above one of them is answered with an error; the others go on. */
export interface GatewayLimits {
  /** Of one request; default 16 MiB. Above: 413. */
  readonly maxBodyBytes: number
  /** Of all requests that are being received or answered; default 256 MiB. Above: 429. */
  readonly maxBufferedBytes: number
  /** Requests that are being answered; default 256. Above: 429. */
  readonly maxRequests: number
  /** Default 4096. A further one is closed. */
  readonly maxConnections: number
  /** From the first byte of a request to the end of its headers; default 10 000. */
  readonly headersTimeoutMs: number
  /** From the first byte of a request to its last, and once more from there to the answer; default 30 000. */
  readonly requestTimeoutMs: number
  /** How long an answer is kept for its `Idempotency-Key`; default 1 800 000 (30 minutes). */
  readonly keyLifetimeMs: number
  /** Answers that are kept for their keys; default 10 000. The oldest go first. */
  readonly maxKeys: number
  /** Of all answers that are kept; default 64 MiB. The oldest go first. */
  readonly maxKeyBytes: number
  /** How often a commit that lost a race is tried again while what it requires still holds; default 16. */
  readonly maxCommitRetries: number
  /** Of a list whose caller asked for pages of no certain size, and the most that one may ask for; default 1000. */
  readonly maxPageSize: number
}

export const defaultGatewayLimits: GatewayLimits = {
  maxBodyBytes: 16 * 1024 * 1024,
  maxBufferedBytes: 256 * 1024 * 1024,
  maxRequests: 256,
  maxConnections: 4096,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keyLifetimeMs: 1_800_000,
  maxKeys: 10_000,
  maxKeyBytes: 64 * 1024 * 1024,
  maxCommitRetries: 16,
  maxPageSize: 1000,
}

const limitChecks: OptionTable<GatewayLimits> = {
  maxBodyBytes: option.positiveBytes,
  maxBufferedBytes: option.positiveBytes,
  maxRequests: option.integer('requests', 1),
  maxConnections: option.integer('connections', 1),
  headersTimeoutMs: option.integer('ms', 1),
  requestTimeoutMs: option.integer('ms', 1),
  keyLifetimeMs: option.integer('ms', 1000),
  maxKeys: option.integer('answers', 1),
  maxKeyBytes: option.positiveBytes,
  maxCommitRetries: option.integer('tries', 0),
  maxPageSize: option.integer('names', 1),
}

export const gatewayLimitsCheck: OptionCheck = option.nested<GatewayLimits>(limitChecks)
