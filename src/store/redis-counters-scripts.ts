import { createHash } from 'node:crypto'

/** What runs inside of Redis, in one piece: nothing of another client comes between its commands. */
export interface Script {
  readonly text: string
  /** By which Redis knows it once it has seen it. */
  readonly sha: string
}

/** Whole numbers up to here are exact, in Lua as here; a count stands still at it. */
const MOST = Number.MAX_SAFE_INTEGER

/**
 * Keys of a change: the standing (hash: `m` marker, `n` changes so far), what this process did last (hash: place →
 * `id:answer`), the list of counters (sorted by when they end), then the counters. A counter is a hash: bucket → used,
 * and of its last change `l` the bucket, `f` the first bucket that counts, `s` what counts from there on, `w` its window.
 * `u` is how many digits behind the point it is counted with, none where it is not there: the most that anybody counted
 * it with. All of its units share one key.
 *
 * Arguments of a change: marker, the least that `n` has to be, place and id of this change, place and id of the last one
 * that was answered (or two empty texts), the clock (milliseconds, or empty: that of Redis), then its own.
 */
const SHARED = `
local DAY = 86400000
local MOST = ${MOST}

local function whole(number)
  return string.format('%.0f', number)
end

local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The first day of the month that a day is in, both counted from the epoch: years begin in March here.
local function month(day)
  local z = day + 719468
  local of_era = z % 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524)
    - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local shifted = math.floor((5 * of_year + 2) / 153)
  return day - (of_year - math.floor((153 * shifted + 2) / 5))
end

-- Where is counted at a moment, what counts from where on, when it ends, and how long the window is.
local function window(kind, length, part, at)
  if kind == 'm' then
    local first = month(math.floor(at / DAY))
    return first * DAY, first * DAY, month(first + 31) * DAY, 31 * DAY
  end
  if kind == 'c' then
    local start = math.floor((at - part) / length) * length + part
    return start, start, start + length, length
  end
  local bucket = math.floor(at / part) * part
  return bucket, math.floor((at - length) / part) * part, bucket + part + length, length
end

-- Buckets that count, the oldest first, their sum, and the names of those that do not any more.
local function counted(key, from)
  local all = redis.call('HGETALL', key)
  local rows, sum, ended = {}, 0, {}
  for i = 1, #all, 2 do
    local bucket = tonumber(all[i])
    if bucket then
      if bucket >= from then
        local used = tonumber(all[i + 1])
        rows[#rows + 1] = { bucket, used }
        sum = math.min(sum + used, MOST)
      else
        ended[#ended + 1] = all[i]
      end
    end
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  return rows, sum, ended
end

local function answer_in(kept)
  local id, said = string.match(kept, '^(%d+):(.*)$')
  return tonumber(id), said
end

-- Whether the counters are those that the caller knows, and hold all that it knows of; else what to answer.
local function refusal()
  local held = redis.call('HMGET', KEYS[1], 'm', 'n')
  if held[1] ~= ARGV[1] then return 'marker ' .. (held[1] or '') end
  local isWhole = tonumber(held[2] or '0') >= tonumber(ARGV[2])
  if isWhole and ARGV[5] ~= '' then
    local kept = redis.call('HGET', KEYS[2], ARGV[5])
    isWhole = kept and answer_in(kept) >= tonumber(ARGV[6])
  end
  if isWhole then return nil end
  redis.call('HSET', KEYS[1], 'm', 'lost')
  return 'marker lost'
end

-- What was answered to this change before, when its answer did not arrive.
local function answered()
  local kept = redis.call('HGET', KEYS[2], ARGV[3])
  if not kept then return nil end
  local id, said = answer_in(kept)
  if id == tonumber(ARGV[4]) then return said end
  if id > tonumber(ARGV[4]) then return 'late' end
  return nil
end

local function remember(kind, said)
  local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
  local answer = kind .. ' ' .. whole(n) .. said
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[4] .. ':' .. answer)
  redis.call('PEXPIRE', KEYS[2], 3600000)
  return answer
end

-- An amount with more digits behind the point, or with fewer: then never less than it is.
local function scaled(amount, digits)
  if digits < 0 then return math.ceil(amount / 10 ^ -digits) end
  return math.max(-MOST, math.min(MOST, amount * 10 ^ digits))
end

-- Counts what was counted with more digits from now on.
local function refine(key, digits, scale)
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if tonumber(all[i]) then redis.call('HSET', key, all[i], whole(scaled(tonumber(all[i + 1]), digits))) end
  end
  redis.call('HDEL', key, 'f')
  redis.call('HSET', key, 'u', whole(scale))
end

-- No count falls below zero, and none that ended comes back.
local function change(key, bucket, by, scale)
  local both = redis.call('HMGET', key, bucket, 'u')
  local held = tonumber(both[1] or '')
  if by == 0 or not held then return end
  by = scaled(by, tonumber(both[2] or '0') - scale)
  redis.call('HSET', key, bucket, whole(math.max(0, math.min(held + by, MOST))))
  redis.call('HDEL', key, 'f')
end
`

function script(body: string): Script {
  const text = `${SHARED}${body}`
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * Of each counter: amount, max, `1` in shadow, then its window: `s` length part, `c` length offset, or `m` 0 0, and how
 * many digits behind the point amount and max have.
 */
export const TAKE = script(`
local refused = refusal() or answered()
if refused then return refused end
local now = clock(ARGV[7])
local plan, shadow = {}, -1
for i = 1, #KEYS - 3 do
  local key, at = KEYS[3 + i], 7 + (i - 1) * 7
  local amount, max = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local kind, length, part = ARGV[at + 4], tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  local scale = tonumber(ARGV[at + 7])
  local held = redis.call('HMGET', key, 'f', 's', 'l', 'u')
  local last = tonumber(held[3] or '')
  local digits = 0
  if last then digits = tonumber(held[4] or '0') - scale end
  if digits < 0 then
    refine(key, -digits, scale)
    held[1], digits = false, 0
  elseif digits > 0 then
    amount, max = scaled(amount, digits), math.min(MOST - 1, max * 10 ^ digits)
  end
  local moment = now
  local moved = nil
  if last and last > now then
    -- The clock went back: time stands still here until it has caught up, or, where that would take longer than the
    -- window, all that counts is counted as of now.
    local _, from, _, span = window(kind, length, part, last)
    if last - now <= span then
      moment = last
    else
      local _, sum, ended = counted(key, from)
      moved = sum
    end
  end
  local bucket, from, ends = window(kind, length, part, moment)
  local used, rows, ended
  if moved then
    rows, used, ended = { { bucket, moved } }, moved, {}
  elseif tonumber(held[1] or '') == from then
    used = tonumber(held[2])
  else
    rows, used, ended = counted(key, from)
  end
  if amount > 0 and amount > max - used then
    if ARGV[at + 3] ~= '1' then
      if not rows then
        if from == bucket then rows = { { bucket, used } } else rows = counted(key, from) end
      end
      local said = { 'x', whole(i - 1) }
      for _, row in ipairs(rows) do
        said[#said + 1] = whole(row[1])
        said[#said + 1] = string.format('%.17g', row[2] / 10 ^ digits)
      end
      return table.concat(said, ' ')
    end
    if shadow < 0 then shadow = i - 1 end
  end
  plan[i] = { bucket = bucket, from = from, ends = ends, left = ends - moment, used = used, last = last,
    unit = scale + digits, added = math.min(amount, MOST - used), moved = moved, ended = ended,
    shape = kind .. ' ' .. ARGV[at + 5] .. ' ' .. ARGV[at + 6] }
end
local said = ' ' .. whole(shadow)
for i, one in ipairs(plan) do
  local key, bucket, ended = KEYS[3 + i], whole(one.bucket), one.ended
  said = said .. ' ' .. bucket
  if one.moved then
    redis.call('DEL', key)
    redis.call('HSET', key, bucket, whole(one.moved))
  elseif ended then
    for first = 1, #ended, 1000 do
      redis.call('HDEL', key, unpack(ended, first, math.min(first + 999, #ended)))
    end
  end
  redis.call('HINCRBY', key, bucket, whole(one.added))
  if one.unit > 0 and (one.moved or not one.last) then redis.call('HSET', key, 'u', whole(one.unit)) end
  redis.call('HSET', key, 'f', whole(one.from), 's', whole(one.used + one.added), 'l', bucket, 'w', one.shape)
  if one.last ~= one.bucket then
    redis.call('PEXPIRE', key, whole(one.left))
    redis.call('ZADD', KEYS[3], whole(one.ends), string.sub(key, #KEYS[3] + 2))
    if redis.call('PTTL', KEYS[3]) < one.left then redis.call('PEXPIRE', KEYS[3], whole(one.left)) end
  end
end
return remember('t', said)
`)

/** Of each counter: bucket, by how much what is counted there changes, and with how many digits behind the point. */
export const CHANGE = script(`
local refused = refusal() or answered()
if refused then return refused end
for i = 1, #KEYS - 3 do
  local at = 7 + (i - 1) * 3
  change(KEYS[3 + i], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
end
return remember('c', '')
`)

/** Takes back what a `TAKE` of the same place and id did, or keeps it from doing so later. As `CHANGE`, without buckets. */
export const UNDO = script(`
local refused = refusal()
if refused then return refused end
local said = answered()
if said and string.sub(said, 1, 1) == 'u' then return said end
if said then
  local i = -2
  for bucket in string.gmatch(said, '%S+') do
    if i > 0 then change(KEYS[3 + i], bucket, -tonumber(ARGV[6 + 2 * i]), tonumber(ARGV[7 + 2 * i])) end
    i = i + 1
  end
end
return remember('u', '')
`)

/**
 * Key: the standing. Arguments: a marker, and `1` to put it there whatever is there. Gives what is there then, and `n`.
 */
export const MARK = script(`
local held = redis.call('HGET', KEYS[1], 'm')
if not held or held == 'lost' or ARGV[2] == '1' then
  held = ARGV[1]
  redis.call('HSET', KEYS[1], 'm', held)
end
return held .. ' ' .. (redis.call('HGET', KEYS[1], 'n') or '0')
`)

/** Key: the standing. Gives the marker that is there and `n`, or nothing. */
export const FOUND = script(`
local held = redis.call('HMGET', KEYS[1], 'm', 'n')
return held[1] and (held[1] .. ' ' .. (held[2] or '0'))
`)

/** Key: the list. Arguments: the clock, `1` for those that ended else `0`, how many to pass over. Gives the clock first. */
export const LIST = script(`
local now = whole(clock(ARGV[1]))
local low, high = '(' .. now, '+inf'
if ARGV[2] == '1' then low, high = '-inf', now end
local names = redis.call('ZRANGEBYSCORE', KEYS[1], low, high, 'LIMIT', ARGV[3], 500)
table.insert(names, 1, now)
return names
`)

/** Keys: counters. Argument: the clock. Gives what counts of each, when the first of it ends, and its `u`. */
export const LOOK = script(`
local now = tonumber(ARGV[1])
local said = {}
for i, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'w', 'l', 'u')
  said[i] = '0 0'
  if held[1] then
    local kind, length, part = string.match(held[1], '^(%a) (%d+) (%d+)$')
    length, part = tonumber(length), tonumber(part)
    local _, from = window(kind, length, part, math.max(now, tonumber(held[2])))
    local rows, used = counted(key, from)
    for _, row in ipairs(rows) do
      if row[2] > 0 then
        local _, _, ends = window(kind, length, part, row[1])
        said[i] = whole(used) .. ' ' .. whole(ends) .. ' ' .. (held[3] or '0')
        break
      end
    end
  end
end
return said
`)

/** Keys: the list, then counters. Drops those from the list that are gone. */
export const DROP = script(`
local gone = 0
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    gone = gone + redis.call('ZREM', KEYS[1], string.sub(KEYS[i], #KEYS[1] + 2))
  end
end
return gone
`)
