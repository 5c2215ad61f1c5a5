import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface WriterAck {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

/** A running `log-writer.ts`, seen from outside. */
export interface WriterProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** What it said was durable, as far as we have read. */
  readonly acks: readonly WriterAck[]
  /** The line of an error, without the word. */
  readonly error: string | undefined
  /** Resolves when it has acked that many records, or ended. */
  acked(count: number): Promise<void>
  /** Resolves when it is gone and all that it printed has been read. */
  ended(): Promise<void>
}

export function startWriter(dir: string, name: string, takeover: 'refuse' | 'newest' = 'refuse'): WriterProcess {
  const program = fileURLToPath(new URL('log-writer.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=moulin-source', program, dir, name, takeover], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acks: WriterAck[] = []
  let error: string | undefined
  let isOver = false
  let changed: (() => void)[] = []
  const wake = (): void => {
    const waiting = changed
    changed = []
    for (const resolve of waiting) resolve()
  }
  const lines = createInterface({ input: child.stdout! })
  lines.on('line', (line) => {
    const [word, ...rest] = line.split(' ')
    if (word === 'ack') acks.push({ partition: Number(rest[0]), offset: Number(rest[1]), value: rest[2]! })
    if (word === 'error') error = rest.join(' ').trim()
    wake()
  })
  lines.on('close', () => {
    isOver = true
    wake()
  })
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition() && !isOver) await new Promise<void>((resolve) => changed.push(resolve))
  }
  return {
    child,
    pid: child.pid!,
    acks,
    get error() {
      return error
    },
    acked: (count) => until(() => acks.length >= count),
    ended: () => until(() => false),
  }
}
