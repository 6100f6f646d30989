import { relative } from 'node:path'
import { type EffectiveSection, type Origin, readEffective } from '../../config/effective.ts'
import { maskValue } from '../../config/secrets.ts'
import { headerOf } from '../../config/section.ts'
import { KINDS } from '../../features/index.ts'
import { unknownName } from '../../lib/suggest.ts'
import { checkTrigger } from '../../schedule/check.ts'
import { MASK, sectionLines } from '../config-text.ts'
import type { Context } from '../context.ts'
import { BadConfig, EXIT, orUnknown } from '../exit.ts'
import { clean } from '../render.ts'

/** Only reads: it needs no daemon. */
export const run = orUnknown(async (context, [name], options) => {
  const { out, env, configFile } = context
  const read = readEffective(configFile, env, { kinds: KINDS, checkSchedule: checkTrigger })
  if (!read.ok) throw new BadConfig(read.problems)
  const wanted = select(read.sections, name)
  const shown = options['changed'] === true ? wanted.map(changed).filter(isThere) : wanted
  if (options['json']) {
    out.json(shown.flatMap(rowsOf))
    return EXIT.ok
  }
  out.line(`; ${clean(titleOf(context))}`)
  for (const one of shown) {
    out.line('')
    const origin = (from: Origin) => originOf(from, context.cwd)
    for (const line of sectionLines(one, { width: out.width, origin })) out.line(line)
  }
  return EXIT.ok
})

function titleOf({ configFile, cwd, env }: Context): string {
  const overlay = env['APP_ENV'] ? ` with APP_ENV=${env['APP_ENV']}` : ''
  return `what is in force of ${near(configFile, cwd)}${overlay}`
}

/** `[taskd]`, `taskd`, `queue:mail`, or `queue` for all of them. */
function select(
  sections: readonly EffectiveSection[],
  name: string | undefined,
): readonly EffectiveSection[] {
  if (name === undefined) return sections
  const plain = name.replace(/^\[(.*)\]$/, '$1')
  const exact = sections.filter(one => nameOf(one) === plain)
  const found = exact.length > 0 ? exact : sections.filter(one => one.section.kind === plain)
  if (found.length > 0) return found
  const known = sections.map(nameOf)
  const otherwise = 'taskd config shows them all'
  throw unknownName('E_NO_NAME', `no section [${plain}]`, plain, known, otherwise)
}

function nameOf({ section }: EffectiveSection): string {
  return headerOf(section).slice(1, -1)
}

function changed({ section, keys }: EffectiveSection): EffectiveSection {
  return { section, keys: keys.filter(one => one.from.kind !== 'default') }
}

/** A header without keys is printed too, if somebody wrote it. */
function isThere({ section, keys }: EffectiveSection): boolean {
  return keys.length > 0 || (section.place.line > 0 && section.kind !== 'taskd')
}

function rowsOf(one: EffectiveSection) {
  return one.keys.map(({ key, value, from }) => ({
    section: nameOf(one),
    key,
    value: maskValue(key, value, MASK),
    ...(from.kind === 'file'
      ? { source: from.file, line: from.line }
      : { source: from.kind === 'default' ? 'default' : `environment ${from.name}` }),
  }))
}

function originOf(from: Origin, cwd: string): string {
  if (from.kind === 'default') return 'default'
  if (from.kind === 'variable') return `environment ${from.name}`
  return `${near(from.file, cwd)}:${from.line}`
}

function near(file: string, cwd: string): string {
  const short = relative(cwd, file)
  return file.startsWith('/') && short !== '' && !short.startsWith('..') ? short : file
}
