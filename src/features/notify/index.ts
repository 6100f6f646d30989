import type { FeatureEntry } from '../feature.ts'
import type { NotifyFeature } from './feature.ts'
import { notifyKind } from './section.ts'

/** `[notify:NAME]`: tells people of what happens, by webhook or mail. */
export const notify: FeatureEntry<NotifyFeature> = {
  name: 'notices',
  kinds: [notifyKind],
  lists: ['notices'],
  load: () => import('./feature.ts'),
}
