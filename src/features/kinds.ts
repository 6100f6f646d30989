import { SectionKinds } from '../config/section-kind.ts'
import { channelKind } from './channel/section.ts'
import { notifyKind } from './notify/section.ts'
import { groupKind, programKind } from './programs/section.ts'
import { relayKind } from './relay/section.ts'
import { sourceKind } from './table-queue/section.ts'

export { channelKind, groupKind, notifyKind, programKind, relayKind, sourceKind }

/** Every kind of section that a feature has, in the order in which a reload tells of them. */
export const KINDS = new SectionKinds([
  programKind,
  groupKind,
  channelKind,
  relayKind,
  sourceKind,
  notifyKind,
])
