import type { Verbs } from './verb.ts'

export const DAEMON: Verbs = {
  start: {
    args: '[name...]',
    summary: 'start the daemon, or workers and programs by name',
    about:
      'Without names: starts the daemon in the background and returns once it is ready.\n' +
      'With names: starts programs and workers (a queue means all its workers) that were stopped.',
    options: [
      ['-n, --nodaemon', 'stay in the foreground and log to standard output'],
      ['--detached', 'what the background start runs'],
    ],
    hidden: ['--detached'],
    examples: ['taskd start', 'taskd start -n -c /etc/taskd/cron.ini', 'taskd start async_tasks'],
    exits: ['0  it is ready', '1  it is not, and why', '2  the configuration has mistakes'],
    load: () => import('../commands/start.ts'),
  },
  stop: {
    args: '[name...]',
    summary: 'stop the daemon, or workers and programs by name',
    about:
      'Without names: the daemon takes no new task, lets running ones end (stop_wait), and ' +
      'leaves. Returns when it is gone. Programs get their stopsignal and stopwaitsecs, ' +
      'also with --now.\n' +
      'With names: stops programs and workers; they stay so until they are started by name.',
    options: [
      ['--now', 'do not let tasks end: they are killed and run again after the next start'],
      ['--kill', 'as --now, and kill programs without their stopsignal: they may lose data'],
    ],
    examples: [
      'taskd stop',
      'taskd stop --now',
      'taskd stop --kill',
      'taskd stop web-1-sync_tasks-1',
    ],
    load: () => import('../commands/stop.ts'),
  },
  restart: {
    args: '[name...]',
    summary: 'restart the daemon, or workers and programs by name',
    about:
      'Without names: a daemon in the background is stopped, and started there again. One that ' +
      'systemd, supervisord, a container or a terminal has as a child (start -n) is left to ' +
      'them: the answer names their command.',
    options: [['--now', 'without names: do not let running tasks end first']],
    examples: ['taskd restart', 'taskd restart async_tasks'],
    load: () => import('../commands/restart.ts'),
  },
  signal: {
    args: '<signal> <name...>',
    summary: 'send a signal to programs',
    about: 'The signal by name or number. A group or a program means all its processes.',
    examples: ['taskd signal HUP web', 'taskd signal USR1 web:web_00'],
    load: () => import('../commands/signal.ts'),
  },
  status: {
    args: '[name...]',
    summary: 'show workers, programs, queues and jobs',
    about: 'A line for each worker, program, queue and job; a queue’s name shows its workers too.',
    examples: ['taskd status', 'taskd status async_tasks accumulate_pay', 'taskd status --json'],
    exits: [
      '0  all is well',
      '3  something is down: STOPPED, BACKOFF, FATAL, Redis or the database away',
      '4  no such name, or no daemon',
    ],
    load: () => import('../commands/status.ts'),
  },
  pid: {
    args: '[name...]',
    summary: 'print the pid of the daemon, or of workers and programs by name',
    about: 'One pid a line, 0 for what does not run.',
    examples: ['taskd pid', 'taskd pid web:web_00'],
    exits: ['0  it runs', '1  one of them does not', '4  no such name, or no daemon'],
    load: () => import('../commands/pid.ts'),
  },
  version: {
    summary: 'print the version of taskd',
    examples: ['taskd version'],
    load: () => import('../commands/version.ts'),
  },
  why: {
    args: '<name>',
    summary: 'say why something in status is as it is',
    about:
      'A worker, program, queue, job, [source:x] or the like, taskd, redis or database.\n' +
      'What made it so, who asked for it, when the next attempt or tick comes, and its last steps.',
    examples: ['taskd why web', 'taskd why taskd', 'taskd why async_tasks --json'],
    exits: ['0  it is known', '4  no such name, or no daemon'],
    load: () => import('../commands/why.ts'),
  },
  doctor: {
    summary: 'check this machine and say how to fix what is wrong',
    examples: ['taskd doctor', 'taskd doctor -c /etc/taskd/cron.ini --json'],
    exits: ['0  nothing stands in the way', '1  something does'],
    load: () => import('../commands/doctor.ts'),
  },
}
