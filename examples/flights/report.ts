import { SingleBar } from 'cli-progress'

/** Times named phases and tells a person what is going on: a bar on a terminal, plain lines otherwise. */
export interface Reporter {
  phase<T>(name: string, work: () => Promise<T>): Promise<T>
  /** `done` of `total` in the present phase. */
  progress(done: number, total: number, note?: string): void
  line(text: string): void
  readonly phases: Readonly<Record<string, number>>
}

export function reporter(options: { readonly quiet: boolean }): Reporter {
  const out = options.quiet ? process.stderr : process.stdout
  const bar = out.isTTY
    ? new SingleBar({ format: '{phase} {bar} {percentage}% {note}', stream: out, clearOnComplete: true })
    : undefined
  const phases: Record<string, number> = {}
  let running = false
  let phase = ''
  let lastLine = 0

  const stopBar = (): void => {
    if (running) bar?.stop()
    running = false
  }
  const line = (text: string): void => {
    stopBar()
    out.write(`${text}\n`)
  }
  return {
    phases,
    line,
    async phase(name, work) {
      phase = name
      lastLine = performance.now()
      const start = performance.now()
      try {
        return await work()
      } finally {
        phases[name] = round((performance.now() - start) / 1000)
        line(`${name}: ${phases[name]} s`)
      }
    },
    progress(done, total, note = '') {
      if (bar !== undefined) {
        if (!running) bar.start(total, done, { phase, note })
        else bar.update(done, { phase, note })
        running = true
      } else if (performance.now() - lastLine > 2000) {
        lastLine = performance.now()
        out.write(`  ${phase}: ${done} of ${total} ${note}\n`)
      }
    },
  }
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}

/** The value below which the share `q` of `sorted` lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}
