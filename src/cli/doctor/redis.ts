import { type Finding, fail, type Look, ok, type Patient, warn } from './finding.ts'
import { findProgram, outputOf } from './programs.ts'
import { askRedis, redisAddress } from './redis-ask.ts'

/** Streams, LMOVE and the queue's scripts need it. */
const LEAST_MAJOR = 6
const LEAST_MINOR = 2

export const lookAtRedis: Look = async patient => {
  const { config, status } = patient
  const settings = config?.settings
  if (settings === undefined) return []
  const own = settings.redis === 'embedded'
  const findings = own ? [await serverProgram(patient, settings.redisServer)] : []
  if (own && status === undefined) return findings
  const url = own ? `unix:${settings.dataDir}/redis.sock` : settings.redis
  return [...findings, ...(await server(url, patient))]
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

async function server(url: string, { status }: Patient): Promise<Finding[]> {
  const address = redisAddress(url)
  if (address === undefined) return viaDaemon(url, status)
  const answers = await askRedis(address, [
    ['INFO', 'server'],
    ['CONFIG', 'GET', 'maxmemory-policy'],
  ])
  const shown = url.replace(/:\/\/[^@/]*@/, '://***@')
  if (!answers.ok)
    return [fail('redis', `${shown}: ${answers.reason}`, 'start it, or look at redis in [taskd]')]
  const version = /^redis_version:([\d.]+)/m.exec(answers.text)?.[1] ?? ''
  return [judgeVersion('redis', version, ` answers at ${shown}`), judgePolicy(answers.text)]
}

function viaDaemon(url: string, status: Patient['status']): Finding[] {
  const kind = url.split(':', 1)[0] ?? ''
  if (status === undefined) {
    const remedy = 'run taskd doctor again once taskd runs'
    return [warn('redis', `${kind}: is looked at through the daemon, which does not run`, remedy)]
  }
  if (!status.redis.ok)
    return [fail('redis', `${kind}: ${status.redis.error}`, 'look at redis in [taskd]')]
  return [judgeVersion('redis', status.redis.version, ` answers the daemon (${kind})`)]
}

function judgeVersion(name: string, version: string, where: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > LEAST_MAJOR || (major === LEAST_MAJOR && minor >= LEAST_MINOR))
    return ok(name, `${version}${where}`)
  const least = `${LEAST_MAJOR}.${LEAST_MINOR}`
  return fail(name, `${version || 'an unknown version'}${where}`, `taskd needs ${least} or newer`)
}

/** Any other policy throws away waiting tasks when memory is short. */
function judgePolicy(text: string): Finding {
  const name = 'maxmemory-policy'
  const policy = /maxmemory-policy\r?\n\$\d+\r?\n([\w-]+)/.exec(text)?.[1]
  if (policy === 'noeviction') return ok(name, policy)
  if (policy === undefined)
    return warn(name, 'the server does not tell it', 'make sure that it is noeviction')
  const remedy = 'CONFIG SET maxmemory-policy noeviction, and the same in redis.conf'
  return fail(name, `is ${policy}: tasks can be thrown away when memory is short`, remedy)
}
