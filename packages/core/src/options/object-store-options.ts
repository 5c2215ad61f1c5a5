import type { CallOptions, GetOptions, ListOptions, PutOptions } from '../doors/object-store.ts'
import { abortSignal, anyOf, nested, objectOf, oneOf, required, text } from './option-checks.ts'
import type { OptionTable } from './options.ts'

/** Tables of the options of an {@link ObjectStore}'s calls: an unknown mode must not overwrite. */
export interface ObjectStoreOptions {
  readonly call: OptionTable<CallOptions>
  readonly get: OptionTable<GetOptions>
  readonly put: OptionTable<PutOptions>
  readonly list: OptionTable<ListOptions>
}

export const objectStoreOptions: ObjectStoreOptions = {
  call: { signal: abortSignal },
  get: { signal: abortSignal, range: objectOf('{ start, end } or { suffix }') },
  put: { signal: abortSignal, mode: anyOf(oneOf('overwrite', 'create'), nested({ ifMatch: required(text) })) },
  list: { signal: abortSignal, prefix: text, after: text },
}
