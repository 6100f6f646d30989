import { isNodesUrl, readNodes, withoutPasswords } from '../../lib/redis-nodes.ts'
import { type Finding, fail, type Look, type Patient, warn } from './finding.ts'
import { findProgram, outputOf } from './programs.ts'
import { askRedis, redisAddress } from './redis-ask.ts'
import { lookAtCluster, lookAtSentinels } from './redis-groups.ts'
import {
  judgeMemory,
  judgePolicy,
  judgeRoom,
  judgeVersion,
  POLICY,
  policyIn,
  versionIn,
} from './redis-judge.ts'

export const lookAtRedis: Look = async patient => {
  const { config, status } = patient
  const settings = config?.settings
  if (settings === undefined) return []
  const own = settings.redis === 'embedded'
  const findings = own ? [await serverProgram(patient, settings.redisServer)] : []
  if (own && status === undefined) return findings
  const url = own ? `unix:${settings.dataDir}/redis.sock` : settings.redis
  const remedy = own ? 'taskd why redis says why' : 'start it, or look at redis in [taskd]'
  return [...findings, ...(await server(url, patient, remedy))]
}

async function serverProgram({ env }: Patient, named: string | undefined): Promise<Finding> {
  const name = named ?? 'redis-server'
  const found = findProgram(name, env)
  if (found === undefined)
    return fail(
      'redis-server',
      `${name} is not installed`,
      'apt-get install redis-server, or set redis = redis://… in [taskd]',
    )
  const said = await outputOf(found, ['--version'])
  const version = /v=([\d.]+)/.exec(said ?? '')?.[1]
  if (version === undefined)
    return fail('redis-server', `${found} --version says nothing of use`, 'install it anew')
  return judgeVersion('redis-server', version, ` at ${found}`)
}

async function server(url: string, { status }: Patient, remedy: string): Promise<Finding[]> {
  const nodes = isNodesUrl(url) ? readNodes(url) : undefined
  if (nodes?.ok && !nodes.value.tls)
    return nodes.value.kind === 'sentinel'
      ? lookAtSentinels(nodes.value)
      : lookAtCluster(nodes.value)
  const address = redisAddress(url)
  if (address === undefined) return viaDaemon(url, status)
  const answers = await askRedis(address, [['INFO', 'server'], ['INFO', 'memory'], POLICY])
  const shown = withoutPasswords(url)
  if (!answers.ok) return [fail('redis', `${shown}: ${answers.reason}`, remedy)]
  const { text } = answers
  return [
    judgeVersion('redis', versionIn(text), ` answers at ${shown}`),
    judgePolicy(policyIn(text), ''),
    ...judgeMemory(text, '', status),
  ]
}

function viaDaemon(url: string, status: Patient['status']): Finding[] {
  const kind = url.split(':', 1)[0] ?? ''
  if (status === undefined) {
    const remedy = 'run taskd doctor again once taskd runs'
    return [warn('redis', `${kind}: is looked at through the daemon, which does not run`, remedy)]
  }
  if (!status.redis.answers)
    return [fail('redis', `${kind}: ${status.redis.error}`, 'look at redis in [taskd]')]
  const { version, used_memory: used, maxmemory: max } = status.redis
  return [
    judgeVersion('redis', version, ` answers the daemon (${kind})`),
    ...(max === 0 || max === null || used === null
      ? []
      : [judgeRoom({ used, max }, '', status.redis.full)]),
  ]
}
