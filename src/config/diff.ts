import type { Job } from '../model/job.ts'
import { type Changes, diffByName, differingKeys } from './changes.ts'
import type { Config } from './config.ts'
import { type SectionKinds, valueOf } from './section-kind.ts'

export interface ConfigDiff {
  readonly jobs: Changes
  readonly queues: Changes
  /** Of each kind of section that a feature has, in the order of the kinds. */
  readonly sections: ReadonlyMap<string, Changes>
  readonly settings: { readonly changedKeys: readonly string[] }
}

/** What a new configuration changes, by name and key: what `plan` shows and `reload` does. */
export function diffConfig(old: Config, next: Config, kinds: SectionKinds): ConfigDiff {
  return {
    jobs: diffByName(old.jobs.map(flat), next.jobs.map(flat)),
    queues: diffByName(old.queues.map(named), next.queues.map(named)),
    sections: new Map(
      kinds.ofFeatures.map(kind => [kind.kind, kind.diff(valueOf(old, kind), valueOf(next, kind))]),
    ),
    settings: { changedKeys: differingKeys(old.settings, next.settings) },
  }
}

function flat({ name, task, trigger, ...rest }: Job) {
  return { name, ...rest, trigger: trigger.kind, runTime: trigger, ...task }
}

function named({ taskKey, ...rest }: Config['queues'][number]) {
  return { name: taskKey, ...rest }
}
