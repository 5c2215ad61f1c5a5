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

const output: CommandOutput = {
  out: (text) => print(process.stdout, text),
  err: (text) => print(process.stderr, text),
  get isClosed() {
    return closed.has(process.stdout)
  },
  // From then on; a second one ends the process as ever.
  stopped: () =>
    new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    }),
}
exitWith(await runCommand(process.argv.slice(2), output))
