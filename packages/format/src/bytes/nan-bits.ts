/** The NaN that is written, and the only one whose value gives its bytes back: of a float, and the high half of a double. */
export const NAN_BITS_32 = 0x7fc00000
export const NAN_BITS_64 = 0x7ff80000
