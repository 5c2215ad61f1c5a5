#!/usr/bin/env node
import { runTesting } from './suite-command.ts'

process.exitCode = await runTesting(process.argv.slice(2), (line) => process.stdout.write(`${line}\n`))
