import type { NotifyControl } from '../../api/notify-port.ts'
import { valueOf } from '../../config/section-kind.ts'
import type { FeatureContext } from '../context.ts'
import type { Feature } from '../feature.ts'
import { Notices, noSuchSection } from './notices.ts'
import { notifyKind } from './section.ts'
import { partOf } from './status.ts'
import { worldOf } from './world-of.ts'

export type NotifyFeature = Feature & NotifyControl

export function create(context: FeatureContext): NotifyFeature {
  const { config } = context
  const { dataDir } = config.current.settings
  let notices: Notices | undefined
  return {
    async start() {
      const specs = valueOf(config.current, notifyKind)
      notices ??= new Notices(specs, { ...context, dataDir, world: worldOf(context) })
    },
    stop: async () => notices?.stop(),
    configure: async next => notices?.configure(valueOf(next, notifyKind)),
    async statuses() {
      const list = notices?.statuses ?? []
      return { lists: { notices: list }, parts: list.map(partOf) }
    },
    metrics: async () => (await import('./metrics.ts')).addMetrics,
    async testNotify(name) {
      if (notices === undefined) throw noSuchSection(name, [])
      return notices.test(name)
    },
  }
}
