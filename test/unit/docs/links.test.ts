import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, it } from 'vitest'

/** What is in the repository, or will be with the next commit. */
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter(file => file !== '' && existsSync(file))
const pages = files.filter(file => file.endsWith('.md'))

/** Code in a page is not read for links, nor for headings. */
const proseOf = (page: string) => readFileSync(page, 'utf8').replace(/^```[^]*?^```/gm, '')

/** The anchors that the usual Git hosts make of the headings. */
function anchorsOf(page: string): Set<string> {
  const headings = proseOf(page).matchAll(/^#+ +(.+)$/gm)
  return new Set(
    [...headings].map(([, text = '']) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

function faultOf(page: string, link: string): string {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : normalize(join(dirname(page), path))
  if (!existsSync(target)) return `${page}: there is no ${target}`
  if (anchor === undefined || statSync(target).isDirectory()) return ''
  return anchorsOf(target).has(anchor) ? '' : `${page}: ${target} has no heading #${anchor}`
}

it('every link from page to page leads somewhere', () => {
  const links = pages.flatMap(page =>
    [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter(link => !/^[a-z]+:/.test(link))
      .map(link => [page, link] as const),
  )
  expect(links.length).toBeGreaterThan(20)
  expect(links.map(([page, link]) => faultOf(page, link)).filter(fault => fault !== '')).toEqual([])
})

it('every page that is named in a comment, a message or a service file is there', () => {
  const texts = files.filter(file => /^(?:bench|bin|conf|docs|scripts|src|systemd)\//.test(file))
  const named = texts.flatMap(file =>
    [...readFileSync(file, 'utf8').matchAll(/\bdocs\/[\w/-]+\.md\b/g)].map(
      ([page]) => [file, page] as const,
    ),
  )
  expect(named.length).toBeGreaterThan(3)
  expect(named.filter(([, page]) => !existsSync(page))).toEqual([])
})
