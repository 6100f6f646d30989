import type { Status } from '../api/status.ts'
import { isNodesUrl, readNodes } from '../lib/redis-nodes.ts'

/** How people reach this Redis by hand; a password shows as `***`. */
export function redisCli({ url, servers }: Pick<Status['redis'], 'url' | 'servers'>): string {
  if (url.startsWith('unix:')) {
    const [path = '', db] = url.slice('unix:'.length).split('?db=')
    return `redis-cli -s ${quoted(path)}${db === undefined ? '' : ` -n ${db}`}`
  }
  if (!isNodesUrl(url)) return `redis-cli -u ${quoted(url)}`
  const nodes = readNodes(url)
  const [master = ''] = servers
  const colon = master.lastIndexOf(':')
  const tls = nodes.ok && nodes.value.tls ? ' --tls' : ''
  const db = nodes.ok && nodes.value.kind === 'sentinel' ? ` -n ${nodes.value.db}` : ''
  return `redis-cli -c -h ${master.slice(0, colon)} -p ${master.slice(colon + 1)}${tls}${db}`
}

const quoted = (text: string) =>
  /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
