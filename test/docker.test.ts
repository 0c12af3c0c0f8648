import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import {
  type Compose,
  composeProblems,
  dockerfileProblems,
  stagesOf,
} from './support/dockerfile.ts'

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')
const DOCKERFILE = read('Dockerfile')
const COMPOSE = parse(read('compose.yml')) as Compose

test('the Dockerfile and the compose file keep the rules', () => {
  assert.deepEqual(dockerfileProblems(DOCKERFILE), [])
  assert.deepEqual(composeProblems(COMPOSE), [])
})

test('the image has the Node that is tested', () => {
  const version = read('.node-version').trim()
  for (const { image } of stagesOf(DOCKERFILE)) assert.equal(image, `node:${version}-slim`)
})

test('what the image copies is let through to it, and nothing else is', () => {
  const [first, ...rest] = read('.dockerignore').trim().split('\n')
  assert.equal(first, '*')
  const copied = stagesOf(DOCKERFILE)
    .flatMap(({ instructions }) => instructions)
    .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from'))
    .flatMap(({ text }) => text.split(' ').slice(0, -1))
  assert.deepEqual(rest.map((line) => line.slice(1)).toSorted(), [...new Set(copied)].toSorted())
})

test('secrets of the compose file are in no commit', () => {
  for (const { file = '' } of Object.values(COMPOSE.secrets)) assert.match(file, /^secrets\//)
  assert.ok(read('.gitignore').split('\n').includes('secrets/'))
})

const broken: readonly (readonly [
  what: string,
  from: string | RegExp,
  to: string,
  said: RegExp,
])[] = [
  ['latest', /node:\S+ AS/, 'node:latest AS', /not pinned/],
  ['no tag', /FROM node:\S+\n/, 'FROM node\n', /not pinned/],
  ['root', 'USER 1000:1000', 'USER root', /runs as root/],
  ['uid 0', 'USER 1000:1000', 'USER 0', /runs as root/],
  ['no user', 'USER 1000:1000\n', '', /runs as root/],
  ['a password', 'NODE_ENV=production', 'DB_PASSWORD=x', /ENV holds something secret/],
  ['a shell', 'CMD ["up"]', 'CMD sallyport up', /goes by a shell/],
  ['no health', /HEALTHCHECK[^]*?ENTRY/, 'ENTRY', /HEALTHCHECK stands once/],
  ['the whole context', 'COPY bin bin', 'COPY . /app', /whole context/],
  ['ADD', 'COPY src src', 'ADD https://example.org/x src', /ADD is not used/],
]
for (const [what, from, to, said] of broken)
  test(`a Dockerfile with ${what} is found`, () => {
    const changed = DOCKERFILE.replace(from, to)
    assert.notEqual(changed, DOCKERFILE)
    assert.match(dockerfileProblems(changed).join('\n'), said)
  })

test('a compose file that lets something out is found', () => {
  const { sallyport = {} } = COMPOSE.services
  const worse: readonly (readonly [change: object, said: RegExp])[] = [
    [{ read_only: false }, /can be written/],
    [{ ports: ['4747:4747'] }, /open to the network/],
    [{ cap_drop: [] }, /keeps capabilities/],
    [{ environment: { SALLYPORT_DATABASE_URL: 'postgres://u:p@h/d' } }, /holds something secret/],
    [{ volumes: ['./data:/data'] }, /a folder of the host/],
    [{ secrets: ['other'] }, /is no file/],
    [{ security_opt: [] }, /may rise/],
    [{ mem_limit: undefined }, /no limits/],
  ]
  for (const [change, said] of worse) {
    const services = { sallyport: { ...sallyport, ...change } }
    assert.match(composeProblems({ ...COMPOSE, services }).join('\n'), said)
  }
})
