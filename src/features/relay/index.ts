import type { FeatureEntry } from '../feature.ts'
import { relayKind } from './section.ts'

/** `[relay:NAME]`: the list of another Redis, handed on over HTTP. */
export const relay: FeatureEntry = {
  name: 'relays',
  kinds: [relayKind],
  lists: ['relays'],
  load: () => import('./feature.ts'),
}
