#!/usr/bin/env node
import { runCommand, type CommandOutput } from './cli-program.ts'

const exitWith = (status: number): void => {
  process.exitCode = Math.max(Number(process.exitCode ?? 0), status)
}

// What cannot be printed ends nothing that is being done: a repair under way ends as planned.
const closed = new Set<NodeJS.WriteStream>()
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (closed.has(stream)) return
    closed.add(stream)
    // `moulin … | head -1`: whoever reads has enough, which is no error.
    if (error.code === 'EPIPE') return
    print(process.stderr, `moulin: what was to be printed is lost from some place on: ${error.message}\n`)
    exitWith(2)
  })
}
const print = (stream: NodeJS.WriteStream, text: string): void => {
  if (!closed.has(stream)) stream.write(text)
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const output: CommandOutput = {
  out: (text) => print(process.stdout, text),
  err: (text) => print(process.stderr, text),
  get isClosed() {
    return closed.has(process.stdout)
  },
  // The second time it ends at once, as without.
  async stoppable(work) {
    const stop = new AbortController()
    const fire = (): void => stop.abort()
    for (const signal of signals) process.once(signal, fire)
    try {
      return await work(stop.signal)
    } finally {
      for (const signal of signals) process.off(signal, fire)
    }
  },
}
exitWith(await runCommand(process.argv.slice(2), output))
