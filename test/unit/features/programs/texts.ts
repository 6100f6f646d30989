import type { ProcessSpec } from '../../../../src/model/program-spec.ts'
import { configOf, load, problemsOf, sectionsOf, short } from '../../config/load-files.ts'

export const ENV = { HOME: '/home/me', APP: 'shop', DB_PASSWORD: 'geheim' }

/** `[program:x]` with these lines; its command is `/bin/x` unless they have one. */
export function section(...lines: string[]): string {
  const hasCommand = lines.some(line => /^command\s*[:=]/i.test(line))
  return ['[program:x]', ...(hasCommand ? [] : ['command = /bin/x']), ...lines, ''].join('\n')
}

export function processesIn(text: string): readonly ProcessSpec[] {
  return sectionsOf(configOf(text, ENV)).processes
}

/** The one process of `[program:x]` with these lines. */
export function one(...lines: string[]): ProcessSpec {
  const [process, ...others] = processesIn(section(...lines))
  if (process === undefined || others.length > 0) throw new Error('not one process')
  return process
}

/** The mistakes of a text. */
export function wrongText(text: string): readonly string[] {
  return problemsOf(load({ 'conf/cron.ini': text }, ENV)).map(short)
}

/** The mistakes of `[program:x]` with these lines. */
export function wrong(...lines: string[]): readonly string[] {
  return wrongText(section(...lines))
}

/** What is said of a text that loads. */
export function notesIn(text: string): readonly string[] {
  const loaded = load({ 'conf/cron.ini': text }, ENV)
  if (!loaded.ok) throw new Error(loaded.problems.map(short).join('\n'))
  return loaded.notes.map(short)
}
