import type { ClusterNodes, HostPort, Login, SentinelNodes } from '../../lib/redis-nodes.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { type Answers, askRedis } from './redis-ask.ts'
import {
  judgeMemory,
  judgePolicy,
  judgeVersion,
  POLICY,
  policyIn,
  versionIn,
} from './redis-judge.ts'

/** Redis that is several servers: which are the masters now, and are they fit? */

const START = 'start it, or look at redis in [taskd]'

const shown = ({ host, port }: HostPort) => `${host.includes(':') ? `[${host}]` : host}:${port}`

const ask = (
  { host, port }: HostPort,
  { user, password }: Login,
  commands: readonly (readonly string[])[],
) => askRedis({ connection: { host, port }, user, password }, commands)

export async function lookAtSentinels(nodes: SentinelNodes): Promise<Finding[]> {
  const { hosts, name, sentinel } = nodes
  const question = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]
  const answers = await Promise.all(hosts.map(host => ask(host, sentinel, [question])))
  const votes = answers.map(answer => (answer.ok ? addressIn(answer.text) : undefined))
  const master = votes.find(vote => vote !== undefined)
  const silent = hosts.flatMap((host, n) => {
    const answer = answers[n]
    if (answer?.ok) return votes[n] ? [] : [`${shown(host)} knows no ${name}`]
    return [`${shown(host)} ${answer?.reason ?? ''}`]
  })
  const all = `${hosts.length - silent.length} of ${hosts.length} know the master of ${name}`
  if (master === undefined) return [fail('sentinels', `${all}: ${silent.join('; ')}`, START)]
  const sentinels =
    silent.length === 0
      ? ok('sentinels', all)
      : warn(
          'sentinels',
          `${all}: ${silent.join('; ')}`,
          'start the others: a failover needs most of them',
        )
  return [sentinels, ...(await lookAtMasters([master], nodes)), await replicasOf(master, nodes)]
}

function addressIn(text: string): HostPort | undefined {
  const [, host, port] = /^\*2\r\n\$\d+\r\n([^\r]+)\r\n\$\d+\r\n(\d+)\r\n/m.exec(text) ?? []
  return host === undefined ? undefined : { host, port: Number(port) }
}

async function replicasOf(master: HostPort, login: Login): Promise<Finding> {
  const answer = await ask(master, login, [['INFO', 'replication']])
  const count = answer.ok ? /connected_slaves:(\d+)/.exec(answer.text)?.[1] : undefined
  if (count === '0') return noReplica('the master has none: when it dies there is no other')
  return ok('replicas', `${count ?? 'an unknown number'} of the master`)
}

const noReplica = (message: string) => warn('replicas', message, 'add replicas')

export async function lookAtCluster(nodes: ClusterNodes): Promise<Finding[]> {
  const answers = await Promise.all(
    nodes.hosts.map(host =>
      ask(host, nodes, [
        ['CLUSTER', 'INFO'],
        ['CLUSTER', 'NODES'],
      ]),
    ),
  )
  const found = answers.find((one): one is Answers & { ok: true } => one.ok)
  if (found === undefined) {
    const why = nodes.hosts.map((host, n) => {
      const answer = answers[n]
      return `${shown(host)} ${answer?.ok === false ? answer.reason : ''}`
    })
    return [fail('redis', why.join('; '), START)]
  }
  const masters = linesOf(found.text, 'master').filter(line =>
    /\s\d+(?:-\d+)?(?:\s|$)/.test(line.slots),
  )
  return [
    judgeState(found.text),
    ...(await lookAtMasters(
      masters.map(one => one.address),
      nodes,
    )),
    linesOf(found.text, 'slave').length === 0
      ? noReplica('no master has one: when it dies, all stands still until it is back')
      : ok('replicas', `${linesOf(found.text, 'slave').length} in the cluster`),
  ]
}

function judgeState(text: string): Finding {
  const slots = /cluster_slots_ok:(\d+)/.exec(text)?.[1] ?? '0'
  if (text.includes('cluster_state:ok') && slots === '16384')
    return ok('cluster', 'serves all slots')
  const remedy = 'redis-cli --cluster check says which nodes are away'
  return fail('cluster', `is down: ${slots} of 16384 slots are served`, remedy)
}

/** `<id> <host>:<port>@<bus>[,<name>] <flags> … <slots>`, of nodes that are not given up. */
function linesOf(text: string, role: 'master' | 'slave') {
  return text.split(/\r?\n/).flatMap(line => {
    const [, host = '', port, flags = '', slots = ''] =
      /^[0-9a-f]{40} ([^ ]*):(\d+)(?:@\S*)? (\S+) \S+ \d+ \d+ \d+ \S+(.*)$/.exec(line) ?? []
    const fits = flags.split(',').includes(role) && !/(?:^|,)(?:fail|noaddr)(?:,|$)/.test(flags)
    return fits ? [{ address: { host, port: Number(port) }, slots }] : []
  })
}

/** One line for what all have in common, and one for each that differs. */
async function lookAtMasters(masters: readonly HostPort[], login: Login): Promise<Finding[]> {
  const looks = masters.map(async (master): Promise<Finding[]> => {
    const where = ` at ${shown(master)}`
    const answer = await ask(master, login, [['INFO', 'server'], ['INFO', 'memory'], POLICY])
    if (!answer.ok) return [fail('redis', `${shown(master)}: ${answer.reason}`, START)]
    return [
      judgeVersion('redis', versionIn(answer.text), `${where}, a master`),
      judgePolicy(policyIn(answer.text), where),
      ...judgeMemory(answer.text, where),
    ]
  })
  return (await Promise.all(looks)).flat()
}
