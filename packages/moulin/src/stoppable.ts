/** Runs the work with a signal that fires where the user wants it to stop, by Ctrl-C; undefined: nobody does. */
export type Stoppable = <T>(work: (signal: AbortSignal | undefined) => Promise<T>) => Promise<T>
