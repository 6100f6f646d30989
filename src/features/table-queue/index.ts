import type { FeatureEntry } from '../feature.ts'
import { sourceKind } from './section.ts'

/** `[source:NAME]`: rows of a table become tasks, and what came of them is written back. */
export const tableQueue: FeatureEntry = {
  name: 'table queues',
  kinds: [sourceKind],
  lists: ['sources'],
  after: 'redis',
  load: () => import('./feature.ts'),
}
