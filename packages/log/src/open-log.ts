import {
  checkKeyRoom,
  checkOptions,
  checkRoot,
  guardedRuntime,
  invalid,
  option,
  systemRuntime,
  throwIfAborted,
  type CodecFormat,
  type ColdTier,
  type Limits,
  type Log,
  type ObjectStore,
  type OnBroken,
  type OptionTable,
  type Runtime,
  type Sequencer,
  type SequencerSession,
  type Wal,
} from '@moulin/core'
import { codecFormats } from '@moulin/format'
import { Admission } from './produce/admission.ts'
import { ByteGate } from './produce/byte-gate.ts'
import { checkpointStore, type CheckpointStore } from './stored/checkpoint-store.ts'
import { HotLog } from './hot/hot-log.ts'
import type { LogCore } from './log-core.ts'
import { CheckpointWriter } from './stored/checkpoint-writer.ts'
import { logIdentity } from './stored/log-identity.ts'
import { logLimits } from './log-limits.ts'
import { MoulinLog } from './moulin-log.ts'
import { openWal, type OpenedWal } from './open-wal.ts'
import { releaseFollower } from './hot/release-follower.ts'
import { schemaLedger } from './stored/schema-ledger.ts'
import { copyOn } from './hot/section-copies.ts'
import { single } from './produce/single.ts'
import { onBrokenCheck } from './topics/topic-config.ts'
import { TopicDirectory } from './topics/topic-directory.ts'
import { topicStore } from './stored/topic-store.ts'
import { WalRelief } from './tiering/wal-relief.ts'

const GRACE_MS = 3_600_000
const CATALOG_WAIT_MS = 10_000
const MAX_BLOCK_MS = 60_000
/** As long as a key of a log is, whatever its topics and tables are called: a cold tier names what it keeps below `log/` by two ids. */
const LONGEST_KEY = `log/staged/${'-'.repeat(36)}/${'-'.repeat(36)}.json`

export interface OpenLogOptions {
  /** Topics, checkpoints, schemas, and the tables. */
  readonly store: ObjectStore
  /** Where the newest records are durable. */
  readonly wal: Wal
  /** Where history goes; without one, everything stays in the write-ahead tier. The log closes it. */
  readonly tier?: ColdTier
  /** Default: the machine's own, silent. */
  readonly runtime?: Runtime
  /** Default {@link single}. */
  readonly sequencer?: Sequencer
  /** Encoders that stored schemas may need; default all built-in ones. */
  readonly codecs?: readonly CodecFormat[]
  /** `read-only` writes nothing and never fences. Default `read-write`. */
  readonly access?: 'read-write' | 'read-only'
  /** What happens while another writer still runs: `refuse` (default) or `newest`, which fences it. */
  readonly takeover?: 'refuse' | 'newest'
  /** Overrides single limits. None of them decides what can be read. */
  readonly limits?: Partial<Limits>
  /** Tries the store out before the log writes anything there, and throws when it lies: `probeStore` of `@moulin/storage`. */
  readonly probe?: (store: ObjectStore) => Promise<void>
  /** How long write-ahead data stays after its commit has been read back; default 3 600 000. */
  readonly graceMs?: number
  /**
   * How long opening a topic, and the first append to it, wait for its table to be loaded; default 10 000. Without an answer
   * appends go on, and a table that proves newer than the log stops them when it comes (`LOG_BEHIND_TABLE`).
   */
  readonly catalogWaitMs?: number
  /**
   * How long `send` and `append` wait for room in a write-ahead tier that is above the limit `maxWalBytes` while nothing helps, before
   * they are refused (`exhausted` code `WAL_FULL`); default 60 000.
   */
  readonly maxBlockMs?: number
  /** The module that the threads of `sendFeed` run, for bundles: see docs/bundlers.md. Default `@moulin/log/worker`. */
  readonly feedWorker?: URL
  /** What happens to a topic whose table's history is broken; default `error`. A topic may say otherwise. See {@link OnBroken}. */
  readonly onBroken?: OnBroken
  /** Aborts the opening, between two steps of it: what was begun is given up before `aborted` is thrown. */
  readonly signal?: AbortSignal
}

const optionTable: OptionTable<OpenLogOptions> = {
  store: option.required(option.storeCheck),
  wal: option.required(option.door('a Wal', ['openWriter', 'openReader'], ['durability', 'offsets'])),
  tier: option.door('a ColdTier', ['attach', 'close']),
  runtime: option.runtimeCheck,
  sequencer: option.door('a Sequencer', ['open']),
  codecs: option.listOf(option.door('a CodecFormat', ['restore'], ['format'])),
  access: option.oneOf('read-write', 'read-only'),
  takeover: option.oneOf('refuse', 'newest'),
  limits: option.someLimits,
  probe: option.callback,
  graceMs: option.milliseconds(),
  catalogWaitMs: option.milliseconds(),
  maxBlockMs: option.milliseconds(),
  feedWorker: option.moduleUrl,
  onBroken: onBrokenCheck,
  signal: option.abortSignal,
}

/**
 * Opens a log, or begins one in an empty store. Recovers what is in the write-ahead tier: every acked record is there, offsets are
 * dense, and an older writer acks nothing any more.
 *
 * @throws `conflict` code `WRITER_ALIVE` while another writer runs; `exists` code `NOT_A_LOG`; `invalid` code `MOVED`, `ROOT` for a
 * place that engines cannot open, `KEY_ROOM` for one whose prefix is too long, or for a bad option; `unsupported` for a format from the future; `not-found` code `NO_LOG`, `WAL_MISSING`; `corrupt` when write-ahead data
 * is damaged or incomplete; `fenced` when a newer writer took over meanwhile.
 *
 * Spec: docs/formats/wal.md, docs/formats/log.md.
 */
export async function openLog(options: OpenLogOptions): Promise<Log> {
  checkOptions('openLog', options, optionTable)
  const { store, access = 'read-write', takeover = 'refuse', graceMs = GRACE_MS } = options
  const runtime = guardedRuntime(options.runtime ?? systemRuntime())
  const limits = logLimits(options.limits)
  checkStore(store)
  throwIfAborted(options.signal)
  if (access === 'read-write' && options.tier !== undefined) {
    await checkKeyRoom(
      store,
      LONGEST_KEY,
      'records could be acked, and never tiered. Choose a shorter prefix.',
      options.signal,
    )
  }

  const logId = await logIdentity(store, {
    access,
    wal: options.wal,
    runtime,
    probe: options.probe,
    signal: options.signal,
  })
  throwIfAborted(options.signal)
  const checkpoints = checkpointStore(store, { logId, runtime })
  const hot = new HotLog({
    tailRingBytes: limits.tailRingBytes,
    monotonic: () => runtime.clock.monotonic(),
    now: () => runtime.clock.now(),
    gap: access === 'read-write' ? 'corrupt' : 'skip',
  })
  const opening = { wal: options.wal, access, takeover, runtime, limits, logId, store, checkpoints, hot }
  const opened = await openWal({ ...opening, signal: options.signal })
  let sequencer: SequencerSession | undefined
  try {
    throwIfAborted(options.signal)
    hot.attach(opened.writer)
    sequencer = followedBy(hot, options, opened)
    const parts = { logId, limits, hot, checkpoints, sequencer, ...opened }
    return await assemble({ ...options, access, runtime, graceMs }, parts)
  } catch (error) {
    // Nothing is told to a log that there is not.
    for (const session of [sequencer, opened.writer]) {
      await session?.close().catch((failure: unknown) => {
        runtime.logger.warn({ err: failure }, 'Closing what an opening that failed had opened failed')
      })
    }
    throw error
  }
}

/** The sequencer's session, whose follower `hot` is. A log that only reads sequences nothing. */
function followedBy(
  hot: HotLog,
  { wal, sequencer = single() }: OpenLogOptions,
  { writer, reader }: OpenedWal,
): SequencerSession {
  const session = (reader === undefined ? sequencer : single()).open({
    wal: writer,
    offsets: wal.offsets,
    nextOffset: (...life) => hot.nextOffset(...life),
  })
  session.follow(hot)
  return session
}

interface Opened extends OpenedWal {
  readonly logId: string
  readonly limits: Limits
  readonly hot: HotLog
  readonly checkpoints: CheckpointStore
  readonly sequencer: SequencerSession
}

async function assemble(
  options: OpenLogOptions & { access: 'read-write' | 'read-only'; runtime: Runtime; graceMs: number },
  { logId, limits, hot, writer: wal, reader, checkpoints, sequencer, torn }: Opened,
): Promise<Log> {
  const {
    store,
    tier,
    runtime,
    access,
    graceMs,
    catalogWaitMs = CATALOG_WAIT_MS,
    maxBlockMs = MAX_BLOCK_MS,
    onBroken = 'error',
    codecs = codecFormats,
  } = options
  const closing = new AbortController()
  const writer = new CheckpointWriter(checkpoints, wal, runtime)
  const refresh = async (): Promise<void> => reader?.refresh()
  const forgetReleased = releaseFollower({ hot, wal, checkpoints, clock: runtime.clock })
  hot.replan = async () => {
    if (reader === undefined) return
    await reader.refresh()
    hot.begin(await checkpoints.newest())
  }
  const pressure = new WalRelief({
    maxWalBytes: limits.maxWalBytes,
    maxBlockMs,
    heldBytes: () => wal.usage().heldBytes,
    space: () => wal.space(),
    sparse: (share) => wal.sparse(share),
    copyOn: (segments) => copyOn({ hot, wal, clock: runtime.clock, maxFlushBytes: limits.maxFlushBytes }, segments),
    topics: () => directory.tierings(),
    unread: () => directory.unread(),
    checkpoint: () => writer.write(),
    runtime,
  })
  const unacked = new ByteGate(limits.maxUnackedBytes)
  const core: LogCore = {
    logId,
    name: `log(${store.root})`,
    access,
    runtime,
    limits,
    store,
    codecs,
    tier,
    graceMs,
    catalogWaitMs,
    feedWorker: options.feedWorker,
    onBroken,
    wal,
    reader,
    sequencer,
    hot,
    ledger: schemaLedger({
      store,
      codecs,
      fieldIds: (codec) => tier?.fieldIds?.(codec) ?? null,
      epoch: () => wal.epoch,
      checkFence: () => wal.checkFence(),
    }),
    topics: topicStore(store, { runtime }),
    checkpoints: writer,
    pressure,
    unacked,
    // Within the log's, as a producer's: whoever waits in the log's own comes before them all.
    appends: new Admission(pressure, new ByteGate(limits.maxUnackedBytes, unacked)),
    closing: closing.signal,
    refresh,
    forgetReleased,
  }
  const directory = new TopicDirectory(core)
  if (access === 'read-write') {
    await core.ledger.load()
    throwIfAborted(options.signal)
    await directory.load()
    hot.checkComplete()
    throwIfAborted(options.signal)
    await writer.write()
    await wal.checkFence()
  }
  hot.onAppended = (bytes) => core.pressure.appended(bytes)
  hot.onFailed = () => core.pressure.stop()
  directory.begin()
  if (access === 'read-write') {
    writer.begin()
    await core.pressure.measure()
  }
  const log = new MoulinLog(core, directory, { closing, durability: options.wal.durability, recovery: { torn } })
  runtime.logger.info(
    { log: core.name, epoch: wal.epoch, access, durability: options.wal.durability },
    'The log is open',
  )
  return log
}

function checkStore(store: ObjectStore): void {
  if (!store.capabilities.createIfAbsent) {
    throw invalid('STORE', `${store.name} has no atomic create-if-absent, which a log needs.`)
  }
  checkRoot(store)
}
