import type {
  CallOptions,
  GetOptions,
  GetRangesOptions,
  ListOptions,
  PutOptions,
  PutStreamOptions,
} from '../doors/object-store.ts'
import { abortSignal, anyOf, integer, nested, objectOf, oneOf, positiveBytes, required, text } from './option-checks.ts'
import type { OptionCheck, OptionTable } from './options.ts'

/** Tables of the options of an {@link ObjectStore}'s calls: an unknown mode must not overwrite. */
export interface ObjectStoreOptions {
  readonly call: OptionTable<CallOptions>
  readonly get: OptionTable<GetOptions>
  readonly getRanges: OptionTable<GetRangesOptions>
  readonly put: OptionTable<PutOptions>
  readonly putStream: OptionTable<PutStreamOptions>
  readonly list: OptionTable<ListOptions>
}

// What no header, no service and no SDK on the way changes: another spelling would make a write a stranger's.
const attemptId: OptionCheck = {
  expected: 'an id of 1 to 200 letters, digits and . : _ -',
  accepts: (value) => typeof value === 'string' && /^[\w.:-]{1,200}$/.test(value),
}

const put: OptionTable<PutOptions> = {
  signal: abortSignal,
  mode: anyOf(oneOf('overwrite', 'create'), nested({ ifMatch: required(text) })),
  attemptId,
}

export const objectStoreOptions: ObjectStoreOptions = {
  call: { signal: abortSignal },
  get: { signal: abortSignal, range: objectOf('{ start, end } or { suffix }'), ifNoneMatch: text },
  getRanges: { signal: abortSignal, maxGapBytes: integer('bytes', 0) },
  put,
  putStream: { ...put, partBytes: positiveBytes },
  list: { signal: abortSignal, prefix: text, after: text },
}
