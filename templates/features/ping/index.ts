import type { FeatureEntry } from '../feature.ts'
import { pingKind } from './section.ts'

/** `[ping:NAME]`: asks a URL again and again, and shows whether it answers. */
export const ping: FeatureEntry = {
  name: 'pings',
  kinds: [pingKind],
  lists: ['pings'],
  load: () => import('./feature.ts'),
}
