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
  | 'syncedWrite'
  | 'preallocate'
  | 'truncate'
  | 'touch'
  | 'datasync'
  | 'sync'
  | 'syncDirectory'

export type DiskCall = DiskEffectKind | 'open' | 'read' | 'readdir' | 'stat' | 'realpath'

/** Faults of the environment that a test can order. */
export type DiskFault = 'NO_SPACE' | 'READ_ONLY' | 'EIO'

const mayHaveHappened: ReadonlySet<DiskCall> = new Set([
  'write',
  'syncedWrite',
  'preallocate',
  'datasync',
  'sync',
  'syncDirectory',
])

/** The errors of core's own disk, for the same reasons. */
export function diskFault(fault: DiskFault, call: DiskCall, path: string, facts: ErrorContext = {}): MoulinError {
  const isWrite = call === 'write' || call === 'syncedWrite'
  // A fault by order comes before anything is written; to a handle that syncs the system tells the same, whatever was.
  const told = isWrite ? { call: 'write', written: 0 } : { call }
  const context = { path, simulated: true, ...told, ...facts }
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

/** What core's own disk says where a handle that syncs took a part. */
export function shortWrite(path: string, written: number): MoulinError {
  const context = { path, call: 'write', simulated: true, written }
  const message = `${path}: the disk took only ${written} bytes (simulated).`
  return unavailable('SHORT_WRITE', message, { outcome: 'unknown', context })
}

/** A call that cannot wait, of a process that is paused or dead. */
export function held(call: DiskCall, path: string): MoulinError {
  const message = `${path}: the process is held, and this call cannot wait (simulated).`
  return unavailable('HELD', message, { context: { path, call, simulated: true } })
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
