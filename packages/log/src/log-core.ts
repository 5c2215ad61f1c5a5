import type {
  CodecFormat,
  ColdTier,
  Limits,
  ObjectStore,
  OnBroken,
  Runtime,
  SequencerSession,
  WalReader,
  WalWriter,
} from '@moulin/core'
import type { Admission } from './produce/admission.ts'
import type { ByteGate } from './produce/byte-gate.ts'
import type { CheckpointWriter } from './stored/checkpoint-writer.ts'
import type { HotLog } from './hot/hot-log.ts'
import type { WritableSchemaLedger } from './stored/schema-ledger.ts'
import type { TopicStore } from './stored/topic-store.ts'
import type { WalPressure } from './tiering/wal-pressure.ts'

/** What the parts of one open log share. */
export interface LogCore {
  readonly logId: string
  readonly name: string
  readonly access: 'read-write' | 'read-only'
  readonly runtime: Runtime
  readonly limits: Limits
  readonly store: ObjectStore
  readonly codecs: readonly CodecFormat[]
  readonly tier: ColdTier | undefined
  readonly graceMs: number
  /** How long the first append to a topic waits for its table. */
  readonly catalogWaitMs: number
  /** The module that threads of feeds run; default `@moulin/log/worker`. */
  readonly feedWorker: URL | undefined
  /** For topics that do not say otherwise. */
  readonly onBroken: OnBroken
  /** Of a log that is open for reading only: one that writes nothing. */
  readonly wal: WalWriter
  /** Of a log that is open for reading only. */
  readonly reader: WalReader | undefined
  readonly sequencer: SequencerSession
  readonly hot: HotLog
  readonly ledger: WritableSchemaLedger
  readonly topics: TopicStore
  readonly checkpoints: CheckpointWriter
  readonly pressure: WalPressure
  /** All that is accepted and not yet durable, of producers and raw appends together: at most `maxUnackedBytes`. */
  readonly unacked: ByteGate
  /** Of raw appends. */
  readonly appends: Admission
  /** Fires when the log is closed: readers end. */
  readonly closing: AbortSignal
  /** Read-only: recovers what became durable since. */
  refresh(): Promise<void>
  /** Read-only: forgets what the writer has released, once it is time to look for that again. */
  forgetReleased(): Promise<void>
}
