import { valueOf } from '../../config/section-kind.ts'
import type { FeatureContext } from '../context.ts'
import type { Feature } from '../feature.ts'
import { Channels } from './channels.ts'
import { channelKind } from './section.ts'
import { partOf } from './status.ts'

export function create(context: FeatureContext): Feature {
  const { dataDir } = context.config.current.settings
  const channels = new Channels({ ...context, dataDir })
  return {
    start: () => channels.configure(valueOf(context.config.current, channelKind)),
    stop: () => channels.stop(),
    configure: config => channels.configure(valueOf(config, channelKind)),
    async statuses() {
      const list = await channels.statuses()
      return { lists: { channels: list }, parts: list.map(partOf) }
    },
    metrics: async () => (await import('./metrics.ts')).addMetrics,
    async routes() {
      const [{ dataRoutes }, { encryptRoutes }, { channelLegacyRoutes }] = await Promise.all([
        import('./data-routes.ts'),
        import('./encrypt-routes.ts'),
        import('./legacy-routes.ts'),
      ])
      return {
        fixed: [dataRoutes(channels), encryptRoutes(channels)],
        named: config => channelLegacyRoutes(valueOf(config, channelKind), channels),
      }
    },
  }
}
