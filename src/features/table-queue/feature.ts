import { valueOf } from '../../config/section-kind.ts'
import type { FeatureContext } from '../context.ts'
import type { Feature } from '../feature.ts'
import { sourceKind } from './section.ts'
import { Sources } from './sources.ts'
import { partOf } from './status.ts'

export function create(context: FeatureContext): Feature {
  const { config } = context
  const sources = new Sources({
    ...context,
    queueOf: taskKey => config.current.queues.find(one => one.taskKey === taskKey),
  })
  return {
    start: () => sources.configure(valueOf(config.current, sourceKind)),
    stop: () => sources.stop(),
    configure: next => sources.configure(valueOf(next, sourceKind)),
    hold: () => sources.hold(),
    take: () => sources.take(),
    async statuses() {
      const list = await sources.statuses(valueOf(config.current, sourceKind))
      return { lists: { sources: list }, parts: list.map(partOf) }
    },
    metrics: async () => (await import('./metrics.ts')).addMetrics,
  }
}
