import { expect, test } from 'vitest'
import { redisCli } from '../../../src/master/redis-cli.ts'

test.each([
  ['unix:/srv/data/redis.sock', 'redis-cli -s /srv/data/redis.sock'],
  ['unix:/srv/my data/redis.sock?db=2', "redis-cli -s '/srv/my data/redis.sock' -n 2"],
  ['redis://10.0.0.1:6379/3', 'redis-cli -u redis://10.0.0.1:6379/3'],
  ['rediss://u:***@r.example', "redis-cli -u 'rediss://u:***@r.example'"],
  ['sentinel://h1:26379,h2:26379/mymaster?db=1', 'redis-cli -c -h h7 -p 7001 -n 1'],
  ['cluster://h1:7000,h2:7001?tls=yes', 'redis-cli -c -h h7 -p 7001 --tls'],
])('%s is reached by %s', (url, line) => {
  expect(redisCli({ url, servers: ['h7:7001'] })).toBe(line)
})
