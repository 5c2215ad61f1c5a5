/** Who is alive on a virtual machine. */
export interface ProcessTable {
  readonly bootId: string
  start(): { readonly pid: number; readonly startTime: string }
  /** The process is gone; asking for an unknown one is fine. */
  end(pid: number): void
  startTimeOf(pid: number): string | undefined
  /** Ends all processes, changes the boot id and gives out low pids again. */
  reboot(): void
}

/** An empty machine. Pids rise by one; give the same table to the runtimes of one machine. */
export function processTable(): ProcessTable {
  let boots = 1
  let nextPid = 100
  let starts = 0
  const alive = new Map<number, string>()
  return {
    get bootId() {
      return `virtual-boot-${boots}`
    },
    start() {
      const pid = nextPid++
      const startTime = `start-${++starts}`
      alive.set(pid, startTime)
      return { pid, startTime }
    },
    end: (pid) => void alive.delete(pid),
    startTimeOf: (pid) => alive.get(pid),
    reboot() {
      alive.clear()
      boots++
      nextPid = 100
    },
  }
}
