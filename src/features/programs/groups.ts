import type { Environment } from '../../config/config.ts'
import type { Report } from '../../config/diagnostics.ts'
import { checkSection, placeOf } from '../../config/schema.ts'
import { expandNow, scopeOf } from '../../config/scope.ts'
import { headerOf, type Section } from '../../config/section.ts'
import { checkName } from '../../config/section-kind.ts'
import { didYouMean, quoted } from '../../lib/suggest.ts'
import { GROUP } from './schema.ts'

/** A program in the place where it runs: its group, or alone. */
export interface Membership {
  readonly program: Section
  readonly group: string
  /** Undefined where the program is alone: then its own. */
  readonly groupPriority?: number
}

/**
 * Which programs belong to which groups, in the order of the file. As in supervisord a program may
 * be in several groups, runs once in each, and is alone only when it is in none.
 */
export function readGroups(
  sections: readonly Section[],
  env: Environment,
  report: Report,
): readonly Membership[] {
  const programs = new Map(of(sections, 'program').map(one => [one.name, one]))
  const foreign = of(sections, 'fcgi-program').map(one => one.name)
  const groups = new Map(of(sections, 'group').map(one => [one, membersOf(one)]))
  const grouped = new Set([...groups.values()].flatMap(one => one.names))
  return sections.flatMap((section): readonly Membership[] => {
    if (section.kind === 'program') return grouped.has(section.name) ? [] : alone(section)
    const { names, priority } = groups.get(section) ?? { names: [], priority: 0 }
    return names.flatMap(name => {
      const program = programs.get(name)
      return program === undefined
        ? []
        : [{ program, group: section.name, groupPriority: priority }]
    })
  })

  function alone(program: Section): readonly Membership[] {
    const group = [...groups.keys()].find(one => one.name === program.name)
    if (group !== undefined) {
      const message = `there is a ${headerOf(group)} too, and this program is not in it`
      report.problem(program.place, message, 'rename one of them, or add the program to the group')
    }
    return [{ program, group: program.name }]
  }

  function membersOf(section: Section) {
    checkName(GROUP, section, report)
    const texts = new Map<string, string>()
    for (const entry of section.entries.values()) {
      const read = expandNow(entry.value, scopeOf({ texts: {}, env }, entry.file))
      if (read.ok) texts.set(entry.name, read.value)
      else report.problem(entry, read.reason, read.hint ?? '')
    }
    const { values } = checkSection(GROUP, section, report, one => texts.get(one.name) ?? '999')
    const names = (values.programs ?? '').split(',').map(one => one.trim())
    if (names.join('') === '' && values.programs === '') {
      report.note(
        placeOf(section, 'programs'),
        'names no program',
        'name some, or remove the group',
      )
      return { names: [], priority: values.priority ?? 999 }
    }
    for (const [at, name] of names.entries()) {
      if (values.programs === undefined || !texts.has('programs')) break
      if (names.indexOf(name) < at) refuse(`names ${show(name)} twice`, 'keep one of them')
      else if (name === '') refuse('has an empty name in it', 'write for instance a,b')
      else if (!programs.has(name) && !foreign.includes(name))
        refuse(`there is no [program:${show(name)}]`, nearest(name))
    }
    return { names: [...new Set(names)], priority: values.priority ?? 999 }

    function refuse(message: string, hint: string): void {
      report.problem(placeOf(section, 'programs'), message, hint)
    }
  }

  function nearest(name: string): string {
    const otherwise = 'add that section, or remove the name'
    return didYouMean(name, [...programs.keys()], otherwise, quoted)
  }
}

function of(sections: readonly Section[], kind: Section['kind']): readonly Section[] {
  return sections.filter(one => one.kind === kind)
}

function show(name: string): string {
  return name.slice(0, 100)
}
