import type { z } from 'zod'
import type { TaskTemplate } from '../model/job.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { Changes } from './changes.ts'
import type { Config, Environment, Settings } from './config.ts'
import { CORE } from './core-kinds.ts'
import type { KnownKinds, Report } from './diagnostics.ts'
import type { Places } from './paths.ts'
import { type Checked, checkSection, type KeyRules } from './schema.ts'
import { isPythons, type Section } from './section.ts'

/**
 * A kind of section with a name after its colon, as in `[relay:x]`: all that the configuration knows of
 * it. What reads, compares and shows sections walks a list of these, which its caller hands in.
 */
export interface SectionKind<Value = unknown, Schema extends z.ZodObject = z.ZodObject>
  extends NamedRules<Schema> {
  /** What all its sections mean together. Mistakes go into `around.report`. */
  read(sections: readonly Section[], around: Surroundings): Value
  /** What a reload changes, by name and key. */
  diff(old: Value, next: Value): Changes
  /** What `taskd check` says there is, as in `2 programs`; undefined: not mentioned. */
  contents?(value: Value): string | undefined
  /** Whether its sections can work while Redis is away, or have to wait for it. */
  without?(value: Value): 'works' | 'waits' | undefined
  /** What its sections run, which whoever may push may push too. */
  tasks?(value: Value): readonly TaskTemplate[]
}

/** The keys of a kind, and the names that its sections may have. */
export interface NamedRules<Schema extends z.ZodObject = z.ZodObject> extends KeyRules<Schema> {
  /** What is wrong with the name of a section, and what to do about it; undefined: nothing. */
  refuseName(name: string): readonly [string, string] | undefined
}

/** What sections are read against: the rest of the configuration. */
export interface Surroundings extends Places {
  /** All sections, in the order of the files. */
  readonly sections: readonly Section[]
  readonly environment: Environment
  readonly settings: Settings
  readonly queues: readonly QueueSpec[]
  /** Includes queues that are declared with a mistake. */
  readonly queueNames: readonly string[]
  /** How many files a process of ours may have open; undefined: nothing is said about that. */
  readonly openFiles: number | undefined
  /** The old paths of the HTTP door that are taken, each with the section that took it. */
  readonly legacyPaths: Map<string, string>
  readonly report: Report
}

/** All kinds: those of the core, which every configuration has, and those of the features. */
export class SectionKinds implements KnownKinds {
  readonly ofFeatures: readonly SectionKind[]
  readonly all: readonly KeyRules[]
  readonly names: ReadonlySet<string>

  constructor(ofFeatures: readonly SectionKind[]) {
    this.ofFeatures = ofFeatures
    this.all = [...CORE, ...ofFeatures]
    this.names = new Set(['queue', ...ofFeatures.map(one => one.kind)])
  }

  /** Undefined for sections that are supervisord's own. */
  rulesOf(kind: string): KeyRules | undefined {
    return this.all.find(one => one.kind === kind)
  }

  homesOf(kind: string, key: string): readonly string[] {
    return this.all
      .filter(one => one.kind !== kind && Object.hasOwn(one.schema.shape, key))
      .filter(one => !isPythons(kind) || one.commonKeys !== true)
      .map(one => one.home)
  }
}

/** What the sections of one kind mean. */
export function valueOf<Value>({ sections }: Pick<Config, 'sections'>, kind: SectionKind<Value>) {
  return sections[kind.kind] as Value
}

/**
 * Checks the name and the keys of each section.
 * @param specOf what a section means; undefined where it has mistakes
 */
export function readEach<Schema extends z.ZodObject, Spec>(
  kind: SectionKind<readonly Spec[], Schema>,
  sections: readonly Section[],
  report: Report,
  specOf: (checked: Checked<Schema>) => Spec | undefined,
): readonly Spec[] {
  const found: Spec[] = []
  for (const section of sections) {
    if (report.full) break
    checkName(kind, section, report)
    const spec = specOf(checkSection(kind, section, report))
    if (spec !== undefined) found.push(spec)
  }
  return found
}

/** Reports a section whose name cannot be used. */
export function checkName(
  { refuseName }: Pick<NamedRules, 'refuseName'>,
  { name, place }: Section,
  report: Report,
): void {
  const reason = refuseName(name)
  if (reason !== undefined) report.problem(place, ...reason)
}
