/** A number as names of objects have it: the order of the names is that of the numbers. */
export const tenDigits = (number: number | bigint): string => String(number).padStart(10, '0')
