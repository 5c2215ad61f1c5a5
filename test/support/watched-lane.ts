import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** An input that takes this long will not end. */
const hangMillis = 20_000

/**
 * Runs a script that goes through damaged inputs in a process of its own, and watches that it gets on: where it is, it writes into
 * `position-FROM` of the folder; what it found, as JSON, to its standard output.
 * @param told What is known of an input that ended the process.
 */
export function watchedLane<Report>(
  script: string,
  folder: string,
  [seed, from, count]: readonly [seed: number, from: number, count: number],
  told: (position: string) => string = () => '',
): Promise<Report> {
  const args = ['--expose-gc', '--max-old-space-size=512', '--conditions=moulin-source', script, folder]
  const child = spawn(process.execPath, [...args, String(seed), String(from), String(count)])
  let [output, trouble] = ['', '']
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (trouble += String(chunk)))
  const path = join(folder, `position-${from}`)
  const position = (): string => (existsSync(path) ? readFileSync(path, 'utf8').trim() : 'start')
  let last = ''
  const watch = setInterval(() => {
    const now = position()
    // The corpus is read before the first input.
    if (now === last && now !== 'start') child.kill('SIGKILL')
    last = now
  }, hangMillis)
  return new Promise((resolve, reject) => {
    child.on('close', (code, signal) => {
      clearInterval(watch)
      if (code === 0) return resolve(JSON.parse(output) as Report)
      const how = `Input ${position()} of seed ${seed} ended the process: ${signal ?? code}`
      reject(new Error(`${how}\n${trouble}${told(position())}`))
    })
  })
}
