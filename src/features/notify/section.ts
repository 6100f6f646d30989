import { z } from 'zod'
import { diffByName } from '../../config/changes.ts'
import type { Report } from '../../config/diagnostics.ts'
import { choice, duration, field, no, type Read, yes } from '../../config/fields.ts'
import { orFromFile } from '../../config/from-file.ts'
import { rate } from '../../config/rate.ts'
import { type Checked, placeOf } from '../../config/schema.ts'
import { refuseFolderName } from '../../config/section.ts'
import { readEach, type SectionKind } from '../../config/section-kind.ts'
import { didYouMeanOneOf } from '../../lib/suggest.ts'
import {
  NOTICE_FORMATS,
  NOTICE_KINDS,
  type NoticeKind,
  type NotifySpec,
} from '../../model/notice.ts'

/** Messages never quote the address, because often its path is the password. */
const readUrl: Read<string> = text => {
  if (/^https?:\/\/[^\s#]+$/.test(text) && URL.canParse(text)) return yes(text)
  return no('is not a URL', 'write for instance https://hooks.example.org/taskd')
}

const readSecret: Read<string> = text =>
  /\s/.test(text) ? no('has a blank in it', 'copy it from the settings of the robot') : yes(text)

const MAIL_HINT = 'write smtp://user:password@host:587, or smtps:// where TLS comes first'

const readMail: Read<string> = text => {
  if (!/^smtps?:\/\//.test(text)) return no('is not the address of a mail server', MAIL_HINT)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.hostname === '')
    return no('is not a URL that can be read', 'percent-encode special characters in the password')
  if (!/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '')
    return no('has more than a host and a port', MAIL_HINT)
  if (!decodes(url.username) || !decodes(url.password))
    return no('has a % that encodes nothing', 'write %25 for it')
  if (url.username === '' && url.password !== '') return no('has a password and no user', MAIL_HINT)
  return yes(text)
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const ADDRESS = /^[^\s@<>,;"]{1,64}@[^\s@<>,;"]{1,255}$/
const NAMED_ADDRESS = /^([^\p{Cc}<>,;"]*\S)\s*<([^<>]+)>$/u

const isAddress = (text: string) => ADDRESS.test(NAMED_ADDRESS.exec(text)?.[2] ?? text)

const readAddress: Read<string> = text =>
  isAddress(text) ? yes(text) : no('is not a mail address', 'write taskd@example.org')

const readAddresses: Read<readonly string[]> = text => {
  const all = text.split(',').map(one => one.trim())
  const bad = all.find(one => !isAddress(one))
  if (bad === undefined) return yes(all)
  return no(
    `has ${JSON.stringify(bad.slice(0, 64))}, which is no mail address`,
    'separate addresses by commas',
  )
}

const WORDS = [...NOTICE_KINDS, 'all'] as const

const readKinds: Read<readonly NoticeKind[]> = text => {
  const found = new Set<string>()
  for (const word of text.split(/[\s,]+/).filter(one => one !== '')) {
    const known = WORDS.find(one => one === word)
    if (known === undefined) {
      const hint = didYouMeanOneOf(word, WORDS, `write some of: ${WORDS.join(', ')}`)
      return no(`knows no ${JSON.stringify(word.slice(0, 40))}`, hint)
    }
    found.add(known)
  }
  if (found.size === 0) return no('names nothing', `write some of: ${WORDS.join(', ')}`)
  return yes(NOTICE_KINDS.filter(kind => found.has('all') || found.has(kind)))
}

const readNames: Read<readonly string[]> = text => {
  const names = text.split(/[\s,]+/).filter(one => one !== '')
  if (names.length === 0 || names.includes('!')) return no('has an empty name')
  return yes(names)
}

const schema = z.object({
  url: field(orFromFile(readUrl), 'https://hooks.example.org/taskd').optional(),
  format: choice(NOTICE_FORMATS).default('json'),
  secret: field(orFromFile(readSecret), 'SEC…').optional(),
  mail: field(orFromFile(readMail), 'smtp://user:password@mail.example.org:587').optional(),
  to: field(readAddresses, 'ops@example.org').optional(),
  from: field(readAddress, 'taskd@example.org').optional(),
  on: field(readKinds, 'fail, fatal, recovery').default(['fail', 'fatal', 'recovery']),
  names: field(readNames, 'accumulate_*, mailer').default(['*']),
  group: duration('30s', 100).default(30_000),
  max: rate.default({ max: 10, durationMs: 3_600_000 }),
  silence_after: duration('10m', 1000).default(600_000),
})

/** `[notify:NAME]` */
export const notifyKind: SectionKind<readonly NotifySpec[], typeof schema> = {
  kind: 'notify',
  home: '[notify:NAME]',
  schema,
  examples: { to: 'ops@example.org', from: 'taskd@example.org' },
  commonKeys: true,
  refuseName: name => refuseFolderName(name, 'a notify section', '[notify:ops]'),
  read: (sections, { report }) =>
    readEach(notifyKind, sections, report, checked => {
      checkTogether(checked, report)
      checkSecret(checked, report)
      return checked.complete && specOf(checked.section.name, checked.complete)
    }),
  diff: diffByName,
}

function specOf(name: string, values: z.output<typeof schema>): NotifySpec {
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
function checkTogether({ section }: Checked<typeof schema>, report: Report): void {
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

/** Only two robots sign; elsewhere a secret would silently do nothing. */
function checkSecret({ section, values }: Checked<typeof schema>, report: Report): void {
  const { format } = values
  if (!section.entries.has('secret') || format === 'dingtalk' || format === 'feishu') return
  const hint =
    format === 'wecom'
      ? 'remove it: the key of a WeCom robot stands in its url'
      : 'add format = dingtalk or format = feishu, or remove it'
  report.problem(placeOf(section, 'secret'), 'signs for robots of DingTalk and Feishu only', hint)
}
