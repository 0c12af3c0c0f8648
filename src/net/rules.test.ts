import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFault } from '../core/faults.ts'
import { parseAllowList } from './allow-list.ts'
import { type Audience, checkAddresses, checkUrl, parseTarget } from './rules.ts'

/** Empty when it may be reached. */
function verdict(url: string, at: string, audience: Audience, allow: readonly string[]): string {
  try {
    const target = parseTarget(url)
    const list = parseAllowList(allow)
    checkUrl(target, audience, list)
    checkAddresses(target, at.split(' '), audience, list)
    return ''
  } catch (error) {
    if (!isFault(error, 'NET_REFUSED')) throw error
    return error.message
  }
}

const cases: readonly [
  url: string,
  at: string,
  audience: Audience,
  allow: string,
  message: string,
][] = [
  ['https://a.example/x?y=1', '8.8.8.8', 'public', '', ''],
  ['https://a.example', '8.8.8.8 2606:4700::1', 'public', '', ''],
  [
    'http://a.example/x?y=1',
    '8.8.8.8',
    'public',
    '',
    'http://a.example would be asked without TLS.',
  ],
  ['https://a.example/x', '10.0.0.1', 'public', '', 'https://a.example is at a private address.'],
  [
    'https://a.example',
    '8.8.8.8 10.0.0.1',
    'public',
    '',
    'https://a.example is at a private address.',
  ],
  ['https://a.example', '127.0.0.1', 'public', '', 'https://a.example is at this machine itself.'],
  ['https://a.example', '::1', 'public', '', 'https://a.example is at this machine itself.'],
  [
    'https://a.example:8443',
    '0.0.0.0',
    'public',
    '',
    'https://a.example:8443 is at an address that no server has.',
  ],
  [
    'https://a.example',
    'fe80::1%eth0',
    'public',
    '',
    'https://a.example has an address that cannot be read.',
  ],
  [
    'https://a.example',
    'nonsense',
    'public',
    '',
    'https://a.example has an address that cannot be read.',
  ],
  // A host of the list may be at home, not at the metadata service.
  ['https://idp.lan', '10.0.0.1', 'public', 'idp.lan', ''],
  ['https://IDP.lan.', '10.0.0.1', 'public', 'idp.LAN', ''],
  ['https://idp.lan', '127.0.0.1', 'public', 'idp.lan', ''],
  ['https://idp.lan:8443', '10.0.0.1', 'public', 'idp.lan', ''],
  ['https://idp.lan:8443', '10.0.0.1', 'public', 'idp.lan:8443', ''],
  [
    'https://idp.lan',
    '10.0.0.1',
    'public',
    'idp.lan:8443',
    'https://idp.lan is at a private address.',
  ],
  ['https://idp.lan', '10.0.0.1', 'public', 'idp.lan:443', ''],
  [
    'https://xidp.lan',
    '10.0.0.1',
    'public',
    'idp.lan',
    'https://xidp.lan is at a private address.',
  ],
  [
    'https://a.idp.lan',
    '10.0.0.1',
    'public',
    'idp.lan',
    'https://a.idp.lan is at a private address.',
  ],
  ['https://a.b.idp.lan', '10.0.0.1', 'public', '*.idp.lan', ''],
  [
    'https://idp.lan',
    '10.0.0.1',
    'public',
    '*.idp.lan',
    'https://idp.lan is at a private address.',
  ],
  [
    'https://xidp.lan',
    '10.0.0.1',
    'public',
    '*.idp.lan',
    'https://xidp.lan is at a private address.',
  ],
  ['http://idp.lan', '10.0.0.1', 'public', 'idp.lan', 'http://idp.lan would be asked without TLS.'],
  ['http://idp.lan', '10.0.0.1', 'public', 'http://idp.lan', ''],
  ['http://idp.lan:8080', '10.0.0.1', 'public', 'http://idp.lan:8080', ''],
  [
    'http://idp.lan:8081',
    '10.0.0.1',
    'public',
    'http://idp.lan:8080',
    'http://idp.lan:8081 would be asked without TLS.',
  ],
  [
    'https://idp.lan:8080',
    '10.0.0.1',
    'public',
    'http://idp.lan:8080',
    'https://idp.lan:8080 is at a private address.',
  ],
  [
    'https://idp.lan',
    '169.254.169.254',
    'public',
    'idp.lan',
    'https://idp.lan is at the metadata service of the machine.',
  ],
  [
    'https://idp.lan',
    '169.254.1.1',
    'public',
    'idp.lan',
    'https://idp.lan is at an address that no server has.',
  ],
  // A range holds whatever host; it lets no plain HTTP through, and metadata is named alone or not at all.
  ['https://a.example', '10.9.9.9', 'public', '10.0.0.0/8', ''],
  ['https://10.9.9.9', '10.9.9.9', 'public', '10.0.0.0/8', ''],
  ['https://a.example', '::ffff:10.9.9.9', 'public', '10.0.0.0/8', ''],
  [
    'https://a.example',
    '11.0.0.1 192.168.0.1',
    'public',
    '10.0.0.0/8',
    'https://a.example is at a private address.',
  ],
  [
    'http://a.example',
    '10.9.9.9',
    'public',
    '10.0.0.0/8',
    'http://a.example would be asked without TLS.',
  ],
  ['https://a.example', '198.18.0.4', 'public', '198.18.0.0/15', ''],
  [
    'https://a.example',
    '169.254.169.254',
    'public',
    '0.0.0.0/0',
    'https://a.example is at the metadata service of the machine.',
  ],
  [
    'https://a.example',
    'fd00:ec2::254',
    'public',
    'fd00:ec2::254/32',
    'https://a.example is at the metadata service of the machine.',
  ],
  ['https://a.example', '169.254.169.254', 'public', '169.254.169.254', ''],
  ['https://a.example', 'fd00:ec2::254', 'public', '[fd00:ec2::254]', ''],
  // What the person who runs the program wrote down.
  ['https://lan.example', '10.0.0.1', 'configured', '', ''],
  ['https://lan.example', '127.0.0.1', 'configured', '', ''],
  ['http://localhost:4747', '127.0.0.1 ::1', 'configured', '', ''],
  [
    'http://lan.example',
    '10.0.0.1',
    'configured',
    '',
    'http://lan.example is not this machine and would be asked without TLS.',
  ],
  [
    'http://a.example',
    '8.8.8.8',
    'configured',
    '',
    'http://a.example is not this machine and would be asked without TLS.',
  ],
  [
    'http://a.example',
    '127.0.0.1 8.8.8.8',
    'configured',
    '',
    'http://a.example is not this machine and would be asked without TLS.',
  ],
  ['http://lan.example', '10.0.0.1', 'configured', 'http://lan.example:80', ''],
  [
    'https://a.example',
    '169.254.169.254',
    'configured',
    '',
    'https://a.example is at the metadata service of the machine.',
  ],
  [
    'https://a.example',
    '0.0.0.0',
    'configured',
    '',
    'https://a.example is at an address that no server has.',
  ],
  ['ftp://a.example/x', '8.8.8.8', 'configured', '', 'Only https URLs are requested.'],
  ['file:///etc/passwd', '8.8.8.8', 'configured', '', 'Only https URLs are requested.'],
  [
    'https://user:word@a.example/',
    '8.8.8.8',
    'configured',
    '',
    'https://a.example was named with a user or password in the URL.',
  ],
]
for (const [url, at, audience, allow, message] of cases)
  test(`net rules: ${url} at ${at}, ${audience}, allowed: ${allow || 'nothing'}`, () =>
    assert.equal(verdict(url, at, audience, allow === '' ? [] : [allow]), message))

for (const entry of [
  'http://idp.lan/path',
  'http://u:p@idp.lan',
  'ftp://idp.lan',
  '10.0.0.0/33',
  '*',
  'a*.lan',
  'http://*.lan',
  'idp.lan/x',
  'idp.lan:99999',
  'u@idp.lan',
  '',
])
  test(`parseAllowList: '${entry}' is refused and named`, () =>
    assert.throws(
      () => parseAllowList(['10.0.0.0/8', entry]),
      (error) =>
        isFault(error, 'BAD_INPUT') &&
        error.message ===
          `SALLYPORT_NET_ALLOW holds '${entry}', which is no address, range, host or origin.`,
    ))

test('parseTarget: a text that is no URL is not repeated', () =>
  assert.throws(
    () => parseTarget('https://exa mple/secret'),
    (error) => isFault(error, 'BAD_INPUT') && !error.message.includes('secret'),
  ))
