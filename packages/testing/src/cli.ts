#!/usr/bin/env node
import { runTesting } from './suite-command.ts'

const status = await runTesting(process.argv.slice(2), (line) => process.stdout.write(`${line}\n`))
// What an adapter has left open, a pool or a call that never ends, is no reason to stay. The lines go out first.
process.stdout.write('', () => process.exit(status))
