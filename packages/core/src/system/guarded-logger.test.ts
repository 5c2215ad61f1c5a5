import process from 'node:process'
import { expect, it } from 'vitest'
import type { Logger } from '../doors/runtime.ts'
import { guardedLogger } from './guarded-logger.ts'
import { systemRuntime } from './system-runtime.ts'

const { timers } = systemRuntime()

async function warnings(act: () => void): Promise<Error[]> {
  const found: Error[] = []
  const take = (warning: Error): void => void found.push(warning)
  process.on('warning', take)
  act()
  await timers.turn()
  process.off('warning', take)
  return found
}

it('tells once of a logger that throws or rejects, and lets none of it out', async () => {
  const lines: string[] = []
  class Odd implements Logger {
    readonly prefix = 'odd: '
    debug(_: object, message: string): void {
      lines.push(this.prefix + message)
    }
    info(): void {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- Whatever a stranger throws.
      throw undefined
    }
    readonly warn = ((): Promise<void> => Promise.reject(new Error('the socket is gone'))) as Logger['warn']
    readonly error = (): void => {
      lines.push(`${this.prefix}has failed`)
      throw new Error('one more')
    }
  }
  const odd = new Odd()
  const found = await warnings(() => {
    guardedLogger(odd).debug({}, 'said')
    guardedLogger(odd).warn({}, 'lost')
    guardedLogger(guardedLogger(odd)).info({}, 'lost')
    systemRuntime({ logger: odd }).logger.error({}, 'lost')
  })
  expect(lines).toEqual(['odd: said', 'odd: has failed'])
  expect(found).toMatchObject([{ name: 'MoulinWarning', code: 'LOGGER' }])
})
