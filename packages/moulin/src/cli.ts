#!/usr/bin/env node
import { runCommand, type CommandOutput } from './cli-program.ts'

// `moulin … | head -1`: whoever reads has enough, which is no error. A repair under way still ends as planned.
const closed = new Set<NodeJS.WriteStream>()
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    closed.add(stream)
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
}
process.exitCode = await runCommand(process.argv.slice(2), output)
