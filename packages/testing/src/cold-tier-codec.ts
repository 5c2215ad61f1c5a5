import { schema, t } from '@moulin/core'
import type { Codec } from '@moulin/core'
import { avro } from '@moulin/format'

/** Of the values of a suite's typed topic. */
export const suiteCodec: Codec = avro(schema({ id: t.int53, city: t.string })) as Codec
