import { exhausted, isKind, type Files, type MoulinError, type WalSpace, withOutcome } from '@moulin/core'

const MAX_RESERVE_BYTES = 64 * 1024 * 1024
const RESERVE = 1 / 16
/** Four segments are at hand: the active one, the next one, and two to be used again. So they take an eighth of the disk at most. */
const SEGMENT = 1 / 32
const SMALLEST_BYTES = 64 * 1024
const PAGE_BYTES = 4096

/** What is free on the disk of the folder, and how much of it is kept for the commits that free more. */
export async function spaceAt(files: Files, dir: string): Promise<WalSpace> {
  const { freeBytes, totalBytes } = await files.spaceOf(dir)
  return { freeBytes, reserveBytes: Math.min(MAX_RESERVE_BYTES, Math.floor(totalBytes * RESERVE)) }
}

/** The size of segments on this disk: what is wanted, unless that is too much for a small one. */
export async function segmentBytesFor(files: Files, dir: string, wanted: number): Promise<number> {
  const { totalBytes } = await files.spaceOf(dir)
  const share = Math.floor((totalBytes * SEGMENT) / PAGE_BYTES) * PAGE_BYTES
  return Math.min(wanted, Math.max(SMALLEST_BYTES, share))
}

/** @throws `NO_SPACE`, {@link isReserved}: taking so many bytes would leave less than half of the reserve. */
export async function checkReserve(files: Files, dir: string, bytes: number): Promise<void> {
  const { freeBytes, reserveBytes } = await spaceAt(files, dir)
  if (freeBytes - bytes >= reserveBytes / 2) return
  const message = `No space left in ${dir}: ${freeBytes} bytes of the disk are free, and ${reserveBytes / 2} are kept for commits. Free some.`
  throw exhausted('NO_SPACE', message, { retryable: true, context: { dir, freeBytes, reserveBytes } })
}

/** The disk is not full: what is left is kept for commits. */
export function isReserved(error: unknown): boolean {
  return isNoSpace(error) && error.context['reserveBytes'] !== undefined
}

const syncs: ReadonlySet<unknown> = new Set(['fsync', 'fdatasync', 'sync', 'datasync', 'syncDirectory'])

/** The disk took less than it was given, and said so: not a sync that failed, after which nobody knows what the disk holds. */
export function isNoSpace(error: unknown): error is MoulinError {
  return isKind(error, 'exhausted', 'NO_SPACE') && !syncs.has(error.context['call'])
}

/** The error of a full disk, once nothing that was written or synced counts. Any other error, as it is. */
export function asRejected(error: unknown): unknown {
  return isKind(error, 'exhausted', 'NO_SPACE') ? withOutcome(error, 'rejected', true) : error
}

/** The disk is full, or all but the reserve is, and nothing of the append was stored. */
export function isRejected(error: unknown): error is MoulinError {
  return isKind(error, 'exhausted', 'NO_SPACE') && error.outcome === 'rejected'
}
