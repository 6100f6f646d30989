import type { Environment } from '../config/config.ts'

/** Settings that hold a secret, or an address with a password in it. */
const SECRET = /^TASKD_(?:SECRET(?:_\w+)?|DATABASE|REDIS)$/

/**
 * The environment as it was, while `env` loses what is secret: so no process that we start can find
 * it there, whoever starts it.
 */
export function takeSecrets(env: NodeJS.ProcessEnv): Environment {
  const whole = { ...env }
  for (const name of Object.keys(env)) if (SECRET.test(name)) delete env[name]
  return whole
}
