import { isKind, type Codec, type SchemaLedger } from '@moulin/core'
import type { TopicRecord } from '../stored/topic-store.ts'

/** What turns a topic's bytes into values. */
export interface TopicCodecs {
  readonly value: Codec | undefined
  readonly key: Codec | undefined
  /** Why one of them is not there: the schema ledger has lost it. */
  readonly missing?: Error | undefined
}

/** From the schema ledger. @throws `unsupported` for a schema that needs a newer reader, or another codec. */
export async function topicCodecs(
  ledger: SchemaLedger,
  { valueSchemaId, keySchemaId }: Pick<TopicRecord, 'valueSchemaId' | 'keySchemaId'>,
): Promise<TopicCodecs> {
  let missing: Error | undefined
  const codec = async (id: number): Promise<Codec | undefined> => {
    try {
      return id === 0 ? undefined : await ledger.codec(id)
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error
      missing = error
      return undefined
    }
  }
  return { value: await codec(valueSchemaId), key: await codec(keySchemaId), missing }
}
