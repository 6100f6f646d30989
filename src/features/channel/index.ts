import type { FeatureEntry } from '../feature.ts'
import { channelKind } from './section.ts'

/** `[channel:NAME]`: rows that come over HTTP go into a table. */
export const channel: FeatureEntry = {
  name: 'channels',
  kinds: [channelKind],
  lists: ['channels'],
  load: () => import('./feature.ts'),
}
