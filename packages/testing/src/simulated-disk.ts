import { checkOptions, option } from '@moulin/core'
import type { Clock, Files, OptionTable } from '@moulin/core'
import type { DiskCall, DiskFault } from './disk-errors.ts'
import { diskFault } from './disk-errors.ts'
import type { DiskDevice } from './disk-files.ts'
import { filesOf } from './disk-files.ts'
import type { DiskFolder } from './disk-node.ts'
import type { DiskEffect, DiskProcess, EffectPoint } from './disk-process.ts'
import { ProcessGate } from './disk-process.ts'
import { DiskTree } from './disk-tree.ts'
import { seededRandom } from './seeded-random.ts'

export interface SimulatedDiskOptions {
  readonly seed: number
  /** Dates the files. Default: a clock of the disk's own that ticks with every change. */
  readonly clock?: Pick<Clock, 'now'>
  /** Bytes that all files together may have. Default: no bound. */
  readonly quotaBytes?: number
  /** What {@link Files.mountOf} says. Default `local`. */
  readonly mount?: 'local' | 'network'
  /** Whether it opens handles that sync what they write, where that is asked for, as Linux does. Default true. */
  readonly syncedWrites?: boolean
}

/**
 * A disk in memory that keeps its promises to the letter and none beside them. Bytes are volatile until `datasync` or
 * `sync` of the file, but for those that a handle which is opened `synced` has written; names (create, link, rename, unlink, mkdir) until `syncDirectory` of their folder; and a file's
 * own sync does not make its name durable. Inode numbers are given out again. The same seed does the same.
 */
export interface SimulatedDisk extends DiskProcess {
  /** Of the main process; after `crash` or `kill` those of the next life. */
  readonly files: Files
  /** Every change of every process since the start, in order: the list of crash points. */
  readonly effects: readonly DiskEffect[]
  /** Another process on the same disk. */
  process(name?: string): DiskProcess
  /**
   * A power loss: every process dies and all unsynced bytes and names are gone. With `tear` some are there all the
   * same: per file nothing, all up to the middle of some write, or a choice of pages; and the oldest changes of names.
   */
  crash(options?: { readonly tear?: boolean }): void
  /** Ends the main process alone and begins its next life: the page cache stays. */
  kill(): void
  /** Makes calls fail. The rules are tried in their order. */
  fail(rule: DiskFaultRule): { remove(): void }
  quotaBytes: number
  /** All changes are refused with `READ_ONLY` while true. */
  readOnly: boolean
}

export interface DiskFaultRule {
  /**
   * A failed `datasync` or `sync` loses a seeded choice of the file's unsynced pages for good, though they stay readable. A failed synced
   * write does that to a seeded part of its bytes.
   */
  readonly fault: DiskFault
  /** Default: every call that changes the disk. A `syncedWrite` is a `write` and a `datasync`, too. */
  readonly call?: DiskCall
  /** A prefix of the path, or a pattern in it. Default: all. */
  readonly path?: string | RegExp
  /** Default: all processes. */
  readonly process?: string
  /** The first matching call that fails, counted from 1. Default 1. */
  readonly nth?: number
  /** How many fail from then on. Default 1; Infinity for all. */
  readonly times?: number
}

const passive: ReadonlySet<DiskCall> = new Set(['open', 'read', 'readdir', 'stat', 'realpath'])
const syncs: ReadonlySet<DiskCall> = new Set(['datasync', 'sync', 'syncDirectory'])

const optionTable: OptionTable<SimulatedDiskOptions> = {
  seed: option.required(option.integer('', 0)),
  clock: option.clockCheck,
  quotaBytes: option.anyOf(option.integer('bytes', 0), option.oneOf(Infinity)),
  mount: option.oneOf('local', 'network'),
  syncedWrites: option.oneOf(true, false),
}

/** A new, empty disk with a main process on it. @throws `invalid` for a bad option. */
export function simulatedDisk(options: SimulatedDiskOptions): SimulatedDisk {
  checkOptions('simulatedDisk', options, optionTable)
  const random = seededRandom(options.seed)
  const effects: DiskEffect[] = []
  const now = options.clock === undefined ? () => effects.length : () => options.clock!.now()
  const tree = new DiskTree(now)
  const rules: (DiskFaultRule & { matched: number })[] = []
  const watchers = new Set<{ readonly folder: DiskFolder; readonly gate: ProcessGate; readonly changed: () => void }>()
  let living: ProcessGate[] = []
  let quotaBytes = options.quotaBytes ?? Infinity
  let readOnly = false

  const partOf = (bytes: Uint8Array, isSynced = false): Uint8Array => {
    const part = random.below(bytes.length + 1)
    return bytes.subarray(0, isSynced ? random.pick([0, part, bytes.length]) : part)
  }

  const device: DiskDevice = {
    tree,
    now,
    admit(process, call, path) {
      if (readOnly && !passive.has(call) && !syncs.has(call)) throw diskFault('READ_ONLY', call, path)
      for (const rule of rules) {
        if (!matches(rule, process, call, path)) continue
        rule.matched++
        const first = rule.nth ?? 1
        if (rule.matched >= first && rule.matched < first + (rule.times ?? 1)) throw diskFault(rule.fault, call, path)
      }
    },
    mount: options.mount ?? 'local',
    syncedWrites: options.syncedWrites ?? true,
    space: () => ({ totalBytes: quotaBytes, freeBytes: Math.max(0, quotaBytes - tree.usedBytes()) }),
    room: (bytes) => (quotaBytes === Infinity ? bytes : Math.max(0, Math.min(bytes, quotaBytes - tree.usedBytes()))),
    failedSync: (file) => file.failSync(random),
    failedWrite: (file, position, bytes) => file.failSyncedWrite(position, partOf(bytes, true), random),
    changed(folder) {
      for (const watcher of watchers) {
        if (watcher.folder !== folder) continue
        // A paused process misses it, as the door allows.
        queueMicrotask(() => watchers.has(watcher) && watcher.gate.state === 'running' && watcher.changed())
      }
    },
    watch(folder, gate, changed) {
      const watcher = { folder, gate, changed }
      watchers.add(watcher)
      return { close: () => void watchers.delete(watcher) }
    },
    partOf,
  }

  const start = (name: string): DiskProcess => {
    const gate = new ProcessGate(name, (effect) => effects.push(effect))
    living.push(gate)
    gate.onDeath(() => {
      living = living.filter((other) => other !== gate)
      for (const watcher of [...watchers]) if (watcher.gate === gate) watchers.delete(watcher)
      for (const file of gate.opened.splice(0)) {
        file.opens--
        tree.release(file)
      }
    })
    return processOf(gate, filesOf(device, gate))
  }

  let others = 0
  let lives = 1
  let main = start('main')
  const nextLife = (): void => {
    main = start(`main-${++lives}`)
  }

  return {
    get name() {
      return main.name
    },
    get files() {
      return main.files
    },
    get state() {
      return main.state
    },
    get effectCount() {
      return main.effectCount
    },
    effects,
    get quotaBytes() {
      return quotaBytes
    },
    set quotaBytes(bytes) {
      quotaBytes = bytes
    },
    get readOnly() {
      return readOnly
    },
    set readOnly(value) {
      readOnly = value
    },
    process: (name = `other-${++others}`) => start(name),
    crash({ tear = false } = {}) {
      for (const gate of [...living]) gate.kill()
      tree.crash(tear, random)
      nextLife()
    },
    kill() {
      main.kill()
      nextLife()
    },
    fail(rule) {
      const counted = { ...rule, matched: 0 }
      rules.push(counted)
      return { remove: () => void (rules.includes(counted) && rules.splice(rules.indexOf(counted), 1)) }
    },
    stopAt: (point) => main.stopAt(point),
    pauseAt: (point) => main.pauseAt(point),
    pause: () => main.pause(),
    resume: () => main.resume(),
    halted: () => main.halted(),
  }
}

function processOf(gate: ProcessGate, files: Files): DiskProcess {
  return {
    name: gate.name,
    files,
    get effectCount() {
      return gate.effectCount
    },
    get state() {
      return gate.state
    },
    stopAt: (point: EffectPoint) => gate.at(point, 'stop'),
    pauseAt: (point: EffectPoint) => gate.at(point, 'pause'),
    kill: () => gate.kill(),
    pause: () => gate.pause(),
    resume: () => gate.resume(),
    halted: () => gate.halted(),
  }
}

function matches(rule: DiskFaultRule, process: string, call: DiskCall, path: string): boolean {
  if (rule.call === undefined ? passive.has(call) : rule.call !== call && !isPartOf(rule.call, call)) return false
  if (rule.process !== undefined && rule.process !== process) return false
  if (rule.path === undefined) return true
  return typeof rule.path === 'string' ? path.startsWith(rule.path) : path.search(rule.path) >= 0
}

function isPartOf(part: DiskCall, call: DiskCall): boolean {
  return call === 'syncedWrite' && (part === 'write' || part === 'datasync')
}
