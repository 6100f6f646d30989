import { SectionKinds } from '../config/section-kind.ts'
import * as all from './all.ts'
import type { FeatureEntry } from './feature.ts'
import { groupKind, programKind } from './programs/section.ts'

/** In the order in which they start. */
export const FEATURES: readonly FeatureEntry[] = Object.values(all)

/** Every kind of section that a feature has, in the order in which a reload tells of them. */
export const KINDS = new SectionKinds([
  programKind,
  groupKind,
  ...FEATURES.flatMap(feature => feature.kinds),
])
