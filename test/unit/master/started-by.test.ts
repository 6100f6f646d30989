import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { refuseRestart, type Start } from '../../../src/master/started-by.ts'

interface Case {
  readonly what: string
  readonly start?: Partial<Start>
  readonly files?: Readonly<Record<string, string>>
  /** Undefined: it may be replaced. */
  readonly command: string | undefined
}

const CGROUP = '/proc/self/cgroup'
const UNIT = '0::/system.slice/taskd.service\n'
const SUPERVISOR = {
  SUPERVISOR_ENABLED: '1',
  SUPERVISOR_GROUP_NAME: 'cron',
  SUPERVISOR_PROCESS_NAME: 'taskd_0',
}

const CASES: readonly Case[] = [
  { what: 'the background', start: { foreground: false, ppid: 1 }, command: undefined },
  {
    what: 'the background, by a program of supervisord',
    start: { foreground: false, env: SUPERVISOR },
    command: undefined,
  },
  {
    what: 'a unit of our name',
    files: { [CGROUP]: UNIT },
    command: 'systemctl restart taskd.service',
  },
  {
    what: 'a unit of our name that forks',
    start: { foreground: false },
    files: { [CGROUP]: UNIT },
    command: 'systemctl restart taskd.service',
  },
  {
    what: 'a unit of another name, of a user',
    start: { env: { SYSTEMD_EXEC_PID: '500' } },
    files: { [CGROUP]: '0::/user.slice/user-1.slice/user@1.service/app.slice/cron.service\n' },
    command: 'systemctl --user restart cron.service',
  },
  {
    what: 'a terminal of a service',
    start: { env: { SYSTEMD_EXEC_PID: '77' } },
    files: { [CGROUP]: '0::/system.slice/ssh.service\n', '/proc/400/comm': 'bash\n' },
    command: 'taskd start -n',
  },
  {
    what: 'supervisord',
    start: { env: SUPERVISOR },
    command: 'supervisorctl restart cron:taskd_0',
  },
  {
    what: 'supervisord, its group of the same name',
    start: { env: { ...SUPERVISOR, SUPERVISOR_GROUP_NAME: 'taskd_0' } },
    command: 'supervisorctl restart taskd_0',
  },
  {
    what: 'another taskd',
    start: { env: { ...SUPERVISOR, TASKD_PROGRAM: 'abc/cron:taskd_0' } },
    command: 'restart cron:taskd_0',
  },
  { what: 'a container', start: { pid: 1, ppid: 0 }, command: `docker restart ${hostname()}` },
  {
    what: 'a container, under our init',
    start: { pid: 7, ppid: 1 },
    files: { '/proc/1/cmdline': 'perl\0/opt/taskd/dist/master/init.pl\0node\0' },
    command: `docker restart ${hostname()}`,
  },
  {
    what: 'npm start',
    start: { env: { npm_lifecycle_event: 'start' } },
    files: { '/proc/400/comm': 'sh\n' },
    command: 'start it there again with npm start',
  },
]

const refusalOf = ({ start = {}, files = {} }: Case) =>
  refuseRestart({
    foreground: true,
    pid: 500,
    ppid: 400,
    env: {},
    read: file => files[file] ?? '',
    ...start,
  })

test.each(CASES.filter(one => one.command === undefined))('may be replaced: $what', one => {
  expect(refusalOf(one)).toBeUndefined()
})

test.each(CASES.filter(one => one.command !== undefined))('is left to $what', one => {
  const refused = refusalOf(one)
  expect(refused?.code).toBe('E_FOREGROUND')
  expect(refused?.hint).toContain(one.command)
})
