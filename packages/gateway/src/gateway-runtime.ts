import type { Runtime } from '@moulin/core'

/** Of the doors to the machine, those that a gateway uses itself. */
export type GatewayRuntime = Pick<Runtime, 'clock' | 'random' | 'timers' | 'logger' | 'meter'>
