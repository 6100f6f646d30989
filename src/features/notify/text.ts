import { unreachable } from '../../lib/errors.ts'
import { tellingLine } from '../../lib/telling-line.ts'
import type { Notice, NoticeEvent } from '../../model/notice.ts'

const LINE = 300
const TITLE = 150
const TITLE_NAMES = 3

/** `job backup failed (exit, attempt 2): disk full` */
export function lineOf(event: NoticeEvent): string {
  const { what, name, count, msg } = event
  const said = clean(tellingLine(msg)).slice(0, LINE).toWellFormed()
  const who = what === 'redis' || what === 'database' ? what : `${what} ${clean(name)}`
  const subject = what === 'task' ? `a task of ${clean(name)}` : who
  const more = said === '' ? '' : `: ${said}`
  switch (event.kind) {
    case 'fail': {
      const times = count > 1 ? ` ${count} times, last` : ''
      const attempt = (event.attempt ?? 1) > 1 ? `attempt ${event.attempt}` : ''
      const how = [event.reason === 'answer' ? event.code : event.reason, attempt]
        .filter(part => part !== undefined && part !== '' && part !== 'fail')
        .join(', ')
      return `${subject} failed${times}${how === '' ? '' : ` (${clean(how)})`}${more}`
    }
    case 'fatal':
      if (what === 'node') return `${subject} ${said}`
      return `${subject} keeps dying${count > 1 ? ` (${count} times)` : ''}${more}`
    case 'silence':
      return `${subject} was expected at ${event.since} and is not seen${more}`
    case 'away':
      return `${subject} is away since ${event.since}${more}`
    case 'recovery':
      return `${subject} ${RECOVERED[event.after ?? 'fail']}${said === '' ? '' : ` ${said}`}`
    default:
      return unreachable(event.kind)
  }
}

const RECOVERED = {
  fail: 'works again',
  silence: 'is seen again',
  fatal: 'runs again',
  away: 'answers again',
}

const NOUNS = {
  fail: 'failed',
  fatal: 'keeps dying',
  silence: 'not seen',
  away: 'away',
  recovery: 'well again',
}

/** One line: the whole where there is one event, else how many of what. */
export function titleOf(
  node: string,
  { events }: Pick<Notice, 'events'>,
  notShown: number,
): string {
  const [only] = events
  const head = `taskd ${clean(node)}: `
  if (only && events.length === 1 && notShown === 0) return short(`${head}${lineOf(only)}`)
  const counts = Object.entries(NOUNS).flatMap(([kind, noun]) => {
    const found = events.filter(event => event.kind === kind)
    const names = [...new Set(found.map(event => clean(event.name || event.what)))]
    const more = names.length > TITLE_NAMES ? ', …' : ''
    return found.length === 0
      ? []
      : `${names.length} ${noun} (${names.slice(0, TITLE_NAMES).join(', ')}${more})`
  })
  return short(head + counts.join(', '))
}

export function textOf(notice: Omit<Notice, 'text'>): string {
  const { events, not_shown, lost, held, node, notify } = notice
  const lines = events.map(event => `${event.at}  ${lineOf(event)}`)
  return [
    ...lines,
    ...(not_shown === 0 ? [] : [`${plural(not_shown, 'more event')} before these, not shown`]),
    ...(lost === 0 ? [] : [`${plural(lost, 'event')} from before could not be delivered`]),
    ...(held ? ['kept back until now: more notices were due than max allows'] : []),
    '',
    `taskd on ${clean(node)}, [notify:${notify}]`,
  ].join('\n')
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function short(text: string): string {
  return text.length > TITLE ? `${text.slice(0, TITLE - 1).toWellFormed()}…` : text
}

/** Makes sure that a script's output cannot look like a line of ours. */
function clean(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}
