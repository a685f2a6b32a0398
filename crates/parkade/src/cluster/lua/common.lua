-- What every script begins with. All keys have one hash tag, so a Redis Cluster keeps them together.
--
-- nodes:   node -> "instance address"; whoever joined last under a name is that node, and nobody else may write for it
-- leases:  node -> until when it lives, in milliseconds of the server's own clock (sorted)
-- calls:   call -> "node token place record"
-- places:  place -> the calls that have it, with spaces between
-- changes: what has changed (a stream)
-- counter: the last token
local NODES, LEASES, CALLS, PLACES, CHANGES, COUNTER = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local NODE, INSTANCE = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Who may write for this node: 'mine', 'nobody' (the server has forgotten it), or 'another'.
local function owner()
    local known = redis.call('HGET', NODES, NODE)
    if not known then return 'nobody' end
    return string.match(known, '^%S+') == INSTANCE and 'mine' or 'another'
end

local function parts(call)
    return string.match(call, '^(%S+) (%S+) (%S+) (.*)$')
end

local function tell(...)
    redis.call('XADD', CHANGES, 'MAXLEN', '~', '10000', '*', ...)
end

-- Takes a call out of its place, and says nothing.
local function take_out(park, call)
    local _, _, place = parts(call)
    redis.call('HDEL', CALLS, park)
    local left = {}
    for other in string.gmatch(redis.call('HGET', PLACES, place) or '', '%S+') do
        if other ~= park then left[#left + 1] = other end
    end
    if #left > 0 then
        redis.call('HSET', PLACES, place, table.concat(left, ' '))
    else
        redis.call('HDEL', PLACES, place)
    end
end

local function drop(park)
    local call = redis.call('HGET', CALLS, park)
    if call then
        take_out(park, call)
        tell('what', 'gone', 'park', park)
    end
end

-- Forgets the nodes whose leases have ended, and what they had.
local function sweep()
    local dead, any = {}, false
    for _, node in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now)) do
        dead[node], any = true, true
        redis.call('ZREM', LEASES, node)
    end
    if not any then return end
    local all = redis.call('HGETALL', CALLS)
    for at = 1, #all, 2 do
        if dead[parts(all[at + 1])] then drop(all[at]) end
    end
end

-- The nodes that live, each followed by its address.
local function living()
    local list = {}
    for _, node in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
        list[#list + 1] = node
        list[#list + 1] = string.match(redis.call('HGET', NODES, node) or '', '^%S+ (.*)$') or ''
    end
    return list
end

