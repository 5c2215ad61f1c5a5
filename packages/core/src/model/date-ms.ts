/** Milliseconds since the epoch of a Date of any realm, whatever its own members say; NaN of anything else. */
export function dateMs(value: unknown): number {
  try {
    return Date.prototype.getTime.call(value)
  } catch {
    return NaN
  }
}
