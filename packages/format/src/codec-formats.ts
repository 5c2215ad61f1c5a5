import type { CodecFormat } from '@moulin/core'
import { avroFormat } from './avro/avro-codec.ts'
import { jsonFormat } from './json/json-codec.ts'

/** All encoder versions that this package restores from the schema ledger. */
export const codecFormats: readonly CodecFormat[] = Object.freeze([avroFormat, jsonFormat])
