import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ProcessSpec } from '../../../../src/model/program-spec.ts'
import { notesIn, one, processesIn, section, wrong } from './texts.ts'

test('a program with no more than a command is as supervisord has it', () => {
  const { stdout, stderr, ...rest } = one('command = /bin/cat -u')
  expect(rest).toEqual({
    name: 'x',
    program: 'x',
    group: 'x',
    process: 'x',
    argv: ['/bin/cat', '-u'],
    environment: {},
    groupPriority: 999,
    priority: 999,
    autostart: true,
    restart: {
      autorestart: 'unexpected',
      exitCodes: [0],
      startMs: 1000,
      backoff: { baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0.2 },
      maxQuick: 4,
      maxDeaths: 5,
      windowMs: 60_000,
      fatalRetryMs: 300_000,
      stopWaitMs: 10_000,
    },
    stopSignal: 'SIGTERM',
    stopAsGroup: false,
    killAsGroup: false,
    onOrphan: 'kill',
  })
  const file = {
    kind: 'file',
    maxBytes: 50 * 1024 ** 2,
    backups: 10,
    gzip: false,
    timestamps: false,
    through: 'pipe',
  }
  expect(stdout).toEqual({ ...file, path: expect.stringMatching(/\/data\/log\/x-stdout\.log$/) })
  expect(stderr).toEqual({ ...file, path: expect.stringMatching(/\/data\/log\/x-stderr\.log$/) })
})

type Look = (spec: ProcessSpec) => unknown
const restart: Look = spec => spec.restart

test.each<[string, Look, unknown]>([
  ['priority = 5', spec => [spec.priority, spec.groupPriority], [5, 5]],
  ['priority = -1', spec => spec.priority, -1],
  ['autostart = false', spec => spec.autostart, false],
  ['autostart = No', spec => spec.autostart, false],
  ['startsecs = 10', restart, { startMs: 10_000 }],
  ['startsecs = 0', restart, { startMs: 0 }],
  ['startsecs = 500ms', restart, { startMs: 500 }],
  ['startretries = 0', restart, { maxQuick: 1, maxDeaths: 5 }],
  ['startretries = 4', restart, { maxQuick: 5, maxDeaths: 5 }],
  // Five retries are six starts, so five deaths must not be too many already.
  ['startretries = 5', restart, { maxQuick: 6, maxDeaths: 6 }],
  // More than eight quick deaths do not fit into the window anyway.
  ['startretries = 1000000', restart, { maxQuick: 1_000_001, maxDeaths: 9 }],
  ['autorestart = true', restart, { autorestart: 'always' }],
  ['autorestart = 1', restart, { autorestart: 'always' }],
  ['autorestart = off', restart, { autorestart: 'never' }],
  ['autorestart = Unexpected', restart, { autorestart: 'unexpected' }],
  ['exitcodes = 0,2', restart, { exitCodes: [0, 2] }],
  ['exitcodes = 1 , 255', restart, { exitCodes: [1, 255] }],
  ['exitcodes =', restart, { exitCodes: [] }],
  ['stopsignal = INT', spec => spec.stopSignal, 'SIGINT'],
  ['stopsignal = sigusr1', spec => spec.stopSignal, 'SIGUSR1'],
  ['stopsignal = 3', spec => spec.stopSignal, 'SIGQUIT'],
  ['stopwaitsecs = 60', restart, { stopWaitMs: 60_000 }],
  ['stopwaitsecs = 2m', restart, { stopWaitMs: 120_000 }],
  ['stopasgroup = true', spec => [spec.stopAsGroup, spec.killAsGroup], [true, true]],
  ['killasgroup = true', spec => [spec.stopAsGroup, spec.killAsGroup], [false, true]],
  ['user = root', spec => spec.user, 'root'],
  ['user = 0', spec => spec.user, '0'],
  ['umask = 022', spec => spec.umask, 0o22],
  ['umask = 0o077', spec => spec.umask, 0o77],
  ['directory = /srv', spec => spec.directory, '/srv'],
  ['directory = ~/app', spec => spec.directory, '/home/me/app'],
  ['environment = A="b,c",D=e', spec => spec.environment, { A: 'b,c', D: 'e' }],
  ['redirect_stderr = true', spec => spec.stderr, 'stdout'],
  ['stdout_logfile = /var/log/x.log', spec => spec.stdout, { path: '/var/log/x.log' }],
  ['stderr_logfile = ~/x.log', spec => spec.stderr, { path: '/home/me/x.log' }],
  ['stdout_logfile = NONE', spec => spec.stdout, { kind: 'none' }],
  ['stdout_logfile = off', spec => spec.stdout, { kind: 'none' }],
  ['stdout_logfile =', spec => spec.stdout, { kind: 'none' }],
  ['stdout_logfile = /dev/null', spec => spec.stdout, { kind: 'none' }],
  ['stdout_logfile = auto', spec => spec.stdout, { kind: 'file' }],
  ['stdout_logfile = /dev/stdout', spec => spec.stdout, { kind: 'inherit', fd: 1 }],
  ['stdout_logfile = /dev/fd/2', spec => spec.stdout, { kind: 'inherit', fd: 2 }],
  ['stderr_logfile = /dev/fd/1', spec => spec.stderr, { kind: 'inherit', fd: 1 }],
  ['stderr_logfile = /dev/stderr', spec => spec.stderr, { kind: 'inherit', fd: 2 }],
  ['stdout_logfile_maxbytes = 1MB', spec => spec.stdout, { maxBytes: 1024 ** 2 }],
  ['stderr_logfile_maxbytes = 0', spec => spec.stderr, { maxBytes: 0 }],
  ['stdout_logfile_backups = 0', spec => spec.stdout, { backups: 0 }],
  ['stderr_logfile_backups = 3', spec => spec.stderr, { backups: 3 }],
  ['backoff = 100ms', restart, { backoff: { baseMs: 100, factor: 2, capMs: 60_000, jitter: 0.2 } }],
  [
    'backoff = 2m',
    restart,
    { backoff: { baseMs: 120_000, factor: 2, capMs: 120_000, jitter: 0.2 } },
  ],
  ['backoff_max = 5', restart, { backoff: { baseMs: 1000, factor: 2, capMs: 5000, jitter: 0.2 } }],
  ['fatal_retry = 0', restart, { fatalRetryMs: 0 }],
  ['max_deaths = 3', restart, { maxDeaths: 3 }],
  ['death_window = 10s', restart, { windowMs: 10_000 }],
  ['on_orphan = adopt', spec => [spec.onOrphan, spec.stdout], ['adopt', { through: 'file' }]],
  ['log_gzip = true', spec => [spec.stdout, spec.stderr], [{ gzip: true }, { gzip: true }]],
  ['log_timestamps = yes', spec => spec.stdout, { timestamps: true }],
])('%s', (line, look, expected) => {
  expect({ shown: look(one(line)) }).toMatchObject({ shown: expected })
})

test('keys may be written in capitals and with a colon, and values go on in indented lines', () => {
  const process = one(
    'Command: /bin/cat a',
    '   b',
    'STARTSECS : 3',
    'environment: A="1",',
    '  B="2"',
  )
  expect(process.argv).toEqual(['/bin/cat', 'a', 'b'])
  expect(process.restart.startMs).toBe(3000)
  expect(process.environment).toEqual({ A: '1', B: '2' })
})

test('a relative path starts from the folder above conf/', () => {
  const process = one('directory = app', 'stdout_logfile = log/x.log')
  const root = process.directory?.slice(0, -'/app'.length) ?? ''
  expect(basename(root)).toMatch(/^taskd-/)
  expect(process.stdout).toMatchObject({ path: `${root}/log/x.log` })
})

test('logs without a path are told apart by group and process', () => {
  const specs = processesIn(section('process_name = w%(process_num)d', 'numprocs = 2'))
  const paths = specs.map(({ stdout }) => stdout.kind === 'file' && basename(stdout.path))
  expect(paths).toEqual(['x-w0-stdout.log', 'x-w1-stdout.log'])
})

describe('mistakes', () => {
  const at = 'cron.ini:3: '
  test.each([
    ['numprocs = two', 'is not a whole number from 0 to 10000. write for instance 1'],
    [
      'numprocs = 2',
      'makes several processes with one name. write process_name = %(program_name)s_%(process_num)02d',
    ],
    ['process_name = a b', 'has a blank, a : or a / in its name. use letters, digits, _ . -'],
    ['process_name =', 'has no name. use letters, digits, _ . -'],
    ['priority = high', 'is not a whole number. write for instance 999'],
    ['autostart = maybe', 'is neither true nor false. write true or false'],
    [
      'autorestart = sometimes',
      'is none of true, false, unexpected. write true, false or unexpected',
    ],
    ['exitcodes = 0,256', 'has "256", which is no exit code from 0 to 255. write for instance 0,2'],
    ['exitcodes = 0,', 'has "", which is no exit code from 0 to 255. write for instance 0,2'],
    ['stopsignal = TREM', 'is no signal. did you mean "TERM"?'],
    ['stopsignal = 99', 'is no signal. write for instance TERM'],
    ['stopwaitsecs = -1', 'is negative. write for instance 10 (units: d h m s ms)'],
    ['umask = 088', 'is not an octal number up to 777. write for instance 022'],
    ['umask = 1777', 'is not an octal number up to 777. write for instance 022'],
    ['user = a b', 'is neither a name nor a number of a user. write for instance www-data'],
    [
      'stdout_logfile_maxbytes = 10M',
      'has the unknown unit "M" (known: KB, MB, GB). write for instance 50MB',
    ],
    ['stdout_logfile = /var/log/', 'is a folder. write /var/log/stdout.log'],
    [
      'stdout_logfile = /dev/tty1',
      'is no file that can be rotated. write a file, /dev/stdout, /dev/stderr or NONE',
    ],
    [
      'stderr_logfile = syslog',
      'taskd writes no syslog. write stderr_logfile = AUTO or a path, or let the command pipe into logger',
    ],
    [
      'stdout_syslog = true',
      'taskd writes no syslog. write stdout_logfile = AUTO or a path, or let the command pipe into logger',
    ],
    ['environment = A', 'has a part without =. write A="x",B="y", with commas between'],
    ['backoff = 0', 'must be more than nothing. write for instance 1s (units: d h m s ms)'],
    ['max_deaths = 0', 'is not a whole number from 1 to 1000000000. write for instance 5'],
    ['on_orphan = adpot', 'is not known here. did you mean "adopt"? write one of: kill, adopt'],
    ['auto_restart = true', 'is not a key of [program:x]. did you mean "autorestart"?'],
    ['run_time = * * * * *', 'is not a key of [program:x]. it belongs in a job'],
  ])('%s', (line, message) => {
    expect(wrong(line)).toEqual([`${at}${line.replace(/ =$/, '')}: ${message}`])
  })

  test('a program without a command, or with an empty one', () => {
    expect(wrong('command =')).toEqual([
      'cron.ini:2: command: is empty. write for instance /usr/bin/php /srv/worker.php',
    ])
    expect(wrong('command = ""')).toEqual([
      'cron.ini:2: command = "": is empty. write for instance /usr/bin/php /srv/worker.php',
    ])
    expect(wrong('command = ; nothing')).toHaveLength(1)
  })

  test('two keys that contradict each other', () => {
    expect(wrong('stopasgroup = true', 'killasgroup = false')).toEqual([
      'cron.ini:4: killasgroup = false: cannot be false when stopasgroup is true. remove it, or write stopasgroup = false',
    ])
    expect(wrong('on_orphan = adopt', 'log_timestamps = true')).toEqual([
      'cron.ini:4: log_timestamps = true: cannot be had with on_orphan = adopt, where the program writes its log file itself. remove one of them',
    ])
    expect(wrong('backoff = 10s', 'backoff_max = 5s')).toEqual([
      'cron.ini:4: backoff_max = 5s: is shorter than backoff = 10s. lengthen it, or shorten backoff',
    ])
  })

  test('all of them are said at once', () => {
    expect(
      wrong('startsecs = x', 'umask = 9', 'colour = red', 'directory = %(nope)s'),
    ).toHaveLength(4)
  })
})

describe('what is only said', () => {
  test.each([
    ['stdout_capture_maxbytes = 1MB', 'taskd has no capture mode. remove it'],
    ['stderr_events_enabled = true', 'taskd has no events for listeners. remove it'],
    [
      'serverurl = http://localhost:9001',
      'has no effect: there is no server for SUPERVISOR_SERVER_URL to name. remove it',
    ],
    ['stdout_logfile_maxbytes = 0', 'lets the log grow without end. write for instance 50MB'],
    [
      'user = nobody-of-this-name',
      'is not in /etc/passwd. right if the system knows the user from elsewhere, such as LDAP; else it will not start',
    ],
    [
      'directory = /srv user = me',
      'goes on to the end of the line, with user in it. put user on a line of its own',
    ],
  ])('%s', (line, message) => {
    expect(notesIn(section(line))).toEqual([`cron.ini:3: ${line}: ${message}`])
  })

  test.each([
    'serverurl = AUTO',
    'serverurl =',
    'stdout_events_enabled = 0',
    'stderr_syslog = false',
  ])('nothing of %s', line => {
    expect(notesIn(section(line))).toEqual([])
  })

  test('a stderr_logfile that redirect_stderr leaves without use', () => {
    expect(notesIn(section('redirect_stderr = true', 'stderr_logfile = /x.log'))).toEqual([
      'cron.ini:4: stderr_logfile = /x.log: has no effect: redirect_stderr = true sends all to stdout_logfile. remove one of them',
    ])
    expect(notesIn(section('redirect_stderr = true', 'stderr_logfile = NONE'))).toEqual([])
  })

  test('max_deaths that end the retries early', () => {
    expect(notesIn(section('startretries = 10', 'max_deaths = 5'))).toEqual([
      'cron.ini:4: max_deaths = 5: comes before the 10 retries: 5 deaths within 1m end them. leave max_deaths out, or raise it',
    ])
  })

  test('one log for many processes', () => {
    const text = section(
      'numprocs = 3',
      'process_name = w%(process_num)d',
      'stdout_logfile = /x.log',
    )
    expect(notesIn(text)).toEqual([
      'cron.ini:5: stdout_logfile = /x.log: 3 outputs share /x.log. put %(process_num)02d into the name to keep processes apart',
    ])
  })

  test('a key that stands twice: the last one counts', () => {
    expect(one('startsecs = 1', 'startsecs = 7').restart.startMs).toBe(7000)
    expect(notesIn(section('startsecs = 1', 'STARTSECS = 7'))).toEqual([
      'cron.ini:4: STARTSECS = 7: is already set in [program:x] on line 3; the last one counts. keep line 3 or line 4',
    ])
  })

  test('a backslash at the end of a line', () => {
    const lines = ['command = /bin/x a \\', '  b']
    expect(one(...lines).argv).toEqual(['/bin/x', 'a', '\nb'])
    expect(notesIn(section(...lines))).toEqual([
      'cron.ini:2: command = /bin/x a \\\\u000ab: has a backslash at the end of a line, which puts a line break into an argument. remove it: indented lines go on by themselves',
    ])
  })

  test('a // that ends a command', () => {
    expect(one('command = /bin/x a // b').argv).toEqual(['/bin/x', 'a'])
    expect(notesIn(section('command = /bin/x a // b'))).toHaveLength(1)
    expect(notesIn(section('command = /bin/x "a // b" http://x'))).toEqual([])
  })
})
