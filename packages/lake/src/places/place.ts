/** A key for what offsets are counted in. */
export const placeOf = (incarnation: number, partition: number): string => `${incarnation}.${partition}`
