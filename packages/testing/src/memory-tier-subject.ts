import { unavailable } from '@moulin/core'
import type { ColdTier } from '@moulin/core'
import type { ColdTierConformanceConfig } from './cold-tier-conformance.ts'
import type { ColdTierSubject } from './cold-tier-log.ts'
import { MemoryHistory } from './memory-history.ts'
import { memoryTier } from './memory-tier.ts'
import { virtualRuntime } from './virtual-runtime.ts'
import type { VirtualRuntime } from './virtual-runtime.ts'

export interface MemoryTierSubject extends ColdTierSubject {
  readonly history: MemoryHistory
  readonly runtime: VirtualRuntime
}

/** How the suite asks `memoryTier`, or what `wrap` makes of it. */
export function memoryTierConfig(
  wrap = (tier: ColdTier): ColdTier => tier,
): ColdTierConformanceConfig<MemoryTierSubject> {
  return {
    name: 'memoryTier',
    create() {
      const history = new MemoryHistory()
      return { tier: wrap(memoryTier({ history })), history, runtime: virtualRuntime({ seed: 1 }) }
    },
    reopen: ({ history, runtime }) => ({ tier: wrap(memoryTier({ history })), history, runtime }),
    loseCommit({ history: { hooks } }, how) {
      const outcome = how === 'refused' ? 'rejected' : 'unknown'
      const lose = (when: 'before' | 'after'): void => {
        hooks[when] = ({ op }) => {
          if (op !== 'commit') return
          delete hooks[when]
          throw unavailable('LOST', 'The answer to the commit was lost.', { outcome })
        }
      }
      lose(how === 'kept' ? 'after' : 'before')
    },
    holdCommit({ history: { hooks } }) {
      let [reach, release] = [(): void => {}, (): void => {}]
      const reached = new Promise<void>((resolve) => (reach = resolve))
      const held = new Promise<void>((resolve) => (release = resolve))
      hooks.before = ({ op }) => {
        if (op !== 'commit') return
        delete hooks.before
        reach()
        return held
      }
      return { reached, release: () => release() }
    },
    async hide({ history }, table, position) {
      const names = history.hide(table, position)
      return async () => history.show(names)
    },
    async rollBack({ history }, table) {
      history.rollBack(table)
    },
  }
}
