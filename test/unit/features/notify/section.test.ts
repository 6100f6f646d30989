import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configOf, folderOf, mistakes, sectionsOf } from '../../config/load-files.ts'

const hook = (...lines: string[]) =>
  ['[notify:ops]', 'url = https://hooks.example.org/x', ...lines].join('\n')
const mail = (...lines: string[]) =>
  [
    '[notify:post]',
    'mail = smtp://u:p%40ss@mail.example.org:587',
    'to = a@example.org',
    'from = taskd@example.org',
    ...lines,
  ].join('\n')
/** Without the place and the section in front. */
const said = (text: string) => mistakes(text).map(one => one.replace(/^cron\.ini:\d+: /, ''))

test('a webhook has its defaults', () => {
  expect(sectionsOf(configOf(hook())).notify).toEqual([
    {
      name: 'ops',
      url: 'https://hooks.example.org/x',
      format: 'json',
      to: [],
      on: ['fail', 'fatal', 'recovery'],
      names: ['*'],
      groupMs: 30_000,
      max: { max: 10, durationMs: 3_600_000 },
      silenceAfterMs: 600_000,
    },
  ])
})

test('every key arrives', () => {
  const text = `[notify:a.b-c_9]
mail = smtps://mail.example.org
to = a@example.org , Night Shift <night@example.org>
from = taskd <taskd@example.org>
on = silence fail,fail
names = a_*, !a_b  task:*
group = 5s
max = 3/1m
silence_after = 1h`
  expect(sectionsOf(configOf(text)).notify).toEqual([
    {
      name: 'a.b-c_9',
      mail: 'smtps://mail.example.org',
      format: 'json',
      to: ['a@example.org', 'Night Shift <night@example.org>'],
      from: 'taskd <taskd@example.org>',
      on: ['fail', 'silence'],
      names: ['a_*', '!a_b', 'task:*'],
      groupMs: 5000,
      max: { max: 3, durationMs: 60_000 },
      silenceAfterMs: 3_600_000,
    },
  ])
})

test('all means all', () => {
  expect(sectionsOf(configOf(hook('on = all'))).notify[0]?.on).toEqual([
    'fail',
    'fatal',
    'recovery',
    'silence',
    'away',
  ])
})

test('robots have formats and a secret of their own', () => {
  expect(sectionsOf(configOf(hook('format = dingtalk', 'secret = SECabc'))).notify).toMatchObject([
    { format: 'dingtalk', secret: 'SECabc' },
  ])
  const [wecom] = said(hook('format = wecom', 'secret = SECabc'))
  expect(wecom).toContain('remove it: the key of a WeCom robot stands in its url')
  expect(wecom).not.toContain('SECabc')
  const [none] = said(hook('secret = SECabc'))
  expect(none).toContain('add format = dingtalk or format = feishu')
})

test('an address may stand in a file of its own', () => {
  const dir = folderOf({ hook: 'https://hooks.example.org/secret\n', mail: 'smtp://u:p@h:25\n' })
  const text = `[notify:a]\nurl = @${join(dir, 'hook')}\n[notify:b]\nmail = @${join(dir, 'mail')}\nto=a@b\nfrom=a@b`
  expect(sectionsOf(configOf(text)).notify.map(one => one.url ?? one.mail)).toEqual([
    'https://hooks.example.org/secret',
    'smtp://u:p@h:25',
  ])
})

test('a section says where to, once', () => {
  expect(said('[notify:x]\non = fail')).toEqual([
    '[notify:x]: says not where to. add url = https://… for a webhook, or mail = smtp://… with to and from',
  ])
  expect(said(mail('url = https://x/'))).toEqual([
    'mail = smtp://u:******@mail.example.org:587: cannot stand beside url. make a section for each',
  ])
  expect(said('[notify:x]\nmail = smtp://h')).toEqual([
    'to: is missing beside mail. add to = ops@example.org',
    'from: is missing beside mail. add from = ops@example.org',
  ])
  expect(said(hook('to = a@b'))).toEqual(['to = a@b: needs mail. add mail = smtp://…'])
  expect(said(mail('format = text'))).toEqual([
    'format = text: is for webhooks. remove it: a mail is text',
  ])
})

test.each([
  ['url = ftp://x', 'is not a URL'],
  ['on = fail, reovery', 'knows no "reovery". did you mean "recovery"?'],
  ['on = ,', 'names nothing'],
  ['names = !', 'has an empty name'],
  ['group = 10ms', 'is less than 100ms'],
  ['max = 0/1h', 'lets nothing through'],
  ['silence_after = 0s', 'is less than 1000ms'],
  ['format = xml', 'is not known here'],
])('%s: %s', (line, message) => {
  expect(said(`[notify:x]\nurl=https://x/\n${line}`.replace(/url=.*\n(?=url)/, ''))).toEqual([
    expect.stringContaining(`${line}: ${message}`),
  ])
})

test.each([
  ['http://x', 'is not the address of a mail server'],
  ['smtp://', 'is not the address of a mail server'],
  ['smtp://h/inbox', 'has more than a host and a port'],
  ['smtp://u:%zz@h', 'has a % that encodes nothing'],
  ['smtp://:p@h', 'has a password and no user'],
])('mail = %s: %s', (address, message) => {
  const lines = said(`[notify:x]\nmail=${address}\nto=a@b\nfrom=a@b`)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(new RegExp(`${message}|is not a URL that can be read`))
})

test('addresses of people are looked at', () => {
  expect(said(mail('').replace('a@example.org', 'a@example.org, ops'))).toEqual([
    'to = a@example.org, ops: has "ops", which is no mail address. separate addresses by commas',
  ])
  expect(said(mail('').replace('taskd@', 'taskd'))).toHaveLength(1)
})

test('its name is a name', () => {
  expect(said('[notify:a/b]\nurl = https://x/')).toEqual([
    expect.stringContaining('is not a name for a notify section'),
  ])
})
