import { MoulinError, type ErrorKind, type ErrorOptions, type Outcome } from '../model/errors.ts'

/** What an adapter asked of its service. A `create` and a `swap` are conditional writes; an `overwrite` has no condition. */
export type StoreCall = 'get' | 'head' | 'list' | 'create' | 'swap' | 'overwrite' | 'delete'

/** What an answer of a service says, whatever its words. */
export type StoreVerdict =
  | 'missing'
  | 'taken'
  | 'moved'
  | 'unchanged'
  | 'pastEnd'
  | 'raced'
  | 'slowDown'
  | 'credentials'
  | 'noCredentials'
  | 'forbidden'
  | 'noBucket'
  | 'elsewhere'
  | 'noRegion'
  | 'clockSkew'
  | 'damaged'
  | 'tooLarge'
  | 'lacking'
  | 'refused'
  | 'unreachable'
  | 'failed'

/**
 * One row of an adapter's table: what a status and a code of its service mean. The first row that fits decides, so the special ones
 * stand above the general ones.
 */
export interface StoreAnswer {
  /** Of HTTP. Left out: any, and none. */
  readonly status?: number
  /** The service's own word for it. Left out: any, and none. */
  readonly code?: string
  /** In answer to these calls alone. Left out: to all. */
  readonly on?: readonly StoreCall[]
  readonly means: StoreVerdict
  /** Who says so: the vendor's document, or the server that was seen to answer it. For docs/stores.md. */
  readonly source: string
}

/** What is known of a call that failed. Nothing of it is a secret: it is shown. */
export interface StoreFailure {
  /** The store's name. */
  readonly store: string
  readonly call: StoreCall
  /** Left out: the bucket itself. */
  readonly key?: string
  /** Left out: there was no answer. */
  readonly status?: number | undefined
  readonly code?: string | undefined
  /** The error's own name, `TimeoutError`: not its message, which may quote the request. */
  readonly name?: string | undefined
  /** By which the vendor finds the request. */
  readonly requestId?: string | undefined
  /** How long the service asked to wait. */
  readonly retryAfterMs?: number | undefined
}

interface Verdict {
  readonly kind: ErrorKind
  readonly code: string
  /** After "<store> ". */
  readonly says: string
  readonly next: string
  /** Default `rejected`. */
  readonly outcome?: Outcome
  /** Default: that of the kind. */
  readonly retryable?: boolean
}

// A bucket that is gone is no missing key: whoever reads it so would begin a new log.
const verdicts: Readonly<Record<StoreVerdict, Verdict>> = {
  missing: { kind: 'not-found', code: 'KEY_MISSING', says: 'holds no such object', next: 'check the key' },
  taken: { kind: 'exists', code: 'KEY_EXISTS', says: 'holds an object of this key already', next: 'read it' },
  moved: {
    kind: 'conflict',
    code: 'TAG_MISMATCH',
    says: 'has another version of the object by now, or none',
    next: 'read it again',
  },
  unchanged: { kind: 'exists', code: 'NOT_MODIFIED', says: 'still has that version', next: 'keep what you have' },
  pastEnd: { kind: 'invalid', code: 'RANGE', says: 'has no bytes in that range', next: "ask within the object's size" },
  raced: {
    kind: 'unavailable',
    code: 'WRITE_RACED',
    says: 'was writing the same key for another at the time',
    next: 'try again',
  },
  slowDown: { kind: 'unavailable', code: 'SLOW_DOWN', says: 'asks for fewer requests', next: 'try again later' },
  credentials: {
    kind: 'unavailable',
    code: 'CREDENTIALS',
    says: 'refuses the credentials, or they have run out',
    next: 'give it others, or load the table again',
    retryable: false,
  },
  noCredentials: {
    kind: 'unavailable',
    code: 'CREDENTIALS',
    says: 'was asked for nothing, since no credentials were found',
    next: "give them in the adapter's options, or where its SDK looks for them: the environment, a profile, a role",
    retryable: false,
  },
  forbidden: {
    kind: 'unavailable',
    code: 'FORBIDDEN',
    says: 'does not permit it with these credentials',
    next: 'check the policies of bucket and key, and that the bucket is yours',
    retryable: false,
  },
  noBucket: {
    kind: 'unavailable',
    code: 'BUCKET_MISSING',
    says: 'has no such bucket or container',
    next: 'check its name and the endpoint, or create it',
    retryable: false,
  },
  elsewhere: {
    kind: 'invalid',
    code: 'REGION',
    says: 'keeps the bucket in another region, or behind another endpoint',
    next: 'give that one',
  },
  noRegion: {
    kind: 'invalid',
    code: 'REGION',
    says: 'was asked for nothing, since no region is named',
    next: "name one: AWS_REGION, or the adapter's option region; stores other than Amazon's mostly take us-east-1",
  },
  clockSkew: {
    kind: 'unavailable',
    code: 'CLOCK_SKEW',
    says: 'finds that the clock of this machine is wrong',
    next: 'set it',
    retryable: false,
  },
  damaged: {
    kind: 'unavailable',
    code: 'BODY_DAMAGED',
    says: 'received other bytes than were sent',
    next: 'try again',
  },
  tooLarge: {
    kind: 'exhausted',
    code: 'OBJECT_TOO_LARGE',
    says: 'takes no object or request as large as this one',
    next: 'put it by putStream, or in several objects',
  },
  lacking: { kind: 'unsupported', code: 'STORE_LACKS', says: 'does not know this request', next: 'see docs/stores.md' },
  refused: {
    kind: 'invalid',
    code: 'REQUEST_REFUSED',
    says: 'refuses the request',
    next: 'look its code up in docs/stores.md',
  },
  unreachable: {
    kind: 'unavailable',
    code: 'STORE_UNREACHABLE',
    says: 'cannot be reached, and nothing was sent',
    next: 'check the endpoint and the network, or try again',
  },
  failed: { kind: 'unavailable', code: 'STORE_FAILED', says: 'failed', next: 'try again', outcome: 'unknown' },
}

const writes: ReadonlySet<StoreCall> = new Set(['create', 'swap', 'overwrite', 'delete'])

/** What the table says of the answer. Without a row: 5xx, 408, no answer at all and what is no error are `failed`, any other is `refused`. */
export function verdictOf(table: readonly StoreAnswer[], failure: StoreFailure): StoreVerdict {
  const { status, code, call } = failure
  const row = table.find(
    (each) =>
      (each.status ?? status) === status &&
      (each.code ?? code) === code &&
      (each.on === undefined || each.on.includes(call)),
  )
  if (row !== undefined) return row.means
  return status !== undefined && status >= 400 && status < 500 && status !== 408 ? 'refused' : 'failed'
}

/**
 * The error of a call that failed, by the adapter's table. A write without a definite answer has outcome `unknown`; a read never has.
 * Its context holds `verdict`, `status`, `answer` (the service's code), `requestId` and `retryAfterMs` as far as they are known.
 *
 * What the SDK threw is not its cause: that holds the whole request, with its credentials.
 */
export function failureOf(table: readonly StoreAnswer[], failure: StoreFailure): MoulinError {
  return failureBy(verdictOf(table, failure), failure)
}

/** The same, where no table need say what the answer means. */
export function failureBy(verdict: StoreVerdict, failure: StoreFailure): MoulinError {
  const { kind, code, says, next, outcome, retryable } = verdicts[verdict]
  const { store, call, key, status, retryAfterMs } = failure
  const answer = word(failure.code)
  const name = word(failure.name)
  const requestId = word(failure.requestId)
  const heard = [status, answer ?? name].filter((part) => part !== undefined).join(' ')
  const options: ErrorOptions = {
    outcome: writes.has(call) ? (outcome ?? 'rejected') : 'rejected',
    ...(retryable === undefined ? {} : { retryable }),
    context: {
      store,
      call,
      verdict,
      ...(key === undefined ? {} : { key }),
      ...(status === undefined ? {} : { status }),
      ...(answer === undefined ? {} : { answer }),
      ...(name === undefined ? {} : { name }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  }
  const what = key === undefined ? call : `${call} of ${JSON.stringify(key)}`
  const message = `${store} ${says} (${what}: ${heard === '' ? 'no answer' : heard}): ${next}.`
  return new MoulinError(kind, code, message, options)
}

// What a service sends may be a page of HTML that quotes the request: only a word is believed.
function word(text: string | undefined): string | undefined {
  return text !== undefined && /^[\w.:/+=-]{1,100}$/.test(text) ? text : undefined
}
