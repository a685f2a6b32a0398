-- A place is taken for a call. ARGV: node, instance, call, place, how many may have it, the token by which it was had
-- or '', record. Answers: 'nobody', 'another'; 'granted' and the token; 'refused' and the node that has it.
local mine = owner()
if mine ~= 'mine' then return {mine} end
local park, place, most, token, record = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
sweep()
local count, youngest, greatest, by = 0, nil, -1, ''
for other in string.gmatch(redis.call('HGET', PLACES, place) or '', '%S+') do
    if other ~= park then
        local node, theirs = parts(redis.call('HGET', CALLS, other))
        count = count + 1
        if tonumber(theirs) > greatest then youngest, greatest, by = other, tonumber(theirs), node end
    end
end
if count >= most then
    if not token or greatest <= token then return {'refused', by} end
    drop(youngest)
    tell('what', 'lost', 'park', youngest, 'node', by, 'by', NODE)
end
local had = redis.call('HGET', CALLS, park)
if had then take_out(park, had) end
if not token then
    token = redis.call('INCR', COUNTER)
elseif token > tonumber(redis.call('GET', COUNTER) or 0) then
    -- The server has forgotten what it had given out.
    redis.call('SET', COUNTER, ARGV[6])
end
redis.call('HSET', CALLS, park, NODE .. ' ' .. string.format('%.0f', token) .. ' ' .. place .. ' ' .. record)
local others = redis.call('HGET', PLACES, place)
redis.call('HSET', PLACES, place, others and others .. ' ' .. park or park)
tell('what', 'put', 'park', park, 'node', NODE, 'record', record)
return {'granted', string.format('%.0f', token)}
