import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

const children = new Set<ChildProcess>()

// Before the folders go that they write to; a bench that is broken off leaves none running.
process.prependListener('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

export interface OwnChild {
  /** All that it has said until now, on stdout and on stderr. */
  readonly said: { readonly out: string; readonly err: string }
  /** With its exit code; null where a signal ended it. @throws when it could not be started. */
  readonly ended: Promise<number | null>
  /** Whether the text has come on stderr before it ended. */
  hasSaid(text: string): Promise<boolean>
  /** It loses what it has not stored. */
  kill(): Promise<void>
}

/** Starts a program that does not outlive this process, whatever ends that, but for SIGKILL. */
export function ownChild(command: string, args: readonly string[]): OwnChild {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  void ended.catch(() => {}).then(() => children.delete(child))
  return {
    said,
    ended,
    async hasSaid(text) {
      const heard = new Promise<true>((resolve) => {
        child.stderr.on('data', () => said.err.includes(text) && resolve(true))
      })
      return said.err.includes(text) || (await Promise.race([heard, ended.then(() => false)]))
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
