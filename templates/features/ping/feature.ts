import { valueOf } from '../../config/section-kind.ts'
import { Fleet } from '../../lib/fleet.ts'
import type { FeatureContext } from '../context.ts'
import type { Feature } from '../feature.ts'
import { Ping } from './ping.ts'
import { type PingSpec, pingKind } from './section.ts'
import { partOf } from './status.ts'

export function create({ config, clock, log }: FeatureContext): Feature {
  const pings = new Fleet((spec: PingSpec) => new Ping({ spec, clock, log }))
  return {
    start: () => pings.configure(valueOf(config.current, pingKind)),
    stop: () => pings.configure([]),
    configure: next => pings.configure(valueOf(next, pingKind)),
    async statuses() {
      const list = pings.members.map(one => one.status)
      return { lists: { pings: list }, parts: list.map(partOf) }
    },
    metrics: async () => (await import('./metrics.ts')).addMetrics,
    async routes() {
      const { pingRoutes } = await import('./routes.ts')
      return { fixed: [pingRoutes(name => pings.get(name)?.status)] }
    },
  }
}
