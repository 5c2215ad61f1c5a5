import type { ColumnBatch } from '@moulin/core'
import type { CallHandlers } from '../threads/serve-calls.ts'
import { decodeRowGroup, type DecodeTask } from './decode/decode-row-group.ts'

/** What a thread that decodes can be asked. */
export type DecodeCalls = Record<'decode', { readonly request: DecodeTask; readonly reply: ColumnBatch }>

export const decodeHandlers: CallHandlers<DecodeCalls> = { decode: decodeRowGroup }
