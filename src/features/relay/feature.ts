import { valueOf } from '../../config/section-kind.ts'
import type { FeatureContext } from '../context.ts'
import type { Feature } from '../feature.ts'
import { Relays } from './relays.ts'
import { relayKind } from './section.ts'
import { partOf } from './status.ts'

export function create(context: FeatureContext): Feature {
  const relays = new Relays(context)
  return {
    async start() {
      // A Redis that is away holds up nobody.
      void relays.configure(valueOf(context.config.current, relayKind))
    },
    stop: () => relays.configure([]),
    configure: config => relays.configure(valueOf(config, relayKind)),
    async statuses() {
      const list = await relays.statuses()
      return { lists: { relays: list }, parts: list.map(partOf) }
    },
    async routes() {
      const [{ relayRoutes }, { relayLegacyRoutes }] = await Promise.all([
        import('./routes.ts'),
        import('./legacy-routes.ts'),
      ])
      return {
        fixed: [relayRoutes(relays)],
        named: config => relayLegacyRoutes(valueOf(config, relayKind), relays),
      }
    },
  }
}
