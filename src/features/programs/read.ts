import { noteShortages } from '../../config/descriptors.ts'
import { Report } from '../../config/diagnostics.ts'
import { placeOf } from '../../config/schema.ts'
import { headerOf, type Section } from '../../config/section.ts'
import { checkName, type Surroundings } from '../../config/section-kind.ts'
import type { ProcessSpec } from '../../model/program-spec.ts'
import { checkProgram } from './check.ts'
import { type ProgramWorld, programWorld } from './defaults.ts'
import { judgeForeign } from './foreign.ts'
import { type Membership, readGroups } from './groups.ts'
import { type ProgramSpec, processesOf } from './processes.ts'
import { PROGRAM } from './schema.ts'

export interface Programs {
  /** In the order of the file; one that is in two groups is here twice. */
  readonly programs: readonly ProgramSpec[]
  /** Of all programs, in the order of their start. */
  readonly processes: readonly ProcessSpec[]
}

/** Far more than one machine can run. */
const MAX_PROCESSES = 100_000

/** Everything that a supervisord.conf says, as far as it is about programs. */
export function readPrograms(around: Surroundings): Programs {
  const { sections, environment, settings, queues, openFiles, report } = around
  for (const section of sections) judgeForeign(section, report)
  const main = sections.find(one => one.kind === 'supervisord')
  const world = programWorld(main, environment, around, settings.dataDir, report)
  const members = readGroups(sections, environment, report)
  for (const section of sections)
    if (section.kind === 'program') checkName(PROGRAM, section, report)
  const programs = checkAll(members, world, report)
  const processes: Owned[] = []
  for (const spec of programs) {
    if (processes.length + spec.numprocs > MAX_PROCESSES) {
      const place = { file: spec.file, line: spec.line, key: headerOf(sectionOf(spec)), value: '' }
      report.problem(place, `makes more than ${MAX_PROCESSES} processes`, 'lower numprocs')
      break
    }
    for (const process of processesOf(spec)) processes.push({ spec, process })
  }
  refuseDoubles(processes, members, report)
  noteSharedLogs(processes, members, report)
  const started = inStartOrder(programs, processes)
  if (openFiles !== undefined)
    noteShortages({ processes: started, queues }, openFiles, sections, report)
  return { programs, processes: started }
}

interface Owned {
  readonly spec: ProgramSpec
  readonly process: ProcessSpec
}

function sectionOf(spec: ProgramSpec) {
  return { kind: 'program', name: spec.name } as const
}

function checkAll(
  members: readonly Membership[],
  world: ProgramWorld,
  report: Report,
): readonly ProgramSpec[] {
  const seen = new Set<Section>()
  const specs: ProgramSpec[] = []
  for (const member of members) {
    if (report.full) break
    // Mistakes in a second group were reported for the first.
    const first = !seen.has(member.program)
    const spec = checkProgram(member, world, first ? report : new Report())
    seen.add(member.program)
    if (spec !== undefined) specs.push(spec)
  }
  return specs
}

function refuseDoubles(
  processes: readonly Owned[],
  members: readonly Membership[],
  report: Report,
): void {
  const seen = new Map<string, ProgramSpec>()
  const refused = new Set<ProgramSpec>()
  for (const { spec, process } of processes) {
    const first = seen.get(process.name)
    if (first === undefined) seen.set(process.name, spec)
    if (first === undefined || refused.has(spec)) continue
    // Two sections of one name are refused already.
    if (first !== spec && first.name === spec.name) continue
    refused.add(spec)
    const message = `makes a second process called ${process.name}, after ${first.file}:${first.line}`
    report.problem(placeIn(members, spec, 'process_name'), message, 'write another process_name')
  }
}

/** Supervisord would spoil a file that two processes write; here it holds the lines of both. */
function noteSharedLogs(
  processes: readonly Owned[],
  members: readonly Membership[],
  report: Report,
): void {
  const writers = new Map<string, Owned & { readonly key: string; count: number }>()
  for (const { spec, process } of processes) {
    for (const key of ['stdout', 'stderr'] as const) {
      const output = process[key]
      if (output === 'stdout' || output.kind !== 'file') continue
      const known = writers.get(output.path)
      if (known === undefined) writers.set(output.path, { spec, process, key, count: 1 })
      else known.count += 1
    }
  }
  for (const [path, { spec, key, count }] of writers) {
    if (count === 1) continue
    const message = `${count} outputs share ${path}`
    const hint = 'put %(process_num)02d into the name to keep processes apart'
    report.note(placeIn(members, spec, `${key}_logfile`), message, hint)
  }
}

function placeIn(members: readonly Membership[], spec: ProgramSpec, key: string) {
  const member = members.find(one => one.program.name === spec.name)
  return member === undefined
    ? { file: spec.file, line: spec.line, key, value: '' }
    : placeOf(member.program, key)
}

/** Group by group, by priority; then by priority within the group; then as in the file. */
function inStartOrder(
  programs: readonly ProgramSpec[],
  processes: readonly Owned[],
): readonly ProcessSpec[] {
  const places = new Map<string, number>()
  for (const { group } of programs) if (!places.has(group)) places.set(group, places.size)
  const place = ({ group }: ProcessSpec) => places.get(group) ?? 0
  return processes
    .map(({ process }) => process)
    .toSorted(
      (a, b) => a.groupPriority - b.groupPriority || place(a) - place(b) || a.priority - b.priority,
    )
}
