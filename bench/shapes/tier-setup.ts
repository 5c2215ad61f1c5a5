import { defaultLimits } from '@moulin/core'
import type { Codec, IcebergSchema } from '@moulin/core'
import type { TierSetup } from '../../packages/lake/src/encode/tier-task.ts'

/** A task that encodes values of the codec into one file per shard. */
export function encodeSetup(schema: IcebergSchema, codec: Codec, compression: 'snappy' | 'zstd'): TierSetup {
  return {
    schema,
    spec: { 'spec-id': 0, fields: [] },
    columns: schema.fields.map(({ name }) => [name, name] as const),
    incarnation: 1,
    rowCrc: true,
    keepRaw: false,
    codecs: [{ format: codec.format, definition: codec.definition, schemaId: 1 }],
    compression,
    deltas: false,
    fileBytes: 1 << 30,
    keyValue: {},
    limits: defaultLimits,
  }
}
