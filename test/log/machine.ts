import type { Limits, Log, LogRecord, Runtime, Topic } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { processTable, simulatedDisk, virtualClock, virtualRuntime } from '@moulin/testing'
import type { DiskEffect, ProcessTable, SimulatedDisk, VirtualClock, VirtualRuntime } from '@moulin/testing'
import { openLog, type OpenLogOptions } from '@moulin/log'
import { fileWal } from '@moulin/log'

export const LAKE = '/lake'
export const WAL = '/lake/log/wal'
/** Small, so that a few records roll a segment. */
export const SEGMENT_BYTES = 16 * 1024

/** One machine: a disk, a clock, processes on it. */
export interface Machine {
  readonly disk: SimulatedDisk
  readonly clock: VirtualClock
  readonly processes: ProcessTable
  /** A process of its own; by default on the disk's main files. */
  runtime(files?: Runtime['files']): VirtualRuntime
}

/** Its disk syncs what it writes where it is asked to, as Linux does, unless `syncedWrites` is false: then a flush is a write and an fdatasync. */
export function machine(seed = 1, { syncedWrites = true } = {}): Machine {
  const disk = simulatedDisk({ seed, syncedWrites })
  const clock = virtualClock()
  const processes = processTable()
  let runtimes = 0
  return {
    disk,
    clock,
    processes,
    runtime: (files = disk.files) => virtualRuntime({ seed: seed * 1000 + ++runtimes, files, clock, processes }),
  }
}

/** How often a flush, or a seal, was made durable so far. */
export function flushesOn({ disk }: Machine): number {
  const isFlush = ({ kind, path }: DiskEffect): boolean =>
    path.endsWith('.wal') && (kind === 'syncedWrite' || kind === 'datasync')
  return disk.effects.filter(isFlush).length
}

/** Opens a log in the machine's `/lake`, as the process of `runtime`. */
export function openIn(
  runtime: Runtime,
  options: Partial<OpenLogOptions> & { segmentBytes?: number; limits?: Partial<Limits> } = {},
): Promise<Log> {
  const { segmentBytes = SEGMENT_BYTES, ...rest } = options
  return openLog({
    store: fileSystem({ root: LAKE, files: runtime.files, timers: runtime.timers }),
    wal: fileWal({ dir: WAL, segmentBytes }),
    runtime,
    ...rest,
  })
}

export async function collect<T>(records: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const record of records) all.push(record)
  return all
}

/** Values of all records of the topic's partitions, as text, in offset order. */
export async function valuesOf(topic: Topic<unknown>, partition = 0): Promise<string[]> {
  const records = await collect(topic.read({ partition, to: 'end' }))
  return records.map(textOf)
}

export function textOf({ bytes }: Pick<LogRecord, 'bytes'>): string {
  return bytes === null ? '(null)' : Buffer.from(bytes).toString()
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
