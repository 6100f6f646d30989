import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isAlive, startTimeOf } from '../../src/lib/proc.ts'
import { type Peer, type Peers, startPeers } from '../support/peers.ts'
import { waitFor } from '../support/wait.ts'

/**
 * How programs are stopped: the same file under Debian's supervisord and under taskd. A program
 * writes down which signals it hears, and may have a child that does so as well.
 */
const LISTENER = `import os, signal, sys, time
words = sys.argv[1:]
file = os.environ['DAEMON_OF_TEST'] + '/heard/' + os.environ['SUPERVISOR_PROCESS_NAME']
who = 'child' if 'child' in words and os.fork() == 0 else 'program'
def say(what):
    with open(file, 'a') as out:
        out.write(f'{who} {what}\\n')
def heard(number, _):
    say(signal.Signals(number).name)
    if 'deaf' not in words:
        time.sleep(0.2)
        say('leaves')
        os._exit(0)
for name in ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'CONT']:
    signal.signal(getattr(signal, 'SIG' + name), heard if name != 'CONT' else signal.SIG_DFL)
say(f'is {os.getpid()}')
while True:
    signal.pause()
`

interface Case {
  readonly keys: string
  /** `deaf` hears and stays; `child` has a child that does as it does. */
  readonly words?: string
  /** What is heard, in any order. */
  readonly heard: readonly string[]
  /** Who is still there when it is STOPPED. */
  readonly left?: readonly string[]
  /** KILL was needed, so it took as long as this at least, ms. */
  readonly tookMs?: number
}

const gently = ['program SIGTERM', 'program leaves']
const CASES: Readonly<Record<string, Case>> = {
  default: { keys: '', heard: gently },
  ...Object.fromEntries(
    ['INT', 'HUP', 'QUIT', 'USR1', 'USR2'].map(name => [
      `stopsignal-${name}`,
      { keys: `stopsignal=${name}`, heard: [`program SIG${name}`, 'program leaves'] },
    ]),
  ),
  'stopsignal-KILL': { keys: 'stopsignal=KILL', heard: [] },
  deaf: { keys: 'stopwaitsecs=1', words: 'deaf', heard: ['program SIGTERM'], tookMs: 1000 },
  'child-alone': { keys: '', words: 'child', heard: gently, left: ['child'] },
  'stop-as-group': {
    keys: 'stopasgroup=true',
    words: 'child',
    heard: [...gently, 'child SIGTERM', 'child leaves'],
  },
  'stop-as-group-deaf': {
    keys: 'stopasgroup=true stopwaitsecs=1',
    words: 'child deaf',
    heard: ['program SIGTERM', 'child SIGTERM'],
    tookMs: 1000,
  },
  'kill-as-group': {
    keys: 'killasgroup=true stopwaitsecs=1',
    words: 'child deaf',
    heard: ['program SIGTERM'],
    tookMs: 1000,
  },
  'kill-as-group-in-time': {
    keys: 'killasgroup=true',
    words: 'child',
    heard: gently,
    left: ['child'],
  },
  'kill-alone': {
    keys: 'stopwaitsecs=1',
    words: 'child deaf',
    heard: ['program SIGTERM'],
    left: ['child'],
    tookMs: 1000,
  },
}

const program = (name: string, keys: string, words = '') => `[program:${name}]
command=/usr/bin/python3 %(here)s/listener.py ${words}
${keys.split(' ').join('\n')}
`

const CONF = [
  ...Object.entries(CASES).map(([name, { keys, words }]) => program(name, keys, words)),
  program('frozen', 'stopwaitsecs=2'),
].join('\n')

const startsOf = (peer: Peer, name: string, who: string) =>
  peer
    .lines(`heard/${name}`)
    .filter(line => line.startsWith(`${who} is `))
    .map(line => Number(line.split(' ')[2]))

/** Resolves when the program listens, with who it is and who its child is. */
async function family(peer: Peer, name: string) {
  const members = CASES[name]?.words?.includes('child') ? ['program', 'child'] : ['program']
  const found = await waitFor(
    () => {
      const pids = members.flatMap(who => startsOf(peer, name, who).slice(-1))
      return pids.length === members.length && pids
    },
    { what: `${name} listens under ${peer.name}`, timeoutMs: 30_000 },
  )
  return members.map((who, n) => ({ who, pid: found[n] ?? 0, at: startTimeOf(found[n] ?? 0) ?? 0 }))
}

const heard = (peer: Peer, name: string) =>
  peer.lines(`heard/${name}`).filter(line => !line.includes(' is '))

describe('under supervisord and under taskd', () => {
  let peers: Peers
  beforeAll(async () => {
    const files = { 'listener.py': LISTENER }
    peers = await startPeers({ conf: CONF, files, folders: ['heard'] })
  }, 90_000)
  afterAll(() => peers?.[Symbol.asyncDispose]())

  it.each(Object.entries(CASES))(
    '%s: the same are told, and the same are left',
    async (name, one) => {
      const seen = await peers.both(async peer => {
        const members = await family(peer, name)
        await peer.until(name, 'RUNNING')
        const from = performance.now()
        await peer.stop(name)
        const tookMs = performance.now() - from
        const { state } = (await peer.processes()).get(name) ?? {}
        const alive = () => members.filter(({ pid, at }) => isAlive({ pid, startTime: at }))
        // Others than the program itself may take a moment longer.
        const left = (await settled(alive, one.left?.length ?? 0)).map(({ who }) => who)
        return {
          state,
          heard: heard(peer, name).toSorted(),
          left,
          inTime: tookMs < (one.tookMs ?? 0) ? `no: ${tookMs} ms` : 'yes',
        }
      })
      const same = {
        state: 'STOPPED',
        heard: one.heard.toSorted(),
        left: one.left ?? [],
        inTime: 'yes',
      }
      expect(seen).toEqual({ supervisord: same, taskd: same })
    },
  )

  it('frozen: on purpose, one that sleeps in SIGSTOP is woken to hear that it shall stop', async () => {
    const seen = await peers.both(async peer => {
      const [found] = await family(peer, 'frozen')
      await peer.until('frozen', 'RUNNING')
      process.kill(found?.pid ?? 0, 'SIGSTOP')
      await peer.stop('frozen')
      return heard(peer, 'frozen')
    })
    expect(seen).toEqual({ supervisord: [], taskd: gently })
  })
})

/** Stopped with the daemon, the highest priority number first. */
const ORDERED = { first: 30, second: 20, 'second-too': 20, last: 10 }

describe('at the end of the daemon', () => {
  it('the highest priority number is stopped first, the next when that is gone', async () => {
    const conf = Object.entries(ORDERED).map(([name, n]) => program(name, `priority=${n}`))
    const files = { 'listener.py': LISTENER }
    await using peers = await startPeers({ conf: conf.join('\n'), files, folders: ['heard'] })
    const names = Object.keys(ORDERED)
    const order = await peers.both(async peer => {
      const leaders = await Promise.all(names.map(name => family(peer, name)))
      const ends = leaders.map(([leader], n) => endOf(leader, names[n] ?? ''))
      await peer.shutDown()
      return Promise.all(ends)
    })
    for (const ends of [order.supervisord, order.taskd]) {
      const [first, second, secondToo, last] = ends
      expect(first).toBeLessThan(Math.min(second ?? 0, secondToo ?? 0))
      expect(Math.max(second ?? 0, secondToo ?? 0)).toBeLessThan(last ?? 0)
    }
    // Each takes 0.2 s to leave. On purpose, groups of one priority do so together.
    const [, second, secondToo] = order.taskd
    expect(Math.abs((second ?? 0) - (secondToo ?? 0))).toBeLessThan(200)
    for (const peer of [peers.supervisord, peers.taskd])
      for (const name of names) expect(heard(peer, name)).toEqual(gently)
  })
})

/** Whoever is left once it is as many as expected, or after a while all the same. */
async function settled<T>(list: () => readonly T[], length: number): Promise<readonly T[]> {
  const what = `${length} are left`
  await waitFor(() => list().length === length, { what, timeoutMs: 3000 }).catch(() => undefined)
  return list()
}

async function endOf(one: { pid: number; at: number } | undefined, name: string): Promise<number> {
  const id = { pid: one?.pid ?? 0, startTime: one?.at ?? 0 }
  await waitFor(() => !isAlive(id), { what: `${name} has ended`, timeoutMs: 30_000 })
  return performance.now()
}
