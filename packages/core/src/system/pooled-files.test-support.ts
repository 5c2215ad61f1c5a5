import type { FileHandle, Files } from '../doors/files.ts'
import { ReadGate } from './read-gate.ts'

/** The same disk behind a pool of threads as libuv's: each call takes one until it ends, first come first served, whatever it is. */
export function pooledFiles<T extends Partial<Files> & Pick<Files, 'open'>>(files: T, threads = 4): T {
  const pool = new ReadGate(threads)
  const queued = <D extends object>(door: D): D =>
    Object.fromEntries(
      Object.entries(door).map(([name, call]: [string, unknown]) => [
        name,
        typeof call === 'function' && name !== 'watch'
          ? (...given: unknown[]) => pool.run(async () => (await call(...given)) as unknown)
          : call,
      ]),
    ) as D
  const { open, ...others } = files
  return {
    ...queued(others),
    open: async (...call: Parameters<Files['open']>): Promise<FileHandle> =>
      queued(await pool.run(() => open(...call))),
  } as unknown as T
}
