import { fail, type Look, ok } from './finding.ts'

const LEAST = [20, 17] as const

export const lookAtNode: Look = () => {
  const { version } = process
  const [major = 0, minor = 0] = version.slice(1).split('.').map(Number)
  const fits = major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])
  return [
    fits
      ? ok('node', `${version} at ${process.execPath}`)
      : fail('node', `${version} is too old`, `install Node ${LEAST.join('.')} or newer`),
  ]
}
