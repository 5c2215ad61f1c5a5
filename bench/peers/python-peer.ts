import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { python } from '../../test/interop/python.ts'

/** A Python script of this folder that lives as long as the bench: a command a line in, an answer a line out. */
export interface PythonPeer {
  tell(command: string, parameters: object): Promise<PythonAnswer>
  readonly close: () => void
}

export interface PythonAnswer {
  /** Milliseconds, as the script measured them itself. */
  readonly wall: number
  readonly cpu: number
  readonly bytes: number
  readonly rows: number
}

export async function pythonPeer(script: string): Promise<PythonPeer> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(await python(), [path], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async tell(command, parameters) {
      child.stdin.write(`${JSON.stringify({ command, ...parameters })}\n`)
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`${script} ended at the command ${command}.`)
      return JSON.parse(value) as PythonAnswer
    },
    close: () => child.stdin.end(),
  }
}
