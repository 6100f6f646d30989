import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Peer, type Peers, startPeers } from '../support/peers.ts'
import { waitFor } from '../support/wait.ts'

/**
 * What a program finds when it wakes up: the same file of programs under Debian's supervisord and
 * under taskd. What is different on purpose is written down in `DIFFERENT`, with the reason.
 */
const PROBE = `import json, os, resource, stat, sys
name = os.environ['SUPERVISOR_GROUP_NAME'] + ':' + os.environ['SUPERVISOR_PROCESS_NAME']
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
def link(fd):
    try:
        return os.readlink('/proc/self/fd/' + fd)
    except FileNotFoundError:
        return None
mask = os.umask(0)
os.umask(mask)
seen = {
    'argv': sys.argv[1:],
    'cwd': os.getcwd(),
    'environment': dict(os.environ),
    'umask': oct(mask),
    'uids': os.getresuid(),
    'gids': os.getresgid(),
    'groups': sorted(os.getgroups()),
    'leads its group': os.getpgrp() == os.getpid(),
    'leads its session': os.getsid(0) == os.getpid(),
    'has a terminal': os.isatty(0) or os.isatty(1) or os.isatty(2),
    'stdin is a pipe': stat.S_ISFIFO(os.fstat(0).st_mode),
    'same output': os.path.sameopenfile(1, 2),
    'descriptors': [link(fd) for fd in os.listdir('/proc/self/fd') if int(fd) > 2 and link(fd)],
    'signals': [status[key].strip() for key in ('SigBlk', 'SigIgn', 'SigCgt')],
    'nice': os.nice(0),
    'core': resource.getrlimit(resource.RLIMIT_CORE),
    # The hard limit: Node raises its soft one to it, for itself and for what it starts.
    'files': resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    'parent': os.getppid(),
}
file = os.environ['DAEMON_OF_TEST'] + '/seen/' + name
with open(file + '.new', 'w') as out:
    json.dump(seen, out)
os.rename(file + '.new', file)
import signal
signal.pause()
`

/** Facts that differ on purpose: supervisord's, ours, and the reason. */
const DIFFERENT = {
  'leads its session': [false, true, 'what the terminal of the daemon sends does not reach it'],
} as const

/** What bin/taskd tells the daemon. */
const OF_OUR_START = ['TASKD_DESCRIPTORS', 'NODE_COMPILE_CACHE']
/** Variables that only one of them sets. */
const OWN_VARIABLES = {
  SUPERVISOR_SERVER_URL: 'taskd has no XML-RPC server that it could name',
  TASKD_PROGRAM: 'by it the next daemon finds what a killed one has left behind',
}

/** A user with more than one group; most machines have one. */
function someUser(): string {
  const rows = readFileSync('/etc/group', 'utf8').split('\n')
  const members = rows.flatMap(row => (row.split(':')[3] ?? '').split(',').filter(Boolean))
  return members.find(name => name !== 'root') ?? 'nobody'
}

const IS_ROOT = process.getuid?.() === 0
const USER = someUser()
// Debian's, which every user may run; not one of whoever runs the tests.
const run = 'command=/usr/bin/python3 %(here)s/probe.py'

const CONF = `
[program:plain]
${run}

[program:merged]
${run}
redirect_stderr=true

[program:words]
${run} 'two words' "say ""so""" it\\'s "a \\" b" "c \\d" '' x"y"z --n=%%d ;a remark

[program:names]
${run} %(program_name)s %(group_name)s %(process_num)d %(numprocs)d %(here)s %(host_node_name)s %(ENV_HOME)s

[program:variables]
${run} %(ENV_QUOTES)s
environment=COMMA="1,2",QUOTES='say "so" twice',PLAIN=a/b.c-d:e,HERE="%(here)s",HOMED="%(ENV_HOME)s/x",
  EMPTY="",PERCENT="100%%",SPACES="  a  b ",SEMI="a;b",NAME="%(program_name)s/%(process_num)d"

[program:overriding]
${run}
environment=SUPERVISOR_PROCESS_NAME="mine",PATH="/bin:/usr/bin",HOME="/nowhere"

[program:folder]
${run}
directory=/usr/share

[program:mask]
${run}
umask=027

[program:mask-in-folder]
${run}
umask=0
directory=/usr
environment=PWD="/mine"

[program:many]
${run} %(process_num)d of %(numprocs)d
process_name=%(program_name)s_%(process_num)03d
numprocs=3
numprocs_start=9

[program:one]
${run}
[program:two]
${run}
process_name=%(group_name)s-%(program_name)s
[group:pair]
programs=one,two
${
  IS_ROOT
    ? `
[program:somebody]
${run}
user=${USER}

[program:somebody-all]
${run}
user=${USER}
umask=007
directory=/tmp
environment=USER="${USER}"
`
    : ''
}`

const NAMES = [
  'plain:plain',
  'merged:merged',
  'words:words',
  'names:names',
  'variables:variables',
  'overriding:mine',
  'folder:folder',
  'mask:mask',
  'mask-in-folder:mask-in-folder',
  'many:many_009',
  'many:many_010',
  'many:many_011',
  'pair:one',
  'pair:pair-two',
  ...(IS_ROOT ? ['somebody:somebody', 'somebody-all:somebody-all'] : []),
]

interface Facts extends Readonly<Record<string, unknown>> {
  readonly environment: Readonly<Record<string, string>>
  /** All but the three that everybody has. */
  readonly descriptors: readonly string[]
}

/** What the program saw; of the environment only what the daemon does not have itself. */
function factsOf(peer: Peer, name: string): Facts {
  const text = peer.text(`seen/${name}`).replaceAll(peer.path(''), '<dir>/')
  const facts = JSON.parse(text) as Facts
  const inherited = environmentOf(peer)
  const added = Object.entries(facts.environment).filter(
    ([key, value]) => inherited.get(key) !== value && !(key in OWN_VARIABLES),
  )
  const given = [...inherited.keys()].filter(key => !OF_OUR_START.includes(key))
  const lost = given.filter(key => !(key in facts.environment))
  return {
    ...facts,
    environment: Object.fromEntries(added),
    lost,
    // supervisord closes what it was handed down itself; we trust whoever starts us with that.
    descriptors: facts.descriptors.filter(one => !handedDown().has(one)),
    parent: facts['parent'] === peer.pid ? 'the daemon' : 'somebody else',
    own: Object.keys(OWN_VARIABLES).filter(key => key in facts.environment),
  }
}

function environmentOf(peer: Peer): Map<string, string> {
  const pairs = readFileSync(`/proc/${peer.pid}/environ`, 'utf8').split('\0').filter(Boolean)
  return new Map(
    pairs.map(pair => {
      const at = pair.indexOf('=')
      return [pair.slice(0, at), pair.slice(at + 1).replaceAll(peer.path(''), '<dir>/')]
    }),
  )
}

/** What is open in the process that runs the tests, and in everything that it starts. */
function handedDown(): ReadonlySet<string> {
  const folder = '/proc/self/fd'
  const links = readdirSync(folder).map(fd => {
    try {
      return readlinkSync(`${folder}/${fd}`)
    } catch {
      return ''
    }
  })
  return new Set(links)
}

function comparable(facts: Facts): Record<string, unknown> {
  const ignored = [...Object.keys(DIFFERENT), 'own']
  return Object.fromEntries(Object.entries(facts).filter(([key]) => !ignored.includes(key)))
}

describe('under supervisord and under taskd', () => {
  let peers: Peers
  beforeAll(async () => {
    const files = { 'probe.py': PROBE }
    peers = await startPeers({ conf: CONF, files, folders: ['seen'] })
    await peers.both(peer =>
      waitFor(() => NAMES.every(name => existsSync(peer.path(`seen/${name}`))), {
        what: `all programs have looked around under ${peer.name}`,
        timeoutMs: 30_000,
      }),
    )
  }, 90_000)
  afterAll(() => peers?.[Symbol.asyncDispose]())

  it('processes have the same names', async () => {
    const { supervisord, taskd } = await peers.both(async peer => [
      ...(await peer.processes()).keys(),
    ])
    expect(taskd.toSorted()).toEqual(supervisord.toSorted())
    expect(taskd).toContain('many:many_010')
    expect(taskd).toContain('pair:pair-two')
  })

  it.each(NAMES)('%s finds the same world', async name => {
    const { supervisord, taskd } = await peers.both(peer => factsOf(peer, name))
    expect(comparable(taskd)).toEqual(comparable(supervisord))
  })

  it('what differs does so as it is meant', async () => {
    const { supervisord, taskd } = await peers.both(peer => factsOf(peer, 'plain:plain'))
    for (const [fact, [theirs, ours]] of Object.entries(DIFFERENT))
      expect([fact, supervisord[fact], taskd[fact]]).toEqual([fact, theirs, ours])
    expect([supervisord['own'], taskd['own']]).toEqual([
      ['SUPERVISOR_SERVER_URL'],
      ['TASKD_PROGRAM'],
    ])
  })
})
