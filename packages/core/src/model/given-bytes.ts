// What a Uint8Array says of itself, a subclass or its maker may have made up: these ask the engine.
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object
const getter = (name: PropertyKey): (() => unknown) => Object.getOwnPropertyDescriptor(typedArray, name)!.get!
const lengthGetter = getter('length') as () => number
const offsetGetter = getter('byteOffset') as () => number
const bufferGetter = getter('buffer') as () => ArrayBuffer
const tagGetter = getter(Symbol.toStringTag)
const { at } = Uint8Array.prototype

/** Whether a value from anywhere is a Uint8Array, of any realm, whose memory is there: not detached, and not beyond its buffer. */
export function isBytes(value: unknown): value is Uint8Array {
  return tagGetter.call(value as Uint8Array) === 'Uint8Array' && (lengthOf(value as Uint8Array) > 0 || isThere(value))
}

function isThere(value: unknown): boolean {
  try {
    at.call(value as Uint8Array, 0)
    return true
  } catch {
    return false
  }
}

/** How many bytes there are, whatever a `length` of the caller's says. */
export function lengthOf(bytes: Uint8Array): number {
  return lengthGetter.call(bytes)
}

/** A plain view of the same memory. */
export function plainView(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bufferGetter.call(bytes), offsetGetter.call(bytes), lengthGetter.call(bytes))
}
