import type { Files } from '@moulin/core'
import type { DiskEffectKind } from './disk-errors.ts'
import type { DiskFile } from './disk-node.ts'

/** One process that uses a simulated disk. It can be stopped, killed and paused on its own. */
export interface DiskProcess {
  readonly name: string
  readonly files: Files
  /** How many effects it has had. */
  readonly effectCount: number
  readonly state: 'running' | 'paused' | 'dead'
  /**
   * Ends the process just before or after its nth effect (counted from 1, from its first), or `during` it: then a
   * write leaves a part of its bytes. No later call ever settles. As with `kill`, the page cache stays.
   */
  stopAt(point: EffectPoint): void
  /** Pauses the process there, as SIGSTOP would. `resume` lets it go on. */
  pauseAt(point: { readonly effect: number; readonly when: 'before' | 'after' }): void
  /** Ends it now. What it wrote stays readable for others, and is lost by a later crash unless it was synced. */
  kill(): void
  /** Holds all calls and answers until `resume`: a zombie whose effects come late. */
  pause(): void
  resume(): void
  /** Resolves when the process has been stopped, killed or paused. */
  halted(): Promise<void>
}

export interface EffectPoint {
  readonly effect: number
  readonly when: 'before' | 'after' | 'during'
}

/** One change that a process made to the disk, in order. A refused one (disk full, file exists) is listed too. */
export interface DiskEffect {
  readonly process: string
  /** Counts from 1, per process. */
  readonly number: number
  readonly kind: DiskEffectKind
  readonly path: string
}

// A new one each time: a shared promise would keep everything that ever waited for it.
const never = (): Promise<never> => new Promise(() => {})

/** The gate in front of and behind every call of one process. */
export class ProcessGate {
  readonly name: string
  state: 'running' | 'paused' | 'dead' = 'running'
  effectCount = 0
  readonly opened: DiskFile[] = []
  readonly #record: (effect: DiskEffect) => void
  #points: (EffectPoint & { readonly act: 'stop' | 'pause' })[] = []
  #resumed = Promise.withResolvers<void>()
  #halted = Promise.withResolvers<void>()
  #onDeath: (() => void)[] = []

  constructor(name: string, record: (effect: DiskEffect) => void) {
    this.name = name
    this.#record = record
  }

  at(point: EffectPoint, act: 'stop' | 'pause'): void {
    this.#points.push({ ...point, act })
  }

  onDeath(run: () => void): void {
    this.#onDeath.push(run)
  }

  kill(): void {
    if (this.state === 'dead') return
    this.state = 'dead'
    for (const run of this.#onDeath) run()
    this.#halted.resolve()
  }

  pause(): void {
    if (this.state !== 'running') return
    this.state = 'paused'
    this.#resumed = Promise.withResolvers()
    this.#halted.resolve()
  }

  resume(): void {
    if (this.state !== 'paused') return
    this.state = 'running'
    this.#halted = Promise.withResolvers()
    this.#resumed.resolve()
  }

  halted(): Promise<void> {
    return this.#halted.promise
  }

  /** A call that changes nothing. */
  async ask<T>(run: () => T): Promise<T> {
    await this.#pass()
    try {
      return run()
    } finally {
      await this.#pass()
    }
  }

  /** A call that changes the disk. `partly` is what a process killed in the middle of it leaves behind. */
  async effect<T>(kind: DiskEffectKind, path: string, run: () => T, partly?: () => void): Promise<T> {
    await this.#pass()
    const number = ++this.effectCount
    if (this.#reach(number, 'before')) await this.#pass()
    this.#record({ process: this.name, number, kind, path })
    if (this.#points.some((point) => point.effect === number && point.when === 'during')) {
      if (partly !== undefined) partly()
      else run()
      this.kill()
      return await never()
    }
    try {
      return run()
    } finally {
      this.#reach(number, 'after')
      await this.#pass()
    }
  }

  // Each call and each answer waits here. The dead wait for ever: no catch, no finally of theirs runs.
  async #pass(): Promise<void> {
    await Promise.resolve()
    while (this.state === 'paused') await this.#resumed.promise
    if (this.state === 'dead') await never()
  }

  #reach(number: number, when: 'before' | 'after'): boolean {
    const point = this.#points.find((candidate) => candidate.effect === number && candidate.when === when)
    if (point === undefined) return false
    this.#points = this.#points.filter((candidate) => candidate !== point)
    if (point.act === 'stop') this.kill()
    else this.pause()
    return true
  }
}
