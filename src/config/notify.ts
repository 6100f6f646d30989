import { isChannelName } from '../model/channel.ts'
import type { NotifySpec } from '../model/notice.ts'
import type { Report } from './diagnostics.ts'
import { type Checked, checkSection, placeOf } from './schema.ts'
import type { Section } from './section.ts'

export function readNotify(sections: readonly Section[], report: Report): readonly NotifySpec[] {
  const found: NotifySpec[] = []
  for (const section of sections) {
    if (report.full) break
    if (!isChannelName(section.name)) {
      const hint = 'use 1 to 64 of A-Z a-z 0-9 _ . -, as in [notify:ops], and no . in front'
      report.problem(section.place, 'is not a name for a notify section', hint)
    }
    const checked = checkSection('notify', section, report)
    checkTogether(checked, report)
    checkSecret(checked, report)
    if (checked.complete !== undefined) found.push(specOf(section.name, checked.complete))
  }
  return found
}

type Complete = NonNullable<Checked<'notify'>['complete']>

function specOf(name: string, values: Complete): NotifySpec {
  const { url, format, secret, mail, to = [], from, on, names, group, max, silence_after } = values
  return {
    name,
    ...(url !== undefined && { url }),
    format,
    ...(secret !== undefined && { secret }),
    ...(mail !== undefined && { mail }),
    to,
    ...(from !== undefined && { from }),
    on,
    names,
    groupMs: group,
    max,
    silenceAfterMs: silence_after,
  }
}

/** Looks only at which keys there are: each is judged by itself. */
function checkTogether({ section }: Checked<'notify'>, report: Report): void {
  const at = (name: string) => placeOf(section, name)
  const has = (name: string) => section.entries.has(name)
  if (has('url') && has('mail'))
    report.problem(at('mail'), 'cannot stand beside url', 'make a section for each')
  if (!has('url') && !has('mail')) {
    const hint = 'add url = https://… for a webhook, or mail = smtp://… with to and from'
    report.problem(section.place, 'says not where to', hint)
  }
  for (const name of ['to', 'from']) {
    if (has('mail') && !has(name))
      report.problem(at(name), 'is missing beside mail', `add ${name} = ops@example.org`)
    if (!has('mail') && has(name)) report.problem(at(name), 'needs mail', 'add mail = smtp://…')
  }
  if (has('mail') && has('format'))
    report.problem(at('format'), 'is for webhooks', 'remove it: a mail is text')
}

/** Only two robots sign; elsewhere a secret would do nothing, and nobody would know. */
function checkSecret({ section, values }: Checked<'notify'>, report: Report): void {
  const { format } = values
  if (!section.entries.has('secret') || format === 'dingtalk' || format === 'feishu') return
  const hint =
    format === 'wecom'
      ? 'remove it: the key of a WeCom robot stands in its url'
      : 'add format = dingtalk or format = feishu, or remove it'
  report.problem(placeOf(section, 'secret'), 'signs for robots of DingTalk and Feishu only', hint)
}
