import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diffConfig } from '../../../src/config/diff.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { KINDS } from '../../../src/features/index.ts'
import { ENV, notesIn, processesIn, section, wrongText } from '../features/programs/texts.ts'
import { anySchedule, type Files, folderOf, sectionsOf, short } from './load-files.ts'

/** As people have it after a first tutorial, with all the remarks. */
const NATAPP = `[program:natapp]
command                 = /usr/local/natapp/natapp -authtoken=xxxxxx -log=stdout 
directory               = /usr/local/natapp 
process_name            = %(program_name)s_%(process_num)s 
numprocs                = 1   ;注意这里只能为1  
autostart               = true 
autorestart             = true
;以下为日志,按实际情况修改 
stdout_logfile          = /var/log/supervisor/natapp_stdout.log 
stdout_logfile_maxbytes = 10MB 
stderr_logfile          = /var/log/supervisor/natapp_error.log stderr_logfile_maxbytes = 10MB
`

test('a block from a tutorial loads as it is, and the line that became two is pointed out', () => {
  expect(processesIn(NATAPP)).toMatchObject([
    {
      name: 'natapp:natapp_0',
      argv: ['/usr/local/natapp/natapp', '-authtoken=xxxxxx', '-log=stdout'],
      directory: '/usr/local/natapp',
      autostart: true,
      restart: { autorestart: 'always' },
      stdout: { path: '/var/log/supervisor/natapp_stdout.log', maxBytes: 10 * 1024 ** 2 },
      stderr: { path: '/var/log/supervisor/natapp_error.log stderr_logfile_maxbytes = 10MB' },
    },
  ])
  expect(notesIn(NATAPP)).toEqual([
    expect.stringContaining('goes on to the end of the line, with stderr_logfile_maxbytes in it'),
  ])
})

const WHOLE = `; a supervisord.conf with about everything in it
[unix_http_server]
file=/run/supervisor.sock   ; the socket
chmod=0700
;[inet_http_server]
;port=127.0.0.1:9001

[supervisord]
logfile=/var/log/supervisord.log
logfile_maxbytes=50MB        ; a size
loglevel=info
nodaemon=false
minfds=65536
environment=STAGE="live",LANG="C"
umask=027
user=root

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix:///run/supervisor.sock

[program:cat]
command=/bin/cat %(ENV_STAGE)s ; what it runs
process_name=%(program_name)s
numprocs=1
directory=/tmp
umask=022
stopsignal=QUIT
stdout_logfile=NONE
environment=A="1",LANG="de"

[program:php]
command=/usr/bin/php
    /srv/worker.php
    --verbose
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
redirect_stderr=true

[group:all-of-it]
programs=cat,php

[include]
files = conf.d/*.conf
`

const TREE: Files = {
  'supervisor/supervisord.conf': WHOLE,
  'supervisor/conf.d/a.conf': '[program:a]\ncommand = %(here)s/run\nuser = 0\n',
  'supervisor/conf.d/b.conf': '[program:b]\ncommand = /bin/b\nstdout_logfile = %(here)s/b.log\n',
  'conf/cron.ini': '[include]\nfiles = ../supervisor/supervisord.conf\n',
}

test.each(['supervisor/supervisord.conf', 'conf/cron.ini'])(
  'a whole supervisord.conf loads with what it includes: %s',
  file => {
    const folder = folderOf(TREE)
    const loaded = loadConfig(join(folder, file), ENV, anySchedule)
    if (!loaded.ok) throw new Error(loaded.problems.map(short).join('\n'))
    const { processes } = sectionsOf(loaded.config)
    expect(processes.map(one => [one.name, one.argv, one.environment, one.umask])).toEqual([
      ['all-of-it:cat', ['/bin/cat', 'live'], { STAGE: 'live', LANG: 'de', A: '1' }, 0o22],
      [
        'all-of-it:php',
        ['/usr/bin/php', '/srv/worker.php', '--verbose'],
        { STAGE: 'live', LANG: 'C' },
        0o27,
      ],
      ['a', [`${folder}/supervisor/conf.d/run`], { STAGE: 'live', LANG: 'C' }, 0o27],
      ['b', ['/bin/b'], { STAGE: 'live', LANG: 'C' }, 0o27],
    ])
    expect(processes.at(-1)?.stdout).toMatchObject({ path: `${folder}/supervisor/conf.d/b.log` })
    expect(processes.map(one => one.user)).toEqual([undefined, undefined, '0', undefined])
    expect(loaded.notes.map(note => [note.line, note.key, note.message])).toEqual([
      [2, '[unix_http_server]', 'is for supervisord; taskd does not use it'],
      [
        8,
        '[supervisord]',
        'is for supervisord; taskd uses environment, user, umask of it, for the programs',
      ],
      [13, 'minfds', 'taskd does not raise the limit of open files'],
      [18, '[rpcinterface:supervisor]', 'is for supervisord; taskd does not use it'],
      [21, '[supervisorctl]', 'is for supervisord; taskd does not use it'],
    ])
  },
)

test('user and directory of [supervisord] are those of programs that name none', () => {
  const text = '[supervisord]\nuser = daemon\ndirectory = /srv\n'
  const [one] = processesIn(`${text}${section('stdout_logfile = x.log')}`)
  expect(one).toMatchObject({ user: 'daemon', directory: '/srv', stdout: { path: '/srv/x.log' } })
  const [other] = processesIn(`${text}${section('user = root', 'directory = sub')}`)
  expect(other).toMatchObject({ user: 'root', directory: '/srv/sub' })
})

test('mistakes in what [supervisord] hands down are found', () => {
  expect(wrongText('[supervisord]\numask = 9\nenvironment = A\nuser = %(nope)s\n')).toEqual([
    'cron.ini:2: umask = 9: is not an octal number up to 777. write for instance 022',
    'cron.ini:3: environment = A: has a part without =. write A="x",B="y", with commas between',
    'cron.ini:4: user = %(nope)s: has %(nope)s, which is not known here. known here: %(here)s %(host_node_name)s %(ENV_NAME)s',
  ])
})

test('what would not run here is refused, with what to do', () => {
  expect(
    wrongText(
      '[eventlistener:mail]\ncommand=/bin/x\nevents=TICK_60\n[fcgi-program:php]\ncommand=/bin/y\nsocket=tcp://h:1\n[group:g]\nprograms=php\n',
    ),
  ).toEqual([
    'cron.ini:1: [eventlistener:mail]: is not supported: taskd has no events for listeners. remove the section; what happened is in the log of taskd, and `taskd status --json` tells the state',
    'cron.ini:4: [fcgi-program:php]: is not supported: taskd opens no FastCGI socket. write a [program:x] that opens it, such as php-fpm -F or spawn-fcgi -n',
  ])
})

test('[include] knows %(here)s and the environment, and names what it does not know', () => {
  const folder = folderOf({
    'conf/cron.ini': '[include]\nFiles: %(here)s/%(ENV_APP)s.d/*.conf\n',
    'conf/shop.d/a.conf': '[program:a]\ncommand=/bin/a\n',
  })
  const loaded = loadConfig(join(folder, 'conf/cron.ini'), ENV, anySchedule)
  expect(loaded.ok && sectionsOf(loaded.config).processes.map(one => one.name)).toEqual(['a'])
  expect(wrongText('[include]\nfiles = %(ENV_NOPE_AT_ALL)s/*\n')).toEqual([
    'cron.ini:2: files = %(ENV_NOPE_AT_ALL)s/*: has %(ENV_NOPE_AT_ALL)s, which is not known here. set NOPE_AT_ALL where the daemon is started, or write the value itself',
  ])
})

/** What the second text changes, read from the same folder, as paths follow from it. */
function changes(before: string, after: string) {
  const folder = folderOf({ 'conf/a.ini': before, 'conf/b.ini': after })
  const [old, next] = ['a', 'b'].map(name => {
    const loaded = loadConfig(join(folder, `conf/${name}.ini`), ENV, anySchedule)
    if (!loaded.ok) throw new Error(loaded.problems.map(short).join('\n'))
    return loaded.config
  })
  if (old === undefined || next === undefined) throw new Error('two configurations')
  return diffConfig(old, next, KINDS).sections.get('program') ?? { changed: [] }
}

test('processes come and go one by one', () => {
  const text = (numprocs: number) =>
    section('process_name = w%(process_num)d', `numprocs = ${numprocs}`)
  expect(changes(text(2), `; remark\n${text(2)}`)).toEqual({ added: [], removed: [], changed: [] })
  expect(changes(text(10), text(11))).toEqual({ added: ['x:w10'], removed: [], changed: [] })
  expect(changes(text(2), text(1))).toEqual({ added: [], removed: ['x:w1'], changed: [] })
})

test.each([
  ['stdout_logfile_maxbytes = 1MB', ['stdout_logfile_maxbytes']],
  ['stderr_logfile = /x.log', ['stderr_logfile']],
  ['stderr_logfile_backups = 1', ['stderr_logfile_backups']],
  ['stdout_logfile = NONE', ['stdout_logfile']],
  ['redirect_stderr = true', ['redirect_stderr']],
  ['log_gzip = true', ['log_gzip']],
  ['log_timestamps = true', ['log_timestamps']],
  ['command = /bin/y', ['command']],
  ['priority = 1', ['priority']],
  ['autostart = false', ['autostart']],
  ['autorestart = true', ['autorestart']],
  ['startsecs = 2', ['startsecs']],
  ['startretries = 1', ['startretries']],
  ['exitcodes = 0,2', ['exitcodes']],
  ['stopsignal = INT', ['stopsignal']],
  ['stopwaitsecs = 1', ['stopwaitsecs']],
  ['killasgroup = true', ['killasgroup']],
  ['stopasgroup = true', ['killasgroup', 'stopasgroup']],
  ['user = root', ['user']],
  ['umask = 022', ['umask']],
  ['directory = /srv', ['directory']],
  ['environment = A="1"', ['environment']],
  ['backoff = 2s', ['backoff']],
  ['backoff_max = 5s', ['backoff_max']],
  ['fatal_retry = 0', ['fatal_retry']],
  ['max_deaths = 9', ['max_deaths']],
  ['death_window = 9s', ['death_window']],
  ['on_orphan = adopt', ['on_orphan']],
  ['serverurl = AUTO', []],
])('%s is a change of %j', (line, keys) => {
  const { changed } = changes(section(), section(line))
  expect(changed).toEqual(keys.length === 0 ? [] : [{ name: 'x', keys }])
})
