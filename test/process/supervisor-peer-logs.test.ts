import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Peer, type Peers, startPeers } from '../support/peers.ts'
import { waitFor } from '../support/wait.ts'

/** What becomes of the output: the same file under Debian's supervisord and under taskd. */
const LOGS = '%(ENV_DAEMON_OF_TEST)s/logs'
const say = (what: string) => `command=sh -c '${what}; exec sleep 1000'`
/** Lines of 100 bytes, each in a write of its own. */
const count = (from: number, to: number) =>
  say(`n=${from}; while [ $n -le ${to} ]; do printf "%%099d\\n" $n; n=$((n+1)); sleep 0.02; done`)

const CONF = `
[program:two-files]
${say('echo to out; echo to err >&2')}
stdout_logfile=${LOGS}/%(program_name)s.out
stderr_logfile=${LOGS}/%(program_name)s.err

[program:one-file]
${say('echo one; echo two >&2; echo three')}
redirect_stderr=true
stdout_logfile=${LOGS}/%(program_name)s.out
stderr_logfile=${LOGS}/%(program_name)s.err

[program:numbered]
${say('echo %(process_num)d')}
process_name=p%(process_num)d
numprocs=2
stdout_logfile=${LOGS}/%(group_name)s-%(process_num)02d.log

[program:none]
${say('echo nothing')}
stdout_logfile=NONE
stderr_logfile=NONE

[program:of-the-daemon]
${say('echo said to out; echo said to err >&2')}
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
stderr_logfile=/dev/stderr
stderr_logfile_maxbytes=0

[program:bytes]
${say('printf "a\\000\\377\\r\\nno end"')}
stdout_logfile=${LOGS}/bytes

[program:parting]
command=sh -c 'echo the last words'
startsecs=0
stdout_logfile=${LOGS}/parting

[program:flood]
${say('head -c 3000000 /dev/zero; echo end')}
stdout_logfile=${LOGS}/flood

[program:again]
${say('echo a life')}
stdout_logfile=${LOGS}/again

[program:rotated]
${count(101, 165)}
stdout_logfile=${LOGS}/rotated
stdout_logfile_maxbytes=1000
stdout_logfile_backups=3

[program:without-backups]
${count(101, 125)}
stdout_logfile=${LOGS}/without-backups
stdout_logfile_maxbytes=1000
stdout_logfile_backups=0

[program:unlimited]
${count(101, 125)}
stdout_logfile=${LOGS}/unlimited
stdout_logfile_maxbytes=0

[program:auto]
${say('echo somewhere')}
`

/** Name and content of the files that begin like this. */
function logs(peer: Peer, start: string): Record<string, string> {
  const names = readdirSync(peer.path('logs')).filter(name => name.startsWith(start))
  const content = (name: string) => readFileSync(peer.path(`logs/${name}`), 'latin1')
  return Object.fromEntries(names.toSorted().map(name => [name, content(name)]))
}

function written(peer: Peer, file: string, end: string): Promise<unknown> {
  const what = `${file} ends with ${JSON.stringify(end)} under ${peer.name}`
  const read = () => readFileSync(peer.path(file), 'latin1')
  return waitFor(() => read().endsWith(end), { what, timeoutMs: 30_000 })
}

const line = (n: number) => `${String(n).padStart(99, '0')}\n`
const linesFrom = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => line(from + n)).join('')

describe('under supervisord and under taskd', () => {
  let peers: Peers
  beforeAll(async () => {
    peers = await startPeers({ conf: CONF, folders: ['logs'] })
  }, 90_000)
  afterAll(() => peers?.[Symbol.asyncDispose]())

  /** The last text that a file gets, and all files of that program then. */
  const SAME: readonly [name: string, last: string, end: string, files: Record<string, string>][] =
    [
      [
        'two-files',
        'two-files.err',
        'err\n',
        { 'two-files.out': 'to out\n', 'two-files.err': 'to err\n' },
      ],
      ['one-file', 'one-file.out', 'three\n', { 'one-file.out': 'one\ntwo\nthree\n' }],
      [
        'numbered',
        'numbered-01.log',
        '1\n',
        { 'numbered-00.log': '0\n', 'numbered-01.log': '1\n' },
      ],
      ['bytes', 'bytes', 'no end', { bytes: 'a\0\xff\r\nno end' }],
      ['parting', 'parting', 'words\n', { parting: 'the last words\n' }],
      ['unlimited', 'unlimited', line(125), { unlimited: linesFrom(101, 125) }],
    ]

  it.each(SAME)('%s: the same files with the same content', async (name, last, end, files) => {
    const seen = await peers.both(async peer => {
      await Promise.all(
        Object.keys(files).map(file =>
          waitFor(() => existsSync(peer.path(`logs/${file}`)), { what: file }),
        ),
      )
      await written(peer, `logs/${last}`, end)
      return logs(peer, name)
    })
    expect(seen).toEqual({ supervisord: files, taskd: files })
  })

  it('flood: all of it is kept', async () => {
    const seen = await peers.both(async peer => {
      await written(peer, 'logs/flood', 'end\n')
      const { flood = '' } = logs(peer, 'flood')
      return [flood.length, flood.lastIndexOf('\0')]
    })
    const same = [3_000_004, 2_999_999]
    expect(seen).toEqual({ supervisord: same, taskd: same })
  })

  it.each([
    ['rotated', 165, ['rotated', 'rotated.1', 'rotated.2', 'rotated.3']],
    ['without-backups', 125, ['without-backups']],
  ])('%s: as many files, which hold the last lines without a gap', async (name, last, names) => {
    const seen = await peers.both(async peer => {
      await written(peer, `logs/${name}`, line(last))
      return logs(peer, name)
    })
    const all = linesFrom(101, last)
    for (const files of [seen.supervisord, seen.taskd]) {
      expect(Object.keys(files)).toEqual(names)
      const kept = Object.values(files).toReversed().join('')
      expect(all.endsWith(kept) && kept.length >= 1000 * (names.length - 1)).toBe(true)
    }
    // A write may hold two lines when the machine is busy: ours rotate before they are too large.
    const sizes = (files: Record<string, string>) => Object.values(files).map(one => one.length)
    expect(Math.max(...sizes(seen.taskd))).toBeLessThanOrEqual(1000)
    expect(Math.min(...sizes(seen.supervisord).slice(1), 1000)).toBe(1000)
  })

  it('a log is made with the same mode', async () => {
    const modes = await peers.both(peer => statSync(peer.path('logs/two-files.out')).mode)
    expect(modes.taskd).toBe(modes.supervisord)
  })

  it('none: what is said is nowhere', async () => {
    const seen = await peers.both(async peer => {
      await peer.until('none', 'RUNNING')
      return [Object.keys(logs(peer, 'none')), peer.log().includes('nothing\n')]
    })
    expect(seen).toEqual({ supervisord: [[], false], taskd: [[], false] })
  })

  it('of-the-daemon: what is said stands between the words of the daemon', async () => {
    const both = /^said to out\n(?:.*\n)*said to err$|^said to err\n(?:.*\n)*said to out$/m
    await peers.both(peer =>
      waitFor(() => both.test(peer.log()), { what: `it is in the log of ${peer.name}` }),
    )
    expect(peers.taskd.log()).toMatch(both)
  })

  it('again: the next life goes on in the same file', async () => {
    const seen = await peers.both(async peer => {
      await peer.until('again', 'RUNNING')
      await peer.stop('again')
      await peer.start('again')
      await written(peer, 'logs/again', 'a life\na life\n')
      return logs(peer, 'again')
    })
    const same = { again: 'a life\na life\n' }
    expect(seen).toEqual({ supervisord: same, taskd: same })
  })

  it('auto: on purpose, the file has a name that stays the same', async () => {
    await written(peers.taskd, 'data/log/auto-stdout.log', 'somewhere\n')
    const random = () =>
      readdirSync(peers.supervisord.path('')).filter(one =>
        /^auto-stdout---peer-.*\.log$/.test(one),
      )
    const [file = ''] = random()
    await written(peers.supervisord, file, 'somewhere\n')
    expect(random()).toHaveLength(1)
  })
})
