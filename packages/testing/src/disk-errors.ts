import type { ErrorContext, MoulinError } from '@moulin/core'
import { exhausted, exists, notFound, unavailable } from '@moulin/core'

/** What a process may ask of a disk. The first group changes it: those are its effects. */
export type DiskEffectKind =
  | 'create'
  | 'mkdir'
  | 'link'
  | 'rename'
  | 'unlink'
  | 'rmdir'
  | 'write'
  | 'preallocate'
  | 'truncate'
  | 'touch'
  | 'datasync'
  | 'sync'
  | 'syncDirectory'

export type DiskCall = DiskEffectKind | 'open' | 'read' | 'readdir' | 'stat' | 'realpath'

/** Faults of the environment that a test can order. */
export type DiskFault = 'NO_SPACE' | 'READ_ONLY' | 'EIO'

const mayHaveHappened: ReadonlySet<DiskCall> = new Set(['write', 'preallocate', 'datasync', 'sync', 'syncDirectory'])

/** The errors of core's own disk, for the same reasons. */
export function diskFault(fault: DiskFault, call: DiskCall, path: string, facts: ErrorContext = {}): MoulinError {
  // A fault by order comes before anything is written.
  const context = { path, call, simulated: true, ...(call === 'write' ? { written: 0 } : {}), ...facts }
  const outcome = mayHaveHappened.has(call) ? 'unknown' : 'rejected'
  switch (fault) {
    case 'NO_SPACE':
      return exhausted('NO_SPACE', `No space left for ${path} (simulated).`, { context, outcome })
    case 'READ_ONLY':
      return unavailable('READ_ONLY', `${path} cannot be changed by this process (simulated).`, { context, outcome })
    case 'EIO':
      return unavailable('EIO', `${call} of ${path} failed (simulated).`, { context, outcome })
  }
}

export function noFile(call: DiskCall, path: string): MoulinError {
  return notFound('NO_FILE', `${path} does not exist.`, { context: { path, call } })
}

export function fileExists(call: DiskCall, path: string): MoulinError {
  return exists('FILE_EXISTS', `${path} exists already.`, { context: { path, call } })
}

/** An errno that the other kinds do not cover. */
export function misuse(errno: 'EISDIR' | 'EBADF' | 'EINVAL' | 'EPERM', call: DiskCall, path: string): MoulinError {
  if (errno === 'EPERM') return unavailable('READ_ONLY', `${path} cannot be changed so (EPERM).`, { context: { path } })
  return unavailable(errno, `${call} of ${path} failed: ${errno}`, { context: { path, call, errno } })
}
