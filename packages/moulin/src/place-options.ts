import type { OptionTable, Wal } from '@moulin/core'
import { option } from '@moulin/core'
import type { EmbeddedOptions } from './embedded-options.ts'
import { embeddedOptions } from './embedded-options.ts'
import type { StorageOptions } from './store-adapters.ts'

/** Options of a log that is opened by its place: a folder's, and those of a bucket. */
export interface PlaceOptions extends EmbeddedOptions {
  /**
   * Of a log in a bucket, which needs it: where the newest records are durable before they are in a table, {@link fileWal} on a local
   * disk. A folder has its own.
   */
  readonly wal?: Wal
  /**
   * Of a bucket: options of the adapter, such as `region`, `endpoint`, `credentials` or `listOrder` of `s3`. What is left out comes from
   * the vendor's own chain of environment, files and roles.
   */
  readonly storage?: StorageOptions
}

const { networkMount: _, ...shared } = embeddedOptions

/** Of a log in a bucket: `networkMount` is the Wal's. */
export const bucketOptions: OptionTable<Omit<PlaceOptions, 'networkMount'>> = {
  ...shared,
  wal: option.door('a Wal', ['openWriter', 'openReader'], ['durability', 'offsets']),
  storage: option.secret(option.objectOf("an object, the adapter's own options")),
}
